import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import type { SessionRecord } from './session-records.store.ts';

/** Writes down that sessions ended. Call it with the context of the transaction that ended them. */
export async function recordEndings(ctx: Ctx, sessions: readonly SessionRecord[]): Promise<void> {
  for (const { id, userId, endedBecause } of sessions)
    await record(
      ctx.db,
      eventOf(ctx, {
        type: 'session.ended',
        reason: endedBecause,
        userId,
        data: { sessionId: id },
      }),
    );
}
