const longestMs = 2_147_483_647;

/** Runs once after so many milliseconds, at most 24 days; keeps no process alive. Returns how to call it off. */
export function afterMs(ms: number, run: () => void): () => void {
  const timer = setTimeout(run, Math.min(Math.max(ms, 0), longestMs));
  timer.unref();
  return () => clearTimeout(timer);
}
