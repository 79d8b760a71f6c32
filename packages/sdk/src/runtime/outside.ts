/** Everything this package takes from outside of itself. */
export type Outside = {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly now: () => Date;
  /** A number from 0 up to 1, to spread repeated calls. Never a secret. */
  readonly random: () => number;
  readonly wait: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
};

/** Fills in what the process has where nothing is given. */
export function outsideOf(given: {
  readonly fetch?: Outside['fetch'] | undefined;
  readonly now?: (() => Date) | undefined;
}): Outside {
  return {
    fetch: given.fetch ?? ((url, init) => fetch(url, init)),
    now: given.now ?? (() => new Date()),
    random: () => Math.random(),
    wait,
  };
}

/** Ends early, without an error, when the signal is aborted. */
function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = setTimeout(finish, milliseconds);
    signal?.addEventListener('abort', finish, { once: true });
    function finish(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', finish);
      resolve();
    }
  });
}
