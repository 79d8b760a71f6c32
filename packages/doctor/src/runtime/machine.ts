import { randomBytes } from 'node:crypto';

/** The clock of the machine. */
export function systemNow(): Date {
  return new Date();
}

/** The random source of the machine. */
export function systemRandom(bytes: number): Uint8Array {
  return new Uint8Array(randomBytes(bytes));
}

/** Waits; an aborted signal ends the wait with its reason. Keeps no process alive. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    if (signal?.aborted) {
      fail(signal.reason);
      return;
    }
    const stop = (): void => {
      clearTimeout(timer);
      fail(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      done();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
