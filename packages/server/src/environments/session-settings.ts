import { invalidField } from '../http/request-checks.ts';
import type { ApplicationSessionPolicy } from './session-policy.ts';

const MINUTES = { MINUTES: 1, HOURS: 60, DAYS: 24 * 60 } as const;

export type TimeUnit = keyof typeof MINUTES;

/** A time as requests have it. */
export type SentTime = {
  readonly value: number | undefined;
  /** @default MINUTES */
  readonly unit: TimeUnit | undefined;
};

/** What a request says of the times of an environment. */
export type SessionSettingsChange = {
  readonly absolute: SentTime;
  readonly idle: SentTime;
  readonly idleEnabled: boolean | undefined;
  readonly accessToken: SentTime;
  readonly persistent: boolean | undefined;
};

/** In minutes: a year, a week, and a day, which is how long the key of a token can be known after it was replaced (AS-17). */
const LONGEST = { absolute: 525_600, idle: 10_080, accessToken: 1440 };

/**
 * The policy after a change. What the change does not name stays as in `base`.
 *
 * @throws {ApiError} invalid_argument: a time is out of range, or the order absolute, idle, access token is broken (FSA-39)
 */
export function changedSessionPolicy(
  base: ApplicationSessionPolicy,
  change: SessionSettingsChange,
): ApplicationSessionPolicy {
  const absoluteMinutes =
    minutesOf('absolute_session_timeout', change.absolute, LONGEST.absolute) ??
    base.absoluteMinutes;
  const idleMinutes =
    minutesOf('idle_session_timeout', change.idle, LONGEST.idle) ?? base.idleMinutes;
  const accessTokenMinutes =
    minutesOf('access_token_expiry', change.accessToken, LONGEST.accessToken) ??
    base.accessTokenMinutes;
  const idleEnabled = change.idleEnabled ?? base.idleEnabled;
  if (idleEnabled && idleMinutes <= accessTokenMinutes)
    throw invalidField(
      'session_settings.idle_session_timeout',
      'must be longer than access_token_expiry',
      'range',
    );
  const [shorter, name] = idleEnabled
    ? [idleMinutes, 'idle_session_timeout']
    : [accessTokenMinutes, 'access_token_expiry'];
  if (absoluteMinutes <= shorter)
    throw invalidField(
      'session_settings.absolute_session_timeout',
      `must be longer than ${name}`,
      'range',
    );
  const persistent = change.persistent ?? base.persistent;
  return { absoluteMinutes, idleEnabled, idleMinutes, accessTokenMinutes, persistent };
}

function minutesOf(name: string, { value, unit }: SentTime, longest: number): number | undefined {
  if (value === undefined) return undefined;
  const minutes = value * MINUTES[unit ?? 'MINUTES'];
  if (minutes < 1 || minutes > longest)
    throw invalidField(
      `session_settings.${name}`,
      `must be at least a minute and at most ${longest} minutes`,
      'range',
    );
  return minutes;
}
