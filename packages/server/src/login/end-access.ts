import { endGrantsOfSessions, endGrantsOfUser } from '../grants/grants.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { recordEndings } from '../sessions/session-events.ts';
import {
  endActiveSessions,
  type SessionRecord,
  type Sessions,
} from '../sessions/session-records.store.ts';
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
    const by = { environmentId, userId, because, now: ctx.now() };
    await recordEndings(inside, await endActiveSessions(db, by));
    await endGrantsOfUser(inside, { userId, because });
  });
}

/** What a session ended by an administrator says: codes that came from it give no tokens either (AS-97). */
const BY_ADMINISTRATOR = 'admin';

/**
 * An administrator ends one session or all of one person's, as far as they are active, with what was allowed in them (AS-114).
 * Of parallel callers one gets a session.
 *
 * @returns the sessions that this call ended, newest first
 */
export async function revokeSessions(ctx: Ctx, which: Sessions): Promise<SessionRecord[]> {
  const because = BY_ADMINISTRATOR;
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const { environmentId } = ctx;
    const ended = await endActiveSessions(tx, {
      ...which,
      environmentId,
      because,
      now: ctx.now(),
    });
    const userId = ended[0]?.userId;
    if (userId === undefined) return [];
    const sessionIds = ended.map(({ id }) => id);
    await endGrantsOfSessions(inside, { userId, sessionIds, because });
    await recordEndings(inside, ended);
    return ended;
  });
}

/** The same for one session. False when it is not an active session of this environment. */
export async function revokeSession(ctx: Ctx, sessionId: string): Promise<boolean> {
  return (await revokeSessions(ctx, { ids: [sessionId] })).length === 1;
}
