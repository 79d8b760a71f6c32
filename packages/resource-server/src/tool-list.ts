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
 * on arguments stays, for nobody knows them yet. Looked at are the answer to a POST that asks for the list,
 * streams of GET, where the answer arrives after a reconnect, and every POST of a session: transports find the
 * way of an answer by its id, so a client that uses one id twice gets the list as answer to something else.
 * What cannot be read is not passed on where the list was asked for: a body is answered with 502, an event is
 * left out.
 */
export function hideTools(
  server: McpServer,
  request: GuardRequest,
  auth: McpAuth,
  body: unknown,
): ResponseDuties['rewrite'] {
  if (!server.hideUnpermittedTools || !['GET', 'POST'].includes(request.method)) return undefined;
  const posted = request.method === 'POST';
  const stray = posted && callsIn(body).every(({ method }) => method !== 'tools/list');
  if (stray && request.header('mcp-session-id').length === 0) return undefined;
  const permitted = (tool: unknown): boolean => {
    if (!isRecord(tool) || typeof tool['name'] !== 'string') return false;
    const needed = server.rules.forListing(tool['name']);
    return needed === undefined || !missingScopes(server.rules, needed, auth.scopes);
  };
  const filter = (message: unknown): unknown => filterMessage(message, permitted);
  return (head) =>
    stray ? strayRewriterFor(head, filter) : rewriterFor(server, head, posted, filter);
}

type Filter = (message: unknown) => unknown;

function rewriterFor(
  server: McpServer,
  head: ResponseHead,
  posted: boolean,
  filter: Filter,
): BodyRewriter | undefined {
  const events = typeOf(head) === 'text/event-stream';
  if (!events && !posted) return undefined;
  const unreadable = (): void =>
    server.runtime.log({
      level: 'warn',
      event: 'tool_list_unreadable',
      message:
        'an answer to tools/list was withheld, because it could not be read: hideUnpermittedTools needs uncompressed JSON or events behind the guard',
    });
  if (isCoded(head)) return whole(() => undefined, unreadable, 0);
  if (events) return rewriteEvents((text) => rewriteText(text, filter), unreadable, limitBytes);
  return whole((bytes) => {
    const text = rewriteText(new TextDecoder().decode(bytes), filter);
    if (text === 'same' || bytes.byteLength === 0) return bytes;
    // No client takes an error page for a list of tools.
    if (text === undefined) return head.status >= 400 ? bytes : undefined;
    return new TextEncoder().encode(text.changed);
  }, unreadable);
}

/** For answers among which a list can have strayed. Anything else passes as it is, however large or odd. */
function strayRewriterFor(head: ResponseHead, filter: Filter): BodyRewriter | undefined {
  if (isCoded(head)) return undefined;
  const rewrite = (text: string): 'same' | { changed: string } =>
    text.includes('"tools"') ? (rewriteText(text, filter) ?? 'same') : 'same';
  const any = Number.POSITIVE_INFINITY; // one message, which the handler has in memory anyway
  switch (typeOf(head)) {
    case 'text/event-stream':
      return rewriteEvents(rewrite, () => undefined, any);
    case 'application/json':
      return whole(
        (bytes) => {
          const text = rewrite(new TextDecoder().decode(bytes));
          return text === 'same' ? bytes : new TextEncoder().encode(text.changed);
        },
        () => undefined,
        any,
      );
    default:
      return undefined;
  }
}

function typeOf(head: ResponseHead): string | undefined {
  const [type] = (head.header('content-type') ?? '').toLowerCase().split(';');
  return type?.trim();
}

function isCoded(head: ResponseHead): boolean {
  return (head.header('content-encoding') ?? 'identity').trim().toLowerCase() !== 'identity';
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

/**
 * The message without the tools that are not permitted; the same object when nothing is left out. A list is
 * known by what it is, not by its id, which the client chose: only results of calls have `content`.
 */
function filterMessage(message: unknown, permitted: (tool: unknown) => boolean): unknown {
  if (Array.isArray(message)) {
    const entries: readonly unknown[] = message;
    const kept = entries.map((entry) => filterMessage(entry, permitted));
    return kept.some((entry, at) => entry !== entries[at]) ? kept : message;
  }
  if (!isRecord(message) || !isRecord(message['result'])) return message;
  const { tools, content } = message['result'];
  if (!Array.isArray(tools) || Array.isArray(content)) return message;
  const list: readonly unknown[] = tools;
  const shown = list.filter(permitted);
  if (shown.length === list.length) return message;
  return { ...message, result: { ...message['result'], tools: shown } };
}
