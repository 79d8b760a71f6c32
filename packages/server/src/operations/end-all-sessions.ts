import { recordFor } from '../events/events.ts';
import { mattersUntil, oldestLiveToken } from '../grants/revocation-handles.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { findUser } from '../users/users.ts';
import { endEverySession } from './all-sessions.store.ts';

export type EndedSessions =
  | { readonly kind: 'ended'; readonly sessions: number; readonly grants: number }
  | { readonly kind: 'unknown'; readonly what: 'person' };

/** A session that an administrator ended: what was allowed in it is not refreshed any more (AS-114). */
const BY_ADMINISTRATOR = 'admin';

/** Signs everybody, or one person, out in all browsers, and ends what was allowed in those sessions (AS-154). */
export async function endAllSessions(
  ctx: Ctx,
  by: { readonly userId?: string | undefined } = {},
): Promise<EndedSessions> {
  const { userId } = by;
  const { environmentId } = ctx;
  if (userId !== undefined && !(await findUser(ctx.db, { environmentId, id: userId })))
    return { kind: 'unknown', what: 'person' };
  const now = ctx.now();
  return await ctx.db.transaction(async (tx) => {
    const ended = await endEverySession(tx, {
      environmentId,
      userId,
      because: BY_ADMINISTRATOR,
      now,
      tokens: { oldestLive: oldestLiveToken(now), matterUntil: mattersUntil(now) },
    });
    await recordFor(withDb(ctx, tx), {
      type: 'sessions.ended',
      userId,
      data: { because: BY_ADMINISTRATOR, ...ended },
    });
    return { kind: 'ended', ...ended };
  });
}
