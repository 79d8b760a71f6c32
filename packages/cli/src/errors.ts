import { ConfigError, DatabaseUnavailable, DataFolderInUse } from '@gatewarden/server';

/** Exit codes of every command: done, failed or something found, wrong use, nothing answers there, credentials refused. */
export const EXIT = { done: 0, failed: 1, usage: 2, unreachable: 3, refused: 4 } as const;

/** The command has said all there is to say; only the exit code is left. */
export class Ended extends Error {
  override name = 'Ended';
  readonly code: number;

  constructor(code: number) {
    super(`ended with ${code}`);
    this.code = code;
  }
}

/** Wrong use of a command: a flag that does not fit. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The command understood and did not do it, or not all of it: one sentence that says why. */
export class Refused extends Error {
  override name = 'Refused';
}

/** One sentence for people, and the exit code. A bug is shown with its stack: hiding it would help nobody. */
export function explain(error: unknown): { sentence: string; code: number } {
  if (error instanceof UsageError) return { sentence: error.message, code: EXIT.usage };
  if (error instanceof Refused) return { sentence: error.message, code: EXIT.failed };
  if (error instanceof ConfigError || error instanceof DataFolderInUse)
    return { sentence: error.message, code: EXIT.failed };
  if (error instanceof DatabaseUnavailable)
    return {
      sentence: `${error.message}; check DATABASE_URL and that the server runs.`,
      code: EXIT.failed,
    };
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
    return {
      sentence: `the port is taken: ${error.message}; choose another with --port.`,
      code: EXIT.failed,
    };
  if (error instanceof Error) return { sentence: error.stack ?? error.message, code: EXIT.failed };
  return { sentence: 'something unknown went wrong.', code: EXIT.failed };
}
