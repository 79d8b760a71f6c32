import {
  accessDenied,
  insufficientScope,
  invalidRequest,
  rpcError,
  unavailable,
} from './answers.ts';
import type { McpAuth } from './auth.ts';
import { hasFormToken } from './bearer.ts';
import { type Message, readMessages } from './json-rpc.ts';
import { checkMcpHeaders } from './mcp-headers.ts';
import type { McpServer } from './mcp-server.ts';
import type { GuardRequest, Respond } from './request.ts';
import { missingScopes } from './scope-rules.ts';
import { parseStrictJson } from './strict-json.ts';

export type ReadBody =
  | { readonly kind: 'body'; readonly value: unknown; readonly bytes: Uint8Array | undefined }
  | Respond;

/**
 * Reads the one JSON value of a POST (RS-36, RS-42): JSON media type, no content coding, UTF-8 without a
 * byte order mark, within the size limit, no member twice. What is returned is what handlers get.
 */
export async function readJsonBody(server: McpServer, request: GuardRequest): Promise<ReadBody> {
  const form = isForm(request);
  if (!form && !isJson(request))
    return rpcError(415, -32000, 'The body must be application/json in UTF-8');
  const coding = request.header('content-encoding');
  if (coding.some((value) => value.trim().toLowerCase() !== 'identity')) {
    return rpcError(415, -32000, 'The body must not be compressed');
  }
  const read = await request.body(server.maxBodyBytes);
  if (read.kind === 'too_large') return rpcError(413, -32000, 'The body is too large');
  if (read.kind === 'unreadable') return rpcError(400, -32700, 'The body could not be read');
  if (form) return formRefusal(server, read.kind === 'bytes' ? read.bytes : undefined);
  if (read.kind === 'parsed') return { kind: 'body', value: read.value, bytes: undefined };
  const text = utf8(read.bytes);
  const parsed = text === undefined ? undefined : parseStrictJson(text);
  if (parsed?.kind === 'duplicate') return rpcError(400, -32600, 'A member name is used twice');
  if (parsed?.kind !== 'ok') return rpcError(400, -32700, 'The body is not valid JSON');
  return { kind: 'body', value: parsed.value, bytes: read.bytes };
}

function isJson(request: GuardRequest): boolean {
  const values = request.header('content-type');
  const [type, ...parameters] = (values[0] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  if (values.length !== 1 || type !== 'application/json') return false;
  return parameters.every(
    (parameter) => !/^charset\s*=/.test(parameter) || /^charset="?utf-8"?$/.test(parameter),
  );
}

function isForm(request: GuardRequest): boolean {
  return request
    .header('content-type')
    .some((value) => /^\s*application\/x-www-form-urlencoded\b/i.test(value));
}

/** A second token in a form body leaves open which one is meant (RFC 6750 §2.2). */
function formRefusal(server: McpServer, bytes: Uint8Array | undefined): Respond {
  return bytes && hasFormToken(utf8(bytes) ?? '')
    ? invalidRequest(server, 'Send the access token once, in the Authorization header')
    : rpcError(415, -32000, 'The body must be application/json in UTF-8');
}

/** Keeps nothing between calls. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Decides on everything the body asks for, together: one call that is not allowed refuses all (RS-38). */
export function checkMessages(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  body: unknown,
): Respond | undefined {
  const read = readMessages(body);
  if (read.kind === 'invalid') return rpcError(400, read.code, read.message);
  const mismatch = server.checkMcpHeaders ? checkMcpHeaders(request, body) : undefined;
  if (mismatch) return mismatch;
  const later = request.header('mcp-protocol-version').some((version) => version !== '2025-03-26');
  if (read.batch && server.refuseLaterBatches && later) {
    return rpcError(400, -32600, 'This protocol version has no batches');
  }
  const needed = new Set<string>();
  let missing = false;
  for (const message of read.messages) {
    const options = alternativesFor(server, message, auth);
    if (options.length === 0) {
      server.runtime.log({
        level: 'info',
        event: 'tool_not_mapped',
        message: 'a call was refused that no scope allows',
        clientId: auth.clientId,
      });
      return accessDenied();
    }
    const scopes = missingScopes(server.rules, options, auth.scopes);
    missing ||= scopes !== undefined;
    // In a refused batch the challenge names what all its calls need, so the satisfied ones count too.
    for (const scope of scopes ?? satisfied(server, options, auth.scopes)) needed.add(scope);
  }
  if (missing) return insufficientScope(server, [...needed], auth.scopes);
  const freshness = server.revocations.freshness(auth.extra);
  const risky = (message: Message): boolean =>
    message.kind === 'tool' && server.highRiskTools.has(message.tool);
  // Nobody can say whether the token still counts, so what cannot be undone waits (RS-58).
  return freshness.kind === 'stale' && read.messages.some(risky)
    ? unavailable(freshness.retryAfterSeconds)
    : undefined;
}

function alternativesFor(
  server: McpServer,
  message: Message,
  auth: McpAuth,
): readonly (readonly string[])[] {
  if (message.kind === 'tool') return server.rules.forTool({ ...message, auth });
  if (message.kind === 'method') return server.rules.forMethod({ ...message, auth });
  return [server.rules.base];
}

function satisfied(
  server: McpServer,
  options: readonly (readonly string[])[],
  granted: readonly string[],
): readonly string[] {
  return (
    options.find((needed) => needed.every((scope) => server.rules.covers(granted, scope))) ?? []
  );
}
