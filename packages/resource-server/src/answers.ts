import { describeRefusal, type RefusalReason } from './errors.ts';
import { batchLimit, callsIn } from './json-rpc.ts';
import type { McpServer } from './mcp-server.ts';
import type { Headers, Respond } from './request.ts';
import { isRecord } from './strict-json.ts';

/** A quoted string of RFC 9110 §5.6.4: printable ASCII, quotes and backslashes escaped (RS-13). */
function quoted(value: string): string {
  return `"${value.replace(/[^\x20-\x7e]/g, '').replace(/["\\]/g, '\\$&')}"`;
}

/** The one challenge of a response (RFC 6750 §3, RFC 9728 §5.1). Absent parameters are left out. */
function challenge(
  server: McpServer,
  parameters: { error?: string; description?: string; scopes?: readonly string[] },
): string {
  return challengeText({
    realm: server.realm,
    error: parameters.error,
    error_description: parameters.description,
    scope: parameters.scopes?.join(' '),
    resource_metadata: server.metadataUrl,
  });
}

/** A Bearer challenge of these parameters, in this order; those without a value are left out, and so is an empty scope. */
export function challengeText(parameters: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined || (name === 'scope' && value === '') ? [] : [`${name}=${quoted(value)}`],
  );
  return `Bearer ${pairs.join(', ')}`;
}

function json(status: number, body: unknown, headers: Headers = {}): Respond {
  return {
    kind: 'respond',
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

/** 401 without `error`: nothing was presented, so nothing is wrong yet (RS-11). */
export function tokenRequired(server: McpServer): Respond {
  return json(
    401,
    { error: 'unauthorized', error_description: 'This MCP server needs an access token' },
    { 'www-authenticate': challenge(server, { scopes: server.rules.base }) },
  );
}

export function invalidToken(server: McpServer, reason: RefusalReason): Respond {
  const description = describeRefusal(reason);
  return json(
    401,
    { error: 'invalid_token', error_description: description },
    {
      'www-authenticate': challenge(server, {
        error: 'invalid_token',
        description,
        scopes: server.rules.base,
      }),
    },
  );
}

export function invalidRequest(server: McpServer, description: string): Respond {
  return json(
    400,
    { error: 'invalid_request', error_description: description },
    { 'www-authenticate': challenge(server, { error: 'invalid_request', description }) },
  );
}

/** 403 with every scope the operation needs, so that one step-up is enough (RS-39, RS-40). */
export function insufficientScope(
  server: McpServer,
  needed: readonly string[],
  granted: readonly string[],
): Respond {
  const description = `Required scope: ${needed.join(' ')}`;
  const scopes = server.challengeIncludesGranted ? [...new Set([...granted, ...needed])] : needed;
  return json(
    403,
    { error: 'insufficient_scope', error_description: description, scope: scopes.join(' ') },
    { 'www-authenticate': challenge(server, { error: 'insufficient_scope', description, scopes }) },
  );
}

/** 403 without a challenge: no scope would help, so a client must not ask for one. */
export function accessDenied(): Respond {
  return json(403, {
    error: 'access_denied',
    error_description: 'This server does not allow this call to anybody',
  });
}

export function forbiddenOrigin(which: 'Origin' | 'Host'): Respond {
  return json(403, {
    error: 'forbidden',
    error_description: `This server does not answer requests with this ${which} header`,
  });
}

/** 503 without a challenge, so that clients keep their tokens (RS-31). */
export function unavailable(retryAfterSeconds: number): Respond {
  return json(
    503,
    {
      error: 'temporarily_unavailable',
      error_description: 'Access tokens cannot be checked at the moment',
    },
    { 'retry-after': String(retryAfterSeconds) },
  );
}

/** 500 for what is our own or the declaration's mistake; nothing of it is told. */
export function serverError(): Respond {
  return json(500, {
    error: 'server_error',
    error_description: 'This server could not decide about the request',
  });
}

export function notFound(): Respond {
  return json(404, { error: 'not_found', error_description: 'There is nothing at this address' });
}

export function methodNotAllowed(allow: string): Respond {
  return json(
    405,
    { error: 'method_not_allowed', error_description: `Allowed methods: ${allow}` },
    { allow },
  );
}

/** A JSON-RPC error for a message that could not be read, so without an id (JSON-RPC 2.0 §5.1). */
export function rpcError(status: number, code: number, message: string): Respond {
  return json(status, { jsonrpc: '2.0', id: null, error: { code, message } });
}

/** For a session of somebody else: what the transports of the official SDK say about one they do not know (RS-48). */
export function unknownSession(): Respond {
  return rpcError(404, -32001, 'Session not found');
}

/** 502: the handler's list of tools cannot be read, so it cannot be shortened either (RS-43). */
export function toolListUnreadable(): Respond {
  return json(502, {
    error: 'server_error',
    error_description: 'The list of tools could not be read',
  });
}

function isEchoed(id: unknown): id is string | number {
  return typeof id === 'string' ? id.length <= 256 : Number.isFinite(id);
}

/**
 * The same refusal with a JSON-RPC body, for clients that look for their answer by its id (RS-53): an error
 * for each request of the body. Unchanged where nobody waits for an answer.
 */
export function asRpcError(answer: Respond, body: unknown): Respond {
  const content: unknown = JSON.parse(answer.body ?? 'null');
  const ids = callsIn(body).flatMap(({ id }) => (isEchoed(id) ? [id] : []));
  // What is too long to be read is too long to be repeated.
  if (!isRecord(content) || ids.length === 0 || ids.length > batchLimit) return answer;
  const error = isRecord(content['error'])
    ? content['error']
    : { code: -32000, message: content['error_description'], data: content };
  const errors = ids.map((id) => ({ jsonrpc: '2.0', id, error }));
  return { ...answer, body: JSON.stringify(Array.isArray(body) ? errors : errors[0]) };
}

/** The metadata document, public and cacheable (RS-5). */
export function metadataDocument(server: McpServer): Respond {
  return publicDocument(server.metadata, 3_600);
}

/** The metadata of the authorization server, passed on (RS-6). */
export function authorizationServerDocument(body: string): Respond {
  return publicDocument(body, 300);
}

/** 503 in place of a document that could not be fetched. */
export function metadataUnavailable(retryAfterSeconds: number): Respond {
  const description = 'The authorization server cannot be reached at the moment';
  return json(
    503,
    { error: 'temporarily_unavailable', error_description: description },
    { 'retry-after': String(retryAfterSeconds) },
  );
}

function publicDocument(body: string, maxAgeSeconds: number): Respond {
  return {
    kind: 'respond',
    status: 200,
    headers: {
      'content-type': 'application/json',
      'cache-control': `public, max-age=${maxAgeSeconds}`,
      'access-control-allow-origin': '*',
    },
    body,
  };
}
