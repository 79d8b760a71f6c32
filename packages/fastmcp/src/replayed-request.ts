import { IncomingMessage } from 'node:http';

/** Headers that describe a body as it came; the one that is replayed has its length only. */
const framing = new Set(['transfer-encoding', 'content-length']);

/**
 * The same request with a body that can be read again: the bytes that were checked, which
 * `guardNodeRequest` has left in `rawBody`, or none.
 */
export function replayedRequest(request: IncomingMessage): IncomingMessage {
  const rawBody: unknown = 'rawBody' in request ? request.rawBody : undefined;
  const bytes = rawBody instanceof Uint8Array ? rawBody : undefined;
  const replayed = new IncomingMessage(request.socket);
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => !framing.has(name)),
  );
  if (bytes) headers['content-length'] = String(bytes.byteLength);
  Object.assign(replayed, {
    method: request.method,
    url: request.url,
    httpVersion: request.httpVersion,
    httpVersionMajor: request.httpVersionMajor,
    httpVersionMinor: request.httpVersionMinor,
    headers,
    rawHeaders: Object.entries(headers).flatMap(([name, value]) =>
      [value ?? []].flat().flatMap((one) => [name, one]),
    ),
    auth: 'auth' in request ? request.auth : undefined,
    complete: true, // so that its end is not taken for an aborted connection
  });
  if (bytes) replayed.push(bytes);
  replayed.push(null);
  return replayed;
}
