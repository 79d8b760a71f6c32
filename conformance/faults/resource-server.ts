import { createLocalJWKSet, jwtVerify } from 'jose';
import { type Answer, empty, type Incoming, json, parseObject } from './http.ts';
import type { Keys } from './keys.ts';
import type { Claims, Parts, Place, Refusal } from './parts.ts';

const REQUEST_HEADERS =
  'Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID';
const METADATA_PATH = '/.well-known/oauth-protected-resource';
const EXPOSED_HEADERS = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After';
const LEGACY_VERSIONS = ['2025-03-26', '2025-06-18', '2025-11-25'];
const STATELESS_VERSION = '2026-07-28';
const SCOPES: ReadonlyMap<string, string> = new Map([
  ['list_todos', 'todo:read'],
  ['delete_todo', 'todo:delete'],
]);
const TOOLS = [
  {
    name: 'list_todos',
    description: 'All to-dos',
    inputSchema: { type: 'object', properties: {} },
    annotations: { readOnlyHint: true },
  },
  {
    name: 'delete_todo',
    description: 'Deletes a to-do',
    inputSchema: { type: 'object', properties: { id: { type: 'integer' } } },
    annotations: { destructiveHint: true },
  },
];

type ResourceParts = Pick<
  Parts,
  | 'resourceFront'
  | 'resourceMetadata'
  | 'originAllowed'
  | 'readToken'
  | 'verifyToken'
  | 'refuse'
  | 'mayCall'
  | 'resourceCors'
>;

/** The resource server's decisions as the specifications want them. */
export function goodResourceParts(place: Place, keys: Keys): ResourceParts {
  const keySet = createLocalJWKSet({ keys: [keys.publicJwk] });
  const originAllowed = (origin: string | undefined): boolean =>
    origin === undefined || origin === place.resourceOrigin || isLoopback(origin);
  return {
    resourceFront: (_request, next) => next(),
    resourceMetadata: () => ({
      resource: place.mcp,
      authorization_servers: [place.issuer],
      bearer_methods_supported: ['header'],
      scopes_supported: ['todo:read', 'todo:delete'],
      resource_name: 'To-dos',
    }),
    originAllowed,
    readToken: ({ headers }) => {
      const { authorization } = headers;
      if (authorization === undefined) return { kind: 'none' };
      if (!/^bearer(?: |$)/i.test(authorization)) return { kind: 'none' };
      const token = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
      return token === undefined ? { kind: 'malformed' } : { kind: 'token', token };
    },
    verifyToken: async (token) => {
      const { payload } = await jwtVerify(token, keySet, {
        algorithms: ['RS256'],
        typ: 'at+jwt',
        issuer: place.issuer,
        audience: place.mcp,
        requiredClaims: ['exp', 'sub', 'client_id'],
      });
      return payload;
    },
    refuse: (refusal) => refuse(place, refusal),
    mayCall: (tool, claims) => {
      const needed = SCOPES.get(tool);
      return needed !== undefined && grantedScopes(claims).includes(needed);
    },
    resourceCors: ({ headers: { origin } }) =>
      origin === undefined || !originAllowed(origin)
        ? {}
        : {
            'access-control-allow-origin': origin,
            'access-control-expose-headers': EXPOSED_HEADERS,
            vary: 'Origin',
          },
  };
}

export function grantedScopes(claims: Claims): readonly string[] {
  return typeof claims['scope'] === 'string' ? claims['scope'].split(' ') : [];
}

/** The well-known address with the path of the endpoint behind it (RFC 9728 section 3.1). */
function metadataUrl(place: Place): URL {
  const { origin, pathname } = new URL(place.mcp);
  const suffix = pathname === '/' ? '' : pathname;
  return new URL(`${origin}${METADATA_PATH}${suffix}`);
}

/** A challenge (RFC 6750 section 3, RFC 9728 section 5.1) and the same in words. */
export function refuse(place: Place, refusal: Refusal): Answer {
  const { status, error, description, scope } = refusal;
  const metadata = metadataUrl(place).href;
  const parameters = [
    ...(error === undefined ? [] : [`error="${error}"`]),
    ...(description === undefined ? [] : [`error_description="${description}"`]),
    `scope="${scope}"`,
    `resource_metadata="${metadata}"`,
  ];
  return json(
    status,
    { error: error ?? 'unauthorized', error_description: description ?? 'A token is needed' },
    { 'www-authenticate': `Bearer ${parameters.join(', ')}` },
  );
}

function isLoopback(origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  return ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(origin).hostname);
}

/** Answers one request to the resource server. */
export async function answerResource(
  parts: Parts,
  place: Place,
  request: Incoming,
): Promise<Answer> {
  if (request.path === METADATA_PATH || request.path === metadataUrl(place).pathname)
    return answerMetadata(parts, request);
  if (request.path !== new URL(place.mcp).pathname) return json(404, { error: 'not_found' });
  const cors = parts.resourceCors(request);
  if (request.method === 'OPTIONS') {
    return empty(204, {
      ...cors,
      'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
      'access-control-allow-headers': REQUEST_HEADERS,
      'access-control-max-age': '600',
    });
  }
  const answer = await answerEndpoint(parts, request);
  return { ...answer, headers: { ...cors, ...answer.headers } };
}

function answerMetadata(parts: Parts, { method }: Incoming): Answer {
  const cors = { 'access-control-allow-origin': '*' };
  if (method === 'OPTIONS')
    return empty(204, { ...cors, 'access-control-allow-headers': REQUEST_HEADERS });
  if (method !== 'GET' && method !== 'HEAD') return empty(405, { allow: 'GET, HEAD, OPTIONS' });
  return json(200, parts.resourceMetadata(), { ...cors, 'cache-control': 'max-age=300' });
}

async function answerEndpoint(parts: Parts, request: Incoming): Promise<Answer> {
  if (!parts.originAllowed(request.headers['origin'])) {
    return json(403, { error: 'forbidden', error_description: 'This origin may not call' });
  }
  const found = parts.readToken(request);
  const scope = 'todo:read';
  if (found.kind === 'none') return parts.refuse({ status: 401, scope });
  if (found.kind === 'malformed') {
    const description = 'The Authorization header is malformed';
    return parts.refuse({ status: 400, error: 'invalid_request', description, scope });
  }
  let claims: Claims;
  try {
    claims = await parts.verifyToken(found.token);
  } catch {
    const description = 'The token is not valid here';
    const sent = found.token;
    return parts.refuse({ status: 401, error: 'invalid_token', description, scope, sent });
  }
  return answerMcp(parts, request, claims);
}

/** What lies behind the check of the token: stateless MCP, one message in, one out. */
export function answerMcp(parts: Parts, request: Incoming, claims: Claims): Answer {
  if (request.method !== 'POST') return empty(405, { allow: 'POST, OPTIONS' });
  const message = parseObject(request.body);
  if (message?.['jsonrpc'] !== '2.0' || typeof message['method'] !== 'string') {
    return rpcError(400, undefined, -32700, 'Not a JSON-RPC message');
  }
  if (message['id'] === undefined) return empty(202);
  const { id, method } = message;
  const params = Object(message['params']) as Record<string, unknown>; // whatever came, now an object
  switch (method) {
    case 'initialize': {
      const asked = String(params['protocolVersion']);
      const protocolVersion = LEGACY_VERSIONS.includes(asked) ? asked : '2025-11-25';
      return rpcResult(id, {
        protocolVersion,
        capabilities: { tools: {} },
        serverInfo: { name: 'reference', version: '1.0.0' },
      });
    }
    case 'server/discover':
      return rpcResult(id, {
        supportedVersions: [STATELESS_VERSION],
        capabilities: { tools: {} },
        serverInfo: { name: 'reference', version: '1.0.0' },
      });
    case 'ping':
      return rpcResult(id, {});
    case 'tools/list':
      return rpcResult(id, { tools: TOOLS });
    case 'tools/call':
      return callTool(parts, id, String(params['name']), claims);
    default:
      return rpcError(200, id, -32601, 'Method not found');
  }
}

function callTool(parts: Parts, id: unknown, tool: string, claims: Claims): Answer {
  const scope = SCOPES.get(tool);
  if (scope === undefined) return rpcError(200, id, -32602, 'Unknown tool');
  if (!parts.mayCall(tool, claims)) {
    const description = `Required scope: ${scope}`;
    return parts.refuse({ status: 403, error: 'insufficient_scope', description, scope });
  }
  const text = tool === 'list_todos' ? '[]' : 'Deleted';
  return rpcResult(id, { content: [{ type: 'text', text }] });
}

function rpcResult(id: unknown, result: Record<string, unknown>): Answer {
  return json(200, { jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } });
}

function rpcError(status: number, id: unknown, code: number, message: string): Answer {
  return json(status, { jsonrpc: '2.0', id: id ?? null, error: { code, message } });
}
