import { invalidField } from '../http/request-checks.ts';
import type { SessionPolicy } from './organizations.store.ts';

const MINUTES = { MINUTES: 1, HOURS: 60, DAYS: 24 * 60 } as const;

/** A time as requests have it. */
export type Timeout = {
  readonly value: number | undefined;
  /** @default MINUTES */
  readonly unit: keyof typeof MINUTES | undefined;
};

/** What a request says of a custom policy. */
export type PolicyChange = {
  readonly absolute: Timeout;
  readonly idle: Timeout;
  readonly idleEnabled: boolean | undefined;
};

/** Minutes: a year. */
const LONGEST = 525_600;

/**
 * The policy that an organization has after a change. What the change does not name stays as it was.
 *
 * @param accessTokenMinutes how long access tokens of the environment's applications live
 * @throws {ApiError} invalid_argument: a time is missing or out of range, or the order absolute, idle, access token is broken
 */
export function customPolicy(
  current: SessionPolicy | undefined,
  change: PolicyChange,
  accessTokenMinutes: number,
): SessionPolicy {
  const absoluteMinutes =
    minutesOf('absolute_session_timeout', change.absolute) ?? current?.absoluteMinutes;
  const idleMinutes = minutesOf('idle_session_timeout', change.idle) ?? current?.idleMinutes;
  const idleEnabled = change.idleEnabled ?? current?.idleEnabled ?? false;
  if (absoluteMinutes === undefined)
    throw invalidField('absolute_session_timeout', 'is required for CUSTOM', 'required');
  if (idleEnabled && idleMinutes === undefined)
    throw invalidField('idle_session_timeout', 'is required when it is enabled', 'required');
  if (idleEnabled && idleMinutes !== undefined) {
    if (idleMinutes <= accessTokenMinutes)
      throw tooShort('idle_session_timeout', `access tokens live (${accessTokenMinutes} minutes)`);
    if (absoluteMinutes <= idleMinutes)
      throw tooShort('absolute_session_timeout', 'idle_session_timeout');
  }
  if (absoluteMinutes <= accessTokenMinutes)
    throw tooShort(
      'absolute_session_timeout',
      `access tokens live (${accessTokenMinutes} minutes)`,
    );
  return { absoluteMinutes, idleEnabled, ...(idleMinutes !== undefined && { idleMinutes }) };
}

function tooShort(field: string, than: string) {
  return invalidField(field, `must be longer than ${than}`, 'range');
}

function minutesOf(field: string, { value, unit }: Timeout): number | undefined {
  if (value === undefined) return undefined;
  const minutes = value * MINUTES[unit ?? 'MINUTES'];
  if (minutes < 1 || minutes > LONGEST)
    throw invalidField(field, `must be at least a minute and at most ${LONGEST} minutes`, 'range');
  return minutes;
}
