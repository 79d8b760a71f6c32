/** What a command knows of the world; tests hand in their own. */
export type Io = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Whether Ctrl-C and SIGTERM end the command; a test stops it by its own signal. */
  readonly exitOnSignal: boolean;
  readonly stop?: AbortSignal;
};

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
