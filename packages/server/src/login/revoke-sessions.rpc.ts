import type { SessionService } from '@gatewarden/contract/scalekit/v1/sessions/sessions_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId } from '../http/request-checks.ts';
import { noSuchSession, noSuchUser, sessionTimes } from '../sessions/session-message.ts';
import { findSessionRecord } from '../sessions/session-records.store.ts';
import { findUserRow } from '../users/users.store.ts';
import { revokeSessions } from './end-access.ts';

/** Ends sessions from outside, with everything that was allowed in them: refresh at once, access tokens through the feeds. */
export const revokeSessionsRpc: Slice<typeof SessionService> = {
  async revokeSession(ctx, { sessionId }, { caller }) {
    checkId('session_id', sessionId, 'ses');
    // People end their own sessions only; those of others do not exist for them.
    const ownerId = caller.kind === 'session' ? caller.userId : undefined;
    const [revoked] = await revokeSessions(ctx, { ids: [sessionId], ownerId });
    if (revoked) return { revokedSession: sessionTimes(revoked, ctx.now()) };
    const { environmentId } = ctx;
    const found = await findSessionRecord(ctx.db, { environmentId, id: sessionId });
    if (!found || (ownerId !== undefined && found.userId !== ownerId)) throw noSuchSession();
    throw new ApiError('failed_precondition', 'SESSION_NOT_ACTIVE', 'the session is over already');
  },

  async revokeAllUserSessions(ctx, { userId }) {
    checkId('user_id', userId, 'usr');
    const revoked = await revokeSessions(ctx, { userId });
    const { environmentId } = ctx;
    if (revoked.length === 0 && !(await findUserRow(ctx.db, { environmentId, id: userId })))
      throw noSuchUser();
    const now = ctx.now();
    return {
      revokedSessions: revoked.map((session) => sessionTimes(session, now)),
      totalRevoked: revoked.length,
    };
  },
};
