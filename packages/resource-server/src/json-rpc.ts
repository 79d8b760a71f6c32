import { isRecord } from './strict-json.ts';

/** A message a client sent, reduced to what a scope decision needs. */
export type Message =
  | { readonly kind: 'tool'; readonly tool: string; readonly arguments: unknown }
  | {
      readonly kind: 'method';
      readonly method: string;
      readonly params: Readonly<Record<string, unknown>>;
    }
  /** The answer to a request of the server. */
  | { readonly kind: 'response' };

export type ReadMessages =
  | { readonly kind: 'ok'; readonly messages: readonly Message[]; readonly batch: boolean }
  | { readonly kind: 'invalid'; readonly code: -32600 | -32602; readonly message: string };

/** Most messages of one batch. */
export const batchLimit = 1_000;

const messageMembers = ['jsonrpc', 'id', 'method', 'params', 'result', 'error'];
const paramMembers = ['name', 'uri', 'arguments'];

/** Reads one JSON-RPC message or a batch of them (only MCP 2025-03-26 has batches). */
export function readMessages(body: unknown): ReadMessages {
  if (!Array.isArray(body)) {
    const message = readMessage(body);
    return 'code' in message ? message : { kind: 'ok', messages: [message], batch: false };
  }
  const entries: readonly unknown[] = body;
  if (entries.length === 0) return invalid('The batch is empty');
  if (entries.length > batchLimit) return invalid('The batch is too long');
  const messages: Message[] = [];
  for (const entry of entries) {
    const message = readMessage(entry);
    if ('code' in message) return message;
    messages.push(message);
  }
  return { kind: 'ok', messages, batch: true };
}

type Invalid = Extract<ReadMessages, { kind: 'invalid' }>;

function readMessage(value: unknown): Message | Invalid {
  if (!isRecord(value) || value['jsonrpc'] !== '2.0') return invalid('Not a JSON-RPC 2.0 message');
  if (hasLookalike(value, messageMembers)) return invalid('A member name is spelled wrongly');
  const { method, params } = value;
  const answers = value['result'] !== undefined || value['error'] !== undefined;
  if (method === undefined)
    return answers ? { kind: 'response' } : invalid('The message has no method');
  if (typeof method !== 'string' || answers) return invalid('The method is not a text');
  if (params !== undefined && !isRecord(params)) return invalid('The params are not an object');
  if (params && hasLookalike(params, paramMembers))
    return invalid('A member name is spelled wrongly');
  if (method !== 'tools/call') return { kind: 'method', method, params: params ?? {} };
  const tool = params?.['name'];
  if (typeof tool !== 'string') return invalid('The tool name is missing', -32602);
  return { kind: 'tool', tool, arguments: params?.['arguments'] };
}

/** The messages with a method in a body that was read, with whatever they have as id. */
export function callsIn(body: unknown): { readonly id: unknown; readonly method: string }[] {
  const entries: readonly unknown[] = Array.isArray(body) ? body : [body];
  return entries.flatMap((entry) => {
    const { id, method } = isRecord(entry) ? entry : {};
    return typeof method === 'string' ? [{ id, method }] : [];
  });
}

/**
 * Whether a member differs from a decisive one only by case, as `Name` from `name`. Some JSON libraries
 * match names that way, so a server behind this check could read a value that was not looked at here.
 */
function hasLookalike(
  value: Readonly<Record<string, unknown>>,
  decisive: readonly string[],
): boolean {
  // Upper case first: it also folds the long s and the Kelvin sign, as such libraries do.
  return Object.keys(value).some(
    (name) => !decisive.includes(name) && decisive.includes(name.toUpperCase().toLowerCase()),
  );
}

function invalid(message: string, code: -32600 | -32602 = -32600): Invalid {
  return { kind: 'invalid', code, message };
}
