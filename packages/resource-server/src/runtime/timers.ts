/**
 * Whether work may go on between requests. True in Node and what imitates it; the workers of edge
 * platforms end what runs beside a request.
 */
export function worksInBackground(): boolean {
  const { process: host, navigator: agent } = globalThis;
  const edge = typeof agent === 'object' && agent.userAgent === 'Cloudflare-Workers';
  return !edge && typeof host === 'object' && typeof host.versions?.node === 'string';
}

/** Waits without keeping the process alive. Ends early when `stop` is aborted. */
export function sleep(milliseconds: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve();
    const timer = setTimeout(finish, milliseconds);
    if (typeof timer === 'object') timer.unref();
    stop.addEventListener('abort', finish, { once: true });
    function finish(): void {
      clearTimeout(timer);
      stop.removeEventListener('abort', finish);
      resolve();
    }
  });
}

/** Waits for work that never rejects, but no longer than this. What is not finished goes on by itself. */
export async function waitAtMost(work: Promise<unknown>, milliseconds: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
