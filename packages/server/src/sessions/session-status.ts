import { BY_THE_PERSON, type SessionRecord, type SessionStatus } from './session-records.store.ts';

/** How a session stands at a moment, and since when it is over. */
export type SessionStanding = {
  readonly status: SessionStatus;
  /** When it ended, whatever ended it. */
  readonly endedAt: Date | undefined;
};

export function standingOf(session: SessionRecord, now: Date): SessionStanding {
  const { endedAt, endedBecause, idleExpiresAt, absoluteExpiresAt } = session;
  if (endedAt) {
    const byThePerson = endedBecause !== undefined && BY_THE_PERSON.includes(endedBecause);
    return { status: byThePerson ? 'logout' : 'revoked', endedAt };
  }
  const end = new Date(Math.min(idleExpiresAt.getTime(), absoluteExpiresAt.getTime()));
  return end.getTime() <= now.getTime()
    ? { status: 'expired', endedAt: end }
    : { status: 'active', endedAt: undefined };
}
