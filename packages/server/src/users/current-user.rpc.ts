import type { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import { ApiError } from '../http/api-error.ts';
import type { Call, Slice } from '../http/calls.ts';
import { noSuchUser } from './user-errors.ts';
import { userWithMemberships } from './user-message.ts';
import { findUser } from './users.ts';

/** Whoever calls from a page of ours, about themselves. */
export const currentUserRpc: Slice<typeof UserService> = {
  async getCurrentUser(ctx, _request, { caller }) {
    if (caller.kind !== 'session') throw notAPerson();
    const { userId, sessionId } = caller;
    const user = await findUser(ctx.db, { environmentId: ctx.environmentId, id: userId });
    if (!user) throw noSuchUser();
    return { user: await userWithMemberships(ctx, user), currentSessionId: sessionId };
  },

  /** Proves to a support desk that has the operator key who is asking; nobody else can make it, and it says nothing else. */
  async getSupportHash(ctx, _request, call) {
    const words = JSON.stringify([ctx.environmentId, ...whoCalls(call)]);
    return { supportHash: Buffer.from(ctx.secrets.mac('support-hash', words)).toString('hex') };
  },
};

function whoCalls({ caller }: Call): readonly [kind: string, id: string] {
  switch (caller.kind) {
    case 'session':
      return ['user', caller.userId];
    case 'operator':
      return ['operator', caller.operatorId];
    default:
      throw notAPerson();
  }
}

function notAPerson(): ApiError {
  return new ApiError(
    'permission_denied',
    'PERMISSION_DENIED',
    'only a person who is signed in on a page may use this method',
  );
}
