import { createInterface } from 'node:readline/promises';
import type { ReadStream, WriteStream } from 'node:tty';

/** What a command knows of the world; tests hand in their own. */
export type Io = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether Ctrl-C and SIGTERM end the command; a test stops it by its own signal. */
  readonly exitOnSignal: boolean;
  readonly stop?: AbortSignal;
  /** Asks the person at the terminal; absent where there is none. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
};

/** A way to ask, if both ends are a terminal. The question does not go to standard output, which programs may read. */
export function questionAt(input: ReadStream, output: WriteStream): Io['ask'] {
  if (!input.isTTY || !output.isTTY) return undefined;
  return async (question) => {
    const lines = createInterface({ input, output });
    // Ctrl-C and the end of the input are no answer.
    const closed = new Promise<string>((done) => lines.once('close', () => done('')));
    try {
      return await Promise.race([lines.question(question), closed]);
    } finally {
      lines.close();
    }
  };
}

/** Waits for Ctrl-C or SIGTERM. A second one while the server is still closing ends the process at once. */
export async function untilStopped(io: Io): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  io.stop?.addEventListener('abort', stop, { once: true });
  if (io.stop?.aborted) resolve();
  if (io.exitOnSignal) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  }
  await promise;
}
