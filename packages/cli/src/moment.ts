import { UsageError } from './errors.ts';

const RFC_3339 = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * A moment as RFC 3339 says it, always with its zone, or `now`. A time whose zone is guessed would revoke too little.
 *
 * @throws {UsageError} anything else, days that do not exist included
 */
export function momentOf(flag: string, text: string, now: Date): Date {
  if (text === 'now') return now;
  const day = RFC_3339.exec(text)?.[1];
  const moment = new Date(day === undefined ? Number.NaN : text);
  // Engines take 30 February for a day in March.
  const exists = new Date(`${day}T00:00:00Z`).toJSON()?.startsWith(`${day}T`);
  if (Number.isNaN(moment.getTime()) || !exists)
    throw new UsageError(
      `${flag} is "${text}"; it should be a moment with its zone, such as 2026-11-21T10:00:00Z, or now.`,
    );
  return moment;
}
