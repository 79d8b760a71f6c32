import type { IncomingMessage } from 'node:http';
import { ConfigurationError } from '@gatewarden/resource-server';

/**
 * What of a client's header passes on: what MCP and its tracing need, by name. Everything else stays behind, so
 * that no name has to be known to be dangerous: not `Authorization`, `DPoP` or `Cookie` (RS-27), no identity a
 * client gives itself, no `X-Forwarded-*`, nothing hop-by-hop (RFC 9110 §7.6.1), nothing about framing.
 */
const passedRequestHeaders: ReadonlySet<string> = new Set([
  'accept',
  'accept-language',
  'baggage',
  'content-type',
  'last-event-id',
  'traceparent',
  'tracestate',
  'user-agent',
]);

/** Of the upstream's header. Caching is ours to decide, and so are challenges, CORS, cookies and redirects. */
const passedResponseHeaders: ReadonlySet<string> = new Set([
  'allow',
  'content-encoding',
  'content-language',
  'content-length',
  'content-type',
  'retry-after',
]);

/** Headers whose meaning is the proxy's own business; no option lets them pass or sets them. */
const reserved: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'dpop',
  'dpop-nonce',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  'keep-alive',
  'location',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
  'www-authenticate',
]);
const reservedPrefixes = ['access-control-', 'mcp-', 'x-forwarded-', 'x-gatewarden-'];
/** May be set for the upstream, but never come from a client. */
const credentials: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'origin',
  'x-request-id',
]);

function isReserved(name: string): boolean {
  return reserved.has(name) || reservedPrefixes.some((prefix) => name.startsWith(prefix));
}

/**
 * Checks the names of `forwardHeaders`.
 *
 * @throws {ConfigurationError} invalid_option: not a header name, or one that must never pass
 */
export function forwardedNames(names: readonly string[]): ReadonlySet<string> {
  return new Set(
    names.map((given) => {
      const name = given.toLowerCase();
      if (!isToken(name) || isReserved(name) || credentials.has(name))
        throw new ConfigurationError(
          'invalid_option',
          `the header ${JSON.stringify(given)} is never passed on`,
        );
      return name;
    }),
  );
}

/**
 * Checks `upstreamHeaders`. A value is never repeated in the error: it may be a secret.
 *
 * @throws {ConfigurationError} invalid_option: not a header, or one that the proxy writes itself
 */
export function fixedHeaders(
  headers: readonly (readonly [string, string])[],
): ReadonlyMap<string, string> {
  const fixed = new Map<string, string>();
  for (const [given, value] of headers) {
    const name = given.toLowerCase();
    if (
      !isToken(name) ||
      isReserved(name) ||
      fixed.has(name) ||
      !/^[\t\x20-\x7e\x80-\xff]+$/.test(value)
    )
      throw new ConfigurationError(
        'invalid_option',
        `the upstream header ${JSON.stringify(given)} cannot be set: it is the proxy's own, given twice, or not a valid header`,
      );
    fixed.set(name, value.trim());
  }
  return fixed;
}

export type ClientHeaders =
  | { readonly kind: 'ok'; readonly headers: Record<string, string> }
  /** A header that must be single came more than once, so it is open which one counts. */
  | { readonly kind: 'repeated' };

/** The headers of a client that pass on, by lower-case name. */
export function clientHeaders(
  request: IncomingMessage,
  forwarded: ReadonlySet<string>,
): ClientHeaders {
  const headers: Record<string, string> = {};
  const hop = namedInConnection(request.headers.connection);
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    const name = (request.rawHeaders[at] ?? '').toLowerCase();
    const mcp = name.startsWith('mcp-');
    if (!mcp && !passedRequestHeaders.has(name) && !forwarded.has(name)) continue;
    if (hop.has(name)) continue;
    const value = request.rawHeaders[at + 1] ?? '';
    const before = headers[name];
    if (before !== undefined && (mcp || name === 'content-type' || name === 'last-event-id'))
      return { kind: 'repeated' };
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { kind: 'ok', headers };
}

/** The headers of an upstream's response that pass on, by lower-case name. */
export function upstreamHeaders(
  received: Readonly<Record<string, string | string[] | undefined>>,
  forwarded: ReadonlySet<string>,
): Record<string, string> {
  const headers: Record<string, string> = {};
  const hop = namedInConnection(received['connection']);
  for (const [given, value] of Object.entries(received)) {
    const name = given.toLowerCase();
    if (value === undefined || hop.has(name)) continue;
    if (!name.startsWith('mcp-') && !passedResponseHeaders.has(name) && !forwarded.has(name))
      continue;
    headers[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return headers;
}

/** Headers a sender declares to be meant for the next hop only (RFC 9110 §7.6.1). */
function namedInConnection(
  connection: string | readonly string[] | undefined,
): ReadonlySet<string> {
  const text = typeof connection === 'string' ? connection : (connection ?? []).join(',');
  return new Set(text.split(',').map((name) => name.trim().toLowerCase()));
}

function isToken(name: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(name);
}
