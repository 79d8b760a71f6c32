import type { IncomingMessage, ServerResponse } from 'node:http';
import type { McpAuth } from './auth.ts';
import { collectBytes } from './collected-bytes.ts';
import { attachDuties } from './node-response.ts';
import type { McpGuard } from './protect-mcp.ts';
import type { BodyRead, GuardRequest, Headers, Respond } from './request.ts';

/** A Node request as frameworks extend it: Express and its kind add `originalUrl` and `body`. */
export type NodeRequest = IncomingMessage & { originalUrl?: string; body?: unknown };

/** What a handler may work with. `auth` is absent for public paths, `body` for everything but POST. */
export type Admitted = { readonly auth: McpAuth | undefined; readonly body: unknown };

/**
 * Puts a guard in front of a Node request. Answers it and returns `undefined`, or returns what the handler
 * needs. On the request it leaves `auth`, `body` (the value that was checked) and `rawBody` (its bytes),
 * where the MCP SDK's transport looks, so that no second parser can see something else.
 */
export async function guardNodeRequest(
  guard: McpGuard,
  request: NodeRequest,
  response: ServerResponse,
): Promise<Admitted | undefined> {
  const decision = await guard.decide(describe(request));
  if (decision.kind === 'respond') {
    send(response, decision);
    return undefined;
  }
  if (decision.kind === 'public') return { auth: undefined, body: undefined };
  // Nobody would ever say that this stream is over: its handler and its timer would wait for that.
  if (request.method === 'GET' && isGone(response)) return undefined;
  addHeaders(response, decision.headers);
  attachDuties(response, decision.response);
  const { auth, body, bytes } = decision;
  Object.assign(request, { auth });
  if (request.method === 'POST') {
    // `_body`: older body parsers then keep off. `rawBody`: in place of what an earlier parser may have left there.
    const rawBody = bytes
      ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : Buffer.from(JSON.stringify(body));
    Object.assign(request, { body, rawBody, _body: true });
  }
  return { auth, body };
}

/** Describes a Node request for the guard. The path is the one on the wire, whatever a router made of it. */
function describe(request: NodeRequest): GuardRequest {
  const header = headerIndex(request);
  return {
    method: request.method ?? '',
    target: request.originalUrl ?? request.url ?? '',
    header,
    hasBody: announcesBody(request, header),
    body: (limit) => readBody(request, limit),
    localAddress: request.socket.localAddress,
  };
}

const none: readonly string[] = [];

/** Node joins or drops repeated fields; only the raw list shows that there were two. It is read once a request. */
function headerIndex(request: IncomingMessage): GuardRequest['header'] {
  const index = new Map<string, string[]>();
  const { rawHeaders } = request;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name, value] = [rawHeaders[at]?.toLowerCase(), rawHeaders[at + 1]];
    if (name === undefined || value === undefined) continue;
    const values = index.get(name);
    if (values) values.push(value);
    else index.set(name, [value]);
  }
  const authority = request.headers[':authority']; // HTTP/2
  if (!index.has('host') && typeof authority === 'string') index.set('host', [authority]);
  return (name) => index.get(name) ?? none;
}

/** HTTP/1.1 announces a body by one of two fields, HTTP/2 by not ending the stream with the head. */
function announcesBody(request: IncomingMessage, header: GuardRequest['header']): boolean {
  const stream: unknown = 'stream' in request ? request.stream : undefined;
  if (typeof stream === 'object' && stream !== null && 'endAfterHeaders' in stream)
    return stream.endAfterHeaders !== true;
  return (
    header('transfer-encoding').length > 0 ||
    header('content-length').some((length) => length !== '0')
  );
}

async function readBody(request: NodeRequest, limit: number): Promise<BodyRead> {
  if (request.readableDidRead) return parsedBefore(request.body, limit);
  if (request.destroyed) return { kind: 'unreadable' }; // its caller has gone
  if (Number(request.headers['content-length'] ?? 0) > limit) return { kind: 'too_large' };
  const collected = collectBytes();
  let size = 0;
  return new Promise((resolve) => {
    const finish = (read: BodyRead): void => {
      request.off('data', take);
      resolve(read);
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size <= limit) {
        collected.add(chunk);
        return;
      }
      finish({ kind: 'too_large' });
      request.resume(); // what still comes is dropped, so that the answer can be read
    };
    request.on('data', take);
    request.once('end', () => finish({ kind: 'bytes', bytes: collected.whole() }));
    request.once('error', () => finish({ kind: 'unreadable' }));
    request.once('close', () => finish({ kind: 'unreadable' }));
  });
}

/** The stream was read by somebody before us; without the outcome there is nothing to decide on. */
function parsedBefore(body: unknown, limit: number): BodyRead {
  if (body === undefined) return { kind: 'unreadable' };
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  if (!(bytes instanceof Uint8Array)) return { kind: 'parsed', value: body };
  return bytes.byteLength > limit ? { kind: 'too_large' } : { kind: 'bytes', bytes };
}

/** Whether the caller has hung up, over HTTP/1.1 or HTTP/2. */
function isGone(response: ServerResponse): boolean {
  if (response.destroyed) return true;
  const stream: unknown = 'stream' in response ? response.stream : undefined;
  return typeof stream === 'object' && stream !== null && Reflect.get(stream, 'destroyed') === true;
}

function addHeaders(response: ServerResponse, headers: Headers): void {
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'vary') response.appendHeader(name, value);
    else response.setHeader(name, value);
  }
}

function send(response: ServerResponse, { status, headers, body }: Respond): void {
  if (response.headersSent) return; // somebody answered while we waited, such as a time limit
  response.statusCode = status;
  addHeaders(response, headers);
  response.end(body);
}
