import { toolListUnreadable } from './answers.ts';
import type { McpAuth } from './auth.ts';
import { rewriteEvents } from './event-stream.ts';
import { callsIn } from './json-rpc.ts';
import type { McpServer } from './mcp-server.ts';
import type { BodyRewriter, GuardRequest, ResponseDuties, ResponseHead } from './request.ts';
import { missingScopes } from './scope-rules.ts';
import { isRecord, parseStrictJson } from './strict-json.ts';

const limitBytes = 16_777_216;

/**
 * Leaves tools that the caller may not call out of answers to `tools/list` (RS-43). A tool whose rule depends
 * on arguments stays, for nobody knows them yet. Looked at are the answer to a POST that asks for the list and
 * streams of GET, where the answer arrives after a reconnect. What cannot be read is not passed on: a body is
 * answered with 502, an event is left out.
 */
export function hideTools(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  body: unknown,
): ResponseDuties['rewrite'] {
  if (!server.hideUnpermittedTools || !['GET', 'POST'].includes(request.method)) return undefined;
  const calls = callsIn(body);
  const posted = request.method === 'POST';
  const lists = calls.filter(({ method }) => method === 'tools/list');
  if (posted && lists.length === 0) return undefined;
  // An answer with a strange id is treated as a list too, and so is one whose id was used for both.
  const others = new Set(calls.map(({ id }) => String(id)));
  for (const { id } of lists) others.delete(String(id));
  const permitted = (tool: unknown): boolean => {
    if (!isRecord(tool) || typeof tool['name'] !== 'string') return false;
    const needed = server.rules.forListing(tool['name']);
    return needed === undefined || !missingScopes(server.rules, needed, auth.scopes);
  };
  const filter = (message: unknown): unknown => filterMessage(message, permitted, others);
  return (head) => rewriterFor(server, head, posted, filter);
}

type Filter = (message: unknown) => unknown;

function rewriterFor(
  server: McpServer,
  head: ResponseHead,
  posted: boolean,
  filter: Filter,
): BodyRewriter | undefined {
  const [type] = (head.header('content-type') ?? '').toLowerCase().split(';');
  const events = type?.trim() === 'text/event-stream';
  if (!events && !posted) return undefined;
  const coding = (head.header('content-encoding') ?? 'identity').trim().toLowerCase();
  const unreadable = (): void =>
    server.runtime.log({
      level: 'warn',
      event: 'tool_list_unreadable',
      message:
        'an answer to tools/list was withheld, because it could not be read: hideUnpermittedTools needs uncompressed JSON or events behind the guard',
    });
  if (coding !== 'identity') return whole(() => undefined, unreadable, 0);
  if (events) return rewriteEvents((text) => rewriteText(text, filter), unreadable, limitBytes);
  return whole((bytes) => {
    const text = rewriteText(new TextDecoder().decode(bytes), filter);
    if (text === 'same' || bytes.byteLength === 0) return bytes;
    // No client takes an error page for a list of tools.
    if (text === undefined) return head.status >= 400 ? bytes : undefined;
    return new TextEncoder().encode(text.changed);
  }, unreadable);
}

function whole(
  rewrite: (body: Uint8Array) => Uint8Array | undefined,
  unreadable: () => void,
  limit = limitBytes,
): BodyRewriter {
  return {
    kind: 'whole',
    limitBytes: limit,
    finish(body) {
      const result = body && rewrite(body);
      if (result) return result;
      unreadable();
      return toolListUnreadable();
    },
  };
}

function rewriteText(text: string, filter: Filter): 'same' | { changed: string } | undefined {
  const parsed = parseStrictJson(text);
  if (parsed.kind !== 'ok') return undefined;
  const value = filter(parsed.value);
  return value === parsed.value ? 'same' : { changed: JSON.stringify(value) };
}

/** The message without the tools that are not permitted; the same object when nothing is left out. */
function filterMessage(
  message: unknown,
  permitted: (tool: unknown) => boolean,
  others: ReadonlySet<string>,
): unknown {
  if (Array.isArray(message)) {
    const entries: readonly unknown[] = message;
    const kept = entries.map((entry) => filterMessage(entry, permitted, others));
    return kept.some((entry, at) => entry !== entries[at]) ? kept : message;
  }
  if (!isRecord(message) || !isRecord(message['result'])) return message;
  const { tools } = message['result'];
  if (!Array.isArray(tools) || others.has(String(message['id']))) return message;
  const list: readonly unknown[] = tools;
  const shown = list.filter(permitted);
  if (shown.length === list.length) return message;
  return { ...message, result: { ...message['result'], tools: shown } };
}
