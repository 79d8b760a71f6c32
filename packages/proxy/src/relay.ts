import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { errors } from 'undici';
import { afterMs } from './runtime/wait.ts';

export type Relayed = {
  readonly bytes: number;
  /** complete: both ends agree; cut: the upstream broke off; idle: it fell silent; left: the client went or was ended. */
  readonly end: 'complete' | 'cut' | 'idle' | 'left';
};

/**
 * Writes a response body as it arrives: each chunk at once, none before the client took the last ones. The
 * upstream is read no faster than the client reads, and a client that stops for too long is cut off.
 */
export async function relayBody(
  body: Readable,
  response: ServerResponse,
  idleTimeoutMs: number,
): Promise<Relayed> {
  let bytes = 0;
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) continue;
      bytes += chunk.byteLength;
      if (!response.write(chunk) && !(await drained(response, idleTimeoutMs)))
        return { bytes, end: 'left' };
      if (response.destroyed || response.writableEnded) return { bytes, end: 'left' };
    }
  } catch (error) {
    if (response.destroyed || response.writableEnded) return { bytes, end: 'left' };
    return { bytes, end: error instanceof errors.BodyTimeoutError ? 'idle' : 'cut' };
  }
  response.end();
  return { bytes, end: 'complete' };
}

/** Waits until the client has read enough. False when it has gone, or takes nothing for too long. */
async function drained(response: ServerResponse, idleTimeoutMs: number): Promise<boolean> {
  const waiting = new AbortController();
  const give = (): void => waiting.abort();
  const cancel = afterMs(idleTimeoutMs, give);
  response.once('close', give);
  try {
    if (response.destroyed) return false;
    await once(response, 'drain', { signal: waiting.signal });
    return true;
  } catch {
    breakOff(response);
    return false;
  } finally {
    cancel();
    response.off('close', give);
  }
}

/** Ends a response so that nobody takes a part for the whole: to HTTP/1.0 a closed connection would be its end. */
export function breakOff(response: ServerResponse): void {
  if (response.req.httpVersion === '1.0') response.socket?.resetAndDestroy();
  response.destroy();
}
