const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** How long after each failed attempt the next one comes, in milliseconds: eight attempts in 27.6 hours (FSA-84). */
const WAITS = [
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  10 * HOUR,
] as const;
/** Receivers that failed together must not be asked again together. */
const JITTER = 0.1;

/** An endpoint with nothing but failures for this long is disabled. */
export const DISABLED_AFTER_MS = 5 * 24 * HOUR;

/**
 * When a delivery is tried again; undefined when it has been tried often enough.
 *
 * @param attempts made so far, the failed one among them
 * @param chance from 0 up to 1: up to a tenth is added to the wait
 */
export function nextAttemptAt(now: Date, attempts: number, chance: number): Date | undefined {
  const wait = WAITS[attempts - 1];
  return wait === undefined ? undefined : new Date(now.getTime() + wait * (1 + JITTER * chance));
}
