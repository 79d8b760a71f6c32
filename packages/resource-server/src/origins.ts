import { forbiddenOrigin } from './answers.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, Headers, Respond } from './request.ts';
import { isLoopbackAddress, isLoopbackName } from './urls.ts';

const requestHeaders =
  'Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, DPoP';
const exposedHeaders =
  'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After, DPoP-Nonce';

/**
 * Refuses requests that a web page sent by way of somebody's browser (DNS rebinding): `Host` must be a
 * name of this server, and `Origin`, if there is one, an origin that may call it (RS-50). A loopback name
 * counts only where this end of the connection is loopback, and only with it count loopback origins.
 */
export function checkOrigin(server: McpServer, request: GuardRequest): Respond | undefined {
  if (!server.checkOrigin) return undefined;
  const [host, ...others] = request.header('host');
  if (host === undefined || others.length > 0) return forbiddenOrigin('Host');
  if (!server.hosts.has(host) && !isOwnHost(server, request, host)) return forbiddenOrigin('Host');

  const allowed = request.header('origin').length === 0 || allowedOrigin(server, request);
  return allowed ? undefined : forbiddenOrigin('Origin');
}

/** What CORS calls this request's origin, when that may call the endpoint: the origin itself, or `*`. */
function allowedOrigin(server: McpServer, request: GuardRequest): string | undefined {
  const [origin, ...others] = request.header('origin');
  if (origin === undefined) return undefined;
  if (server.allowedOrigins === '*') return '*';
  if (others.length > 0) return undefined;
  if (origin === server.origin || server.allowedOrigins.has(origin)) return origin;
  const [host = ''] = request.header('host');
  const local = isLocal(server, request, hostUrl(server, host)) && isLoopbackOrigin(origin);
  return local ? origin : undefined;
}

/** The slower half of the comparison: default ports, upper case and loopback names. */
function isOwnHost(server: McpServer, request: GuardRequest, host: string): boolean {
  const url = hostUrl(server, host);
  return url !== undefined && (server.hosts.has(url.host) || isLocal(server, request, url));
}

/** `Host` as a URL of the server's own scheme, so that a default port compares as absent; undefined when it is more than host and port. */
function hostUrl(server: McpServer, host: string): URL | undefined {
  const text = `${new URL(server.origin).protocol}//${host}`;
  if (!/^[A-Za-z0-9.\-_:[\]]+$/.test(host) || !URL.canParse(text)) return undefined;
  return new URL(text);
}

/** A loopback name, at an end of the connection that is loopback. */
function isLocal(server: McpServer, request: GuardRequest, url: URL | undefined): boolean {
  if (!url || !isLoopbackName(url.hostname)) return false;
  return request.localAddress === undefined
    ? server.loopback
    : isLoopbackAddress(request.localAddress);
}

function isLoopbackOrigin(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const url = new URL(origin);
  return url.origin === origin && isLoopbackName(url.hostname);
}

/** CORS headers for a response to this request: none where its origin may not call the endpoint (RS-16). */
export function corsHeaders(server: McpServer, request: GuardRequest): Headers {
  const allowed = allowedOrigin(server, request);
  if (allowed === undefined) return {};
  return {
    'access-control-allow-origin': allowed,
    'access-control-expose-headers': exposedHeaders,
    ...(allowed === '*' ? {} : { vary: 'Origin' }),
  };
}

/** Most headers of tool parameters that one preflight allows. */
const mirroredLimit = 50;

/** Headers of MCP 2026-07-28 that repeat a tool's parameters: their names are the tool's, so those asked for are allowed. */
export function mirroredHeaders(request: GuardRequest): string[] {
  return request
    .header('access-control-request-headers')
    .flatMap((value) => value.split(','))
    .map((name) => name.trim())
    .filter((name) => /^mcp-param-[a-z0-9_-]{1,64}$/i.test(name))
    .slice(0, mirroredLimit);
}

/** The answer to OPTIONS: always ours, never a token's business (RS-15). */
export function preflight(
  cors: Headers,
  methods: string,
  mirrored: readonly string[] = [],
): Respond {
  return {
    kind: 'respond',
    status: 204,
    headers: {
      ...cors,
      'access-control-allow-methods': methods,
      'access-control-allow-headers': [requestHeaders, ...mirrored].join(', '),
      'access-control-max-age': '86400',
      allow: methods,
    },
    body: undefined,
  };
}
