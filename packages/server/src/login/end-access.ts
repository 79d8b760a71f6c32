import { recordFor } from '../events/events.ts';
import { endGrantsOfSession, endGrantsOfUser } from '../grants/grants.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { endSessions, endSessionsOfUser } from '../sessions/sessions.store.ts';
import { disableUser } from '../users/users.ts';

/**
 * Switches a person off and ends everything they hold: sessions in all browsers, and what they allowed to clients, access tokens
 * included (AS-114, AS-124). One transaction.
 *
 * @returns false when there is no such person
 */
export async function disablePerson(ctx: Ctx, userId: string): Promise<boolean> {
  const because = 'user-disabled';
  return await disableUser(ctx, userId, async (inside) => {
    const { environmentId, db } = inside;
    await endSessionsOfUser(db, { environmentId, userId, because, now: ctx.now() });
    await endGrantsOfUser(inside, { userId, because });
  });
}

/** What a session ended by an administrator says: codes that came from it give no tokens either (AS-97). */
const BY_ADMINISTRATOR = 'admin';

/**
 * An administrator ends one session, with what was allowed in it (AS-114).
 *
 * @returns false when it is not a live session of this environment
 */
export async function revokeSession(ctx: Ctx, sessionId: string): Promise<boolean> {
  const because = BY_ADMINISTRATOR;
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const [ended] = await endSessions(tx, {
      environmentId,
      ids: [sessionId],
      because,
      now: ctx.now(),
    });
    if (!ended) return false;
    const { userId } = ended;
    await endGrantsOfSession(inside, { userId, sessionId, because });
    await recordFor(inside, {
      type: 'session.ended',
      reason: because,
      userId,
      data: { sessionId },
    });
    return true;
  });
}
