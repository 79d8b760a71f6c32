import { type Answer, header, jsonOf, objectOf, parseJson, type Request } from './http.ts';

export const PROTOCOL_VERSION = '2025-11-25';
export const STATELESS_VERSION = '2026-07-28';
const CLIENT = { name: 'gatewarden-doctor', version: '0.1.0' };
const ACCEPT = 'application/json, text/event-stream';

/** A JSON-RPC call by POST. */
export function mcpCall(
  url: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  headers: Readonly<Record<string, string | undefined>> = {},
): Request {
  return {
    method: 'POST',
    url,
    headers: { accept: ACCEPT, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  };
}

/** The first request of a client up to revision 2025-11-25. */
export function initializeCall(
  url: string,
  headers: Readonly<Record<string, string | undefined>> = {},
): Request {
  const params = { protocolVersion: PROTOCOL_VERSION, capabilities: {}, clientInfo: CLIENT };
  return mcpCall(url, 'initialize', params, headers);
}

/** A call as revision 2026-07-28 makes it: no session, version and method in headers and in `_meta`. */
export function statelessCall(
  url: string,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string | undefined>> = {},
): Request {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': STATELESS_VERSION,
    'io.modelcontextprotocol/clientInfo': CLIENT,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const name = typeof params['name'] === 'string' ? params['name'] : undefined;
  return mcpCall(
    url,
    method,
    { ...params, _meta: meta },
    {
      'mcp-protocol-version': STATELESS_VERSION,
      'mcp-method': method,
      'mcp-name': name,
      ...headers,
    },
  );
}

/** The JSON-RPC message of an answer, as JSON or as the first event of a stream; undefined when there is none. */
export function rpcMessage(answer: Answer): Readonly<Record<string, unknown>> | undefined {
  const message = objectOf(isEventStream(answer) ? firstEventData(answer.text) : jsonOf(answer));
  return message?.['jsonrpc'] === '2.0' ? message : undefined;
}

export function isEventStream(answer: Answer): boolean {
  return /^text\/event-stream\b/i.test(header(answer, 'content-type') ?? '');
}

/** Whether a call was carried out: a JSON-RPC result that is no error, neither of the protocol nor of a tool. */
export function isCarriedOut(answer: Answer): boolean {
  if (answer.status < 200 || answer.status > 299) return false;
  const result = objectOf(rpcMessage(answer)?.['result']);
  return result !== undefined && result['isError'] !== true;
}

function firstEventData(text: string): unknown {
  for (const event of text.split(/\r?\n\r?\n/)) {
    const lines = event.split(/\r?\n/).filter((line) => line.startsWith('data:'));
    // Undefined for a comment, a ping or half an event: the next may hold the message.
    const value = parseJson(lines.map((line) => line.slice(5)).join('\n'));
    if (objectOf(value)?.['jsonrpc'] === '2.0') return value;
  }
  return undefined;
}

/** Whether an answer says, in its body, that somebody has to sign in. */
export function speaksOfAuthorization(answer: Answer): boolean {
  const message = rpcMessage(answer);
  const text = message ? JSON.stringify(message) : answer.text;
  return /unauthori[sz]ed|unauthenticated|not authenticated|authentication (is )?(required|needed)|authori[sz]ation (is )?(required|needed|header)|(missing|no|invalid|access|bearer)[ _-]?(access[ _-]|bearer[ _-])?token|sign[ -]?in|log[ -]?in|\b401\b/i.test(
    text,
  );
}
