import { Code, ConnectError } from '@connectrpc/connect';
import type { UniversalClientFn } from '@connectrpc/connect/protocol';
import type { Outside } from './runtime/outside.ts';

/**
 * How a call travels: one POST over `fetch`, which every runtime has. A redirect is not followed, because the request
 * carries a token.
 */
export function fetchClient(fetch: Outside['fetch']): UniversalClientFn {
  return async (request) => {
    const body = request.body ? await collect(request.body) : undefined;
    const response = await reach(() =>
      fetch(request.url, {
        method: request.method,
        headers: request.header,
        redirect: 'manual',
        ...(body ? { body } : {}),
        ...(request.signal ? { signal: request.signal } : {}),
      }),
    );
    return {
      status: response.status,
      header: withoutCoding(response.headers),
      body: chunksOf(response),
      trailer: new Headers(),
    };
  };
}

/** `fetch` says of a server that cannot be reached only that it failed; that is worth another attempt. */
async function reach(call: () => Promise<Response>): Promise<Response> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof TypeError)
      throw new ConnectError(
        'the server cannot be reached',
        Code.Unavailable,
        undefined,
        undefined,
        error,
      );
    throw error;
  }
}

async function collect(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  for await (const part of parts) chunks.push(part);
  const size = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.byteLength;
  }
  return whole;
}

/** `fetch` decompresses by itself and leaves the headers of the compressed body in place. */
function withoutCoding(headers: Headers): Headers {
  if (!headers.has('content-encoding')) return headers;
  const plain = new Headers(headers);
  plain.delete('content-encoding');
  plain.delete('content-length');
  return plain;
}

async function* chunksOf(response: Response): AsyncIterable<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConnectError(
      'the answer of the server ended early',
      Code.Unavailable,
      undefined,
      undefined,
      error,
    );
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
