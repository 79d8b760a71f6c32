import { rpcError } from './answers.ts';
import type { GuardRequest, Respond } from './request.ts';
import { isRecord } from './strict-json.ts';

const firstVersion = '2026-07-28';
const versionKey = 'io.modelcontextprotocol/protocolVersion';

/** Which member of `params` the header `Mcp-Name` repeats, by method. */
const nameMembers = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/**
 * Compares the headers that MCP repeats from the body since version 2026-07-28, so that a proxy that decides by
 * them and a server that reads the body cannot be told different things (RS-37). Requests of earlier versions
 * are not looked at. The body must have been read as JSON-RPC.
 */
export function checkMcpHeaders(request: GuardRequest, body: unknown): Respond | undefined {
  const versions = request.header('mcp-protocol-version');
  if (Array.isArray(body)) {
    const modern = versions.some(isModern) || body.some((entry) => isModern(claimedVersion(entry)));
    return modern ? rpcError(400, -32600, 'This protocol version has no batches') : undefined;
  }
  if (!isRecord(body) || typeof body['method'] !== 'string') return undefined;
  const claimed = claimedVersion(body);
  if (!isModern(claimed) && !versions.some(isModern)) return undefined;
  const isRequest = body['id'] !== undefined;
  const fault =
    compare(versions, claimed, isRequest) ??
    compare(request.header('mcp-method'), body['method'], isRequest) ??
    compare(request.header('mcp-name'), nameIn(body), isRequest, decoded);
  // Which header differs is not said in words of the request: it goes into a fixed text.
  return fault && rpcError(400, -32020, 'The MCP headers and the body disagree');
}

/** Whether a header differs from what the body says. A request must have it, where the body says something. */
function compare(
  values: readonly string[],
  said: string | undefined,
  required: boolean,
  read: (value: string) => string | undefined = (value) => value,
): true | undefined {
  if (values.length > 1) return true;
  const [value] = values;
  if (said === undefined)
    return value !== undefined && read(value) === undefined ? true : undefined;
  if (value === undefined) return required || undefined;
  // Which text other bytes mean is anybody's guess, so they never match: senders encode them.
  return /^[\t\x20-\x7e]*$/.test(value) && read(value.trim()) === said ? undefined : true;
}

function nameIn(message: Readonly<Record<string, unknown>>): string | undefined {
  const member = nameMembers.get(String(message['method']));
  const params = message['params'];
  const value = member !== undefined && isRecord(params) ? params[member] : undefined;
  return typeof value === 'string' ? value : undefined;
}

function claimedVersion(message: unknown): string | undefined {
  if (!isRecord(message) || !isRecord(message['params'])) return undefined;
  const meta = message['params']['_meta'];
  const version = isRecord(meta) ? meta[versionKey] : undefined;
  return typeof version === 'string' ? version : undefined;
}

/** Versions are dates, so that their texts are in order. */
function isModern(version: string | undefined): boolean {
  return version !== undefined && /^\d{4}-\d\d-\d\d$/.test(version) && version >= firstVersion;
}

const canonicalBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A value that a header cannot hold is sent as `=?base64?…?=`; undefined when what is inside cannot be read. */
function decoded(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value;
  const content = value.slice('=?base64?'.length, -'?='.length);
  if (!canonicalBase64.test(content)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
