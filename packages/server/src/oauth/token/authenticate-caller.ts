import { findMachine } from '../../grants/machine-tokens.store.ts';
import { ApiError } from '../../http/api-error.ts';
import type { AuthenticateCaller } from '../../http/callers.ts';
import { verifyOwnJwt } from '../../keys/own-jwt.ts';
import type { Ctx } from '../../runtime/context.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';
import { managementAudience, managementCaller } from './management-caller.ts';

/**
 * Who makes a management call (AS-149): an environment client with a token of its own, and nobody else. A good token of
 * somebody else is `permission_denied`, because client libraries answer `unauthenticated` with a new token and the same call
 * again, some of them without end.
 */
export const authenticateCaller: AuthenticateCaller = async (ctx, headers) => {
  const authorization = headers.get('authorization') ?? undefined;
  if (authorization === undefined)
    throw new ApiError('unauthenticated', 'UNAUTHENTICATED', 'Token empty');
  const caller = await managementCaller(ctx, authorization);
  if (caller) return { kind: 'environment-client', clientId: caller.clientId };
  if (await isSomebodyElse(ctx, authorization))
    throw new ApiError(
      'permission_denied',
      'PERMISSION_DENIED',
      'this token is not for the management API',
    );
  throw new ApiError('unauthenticated', 'UNAUTHENTICATED', 'the token is not valid');
};

/** A token that we signed and that has not expired, for anything but this API, or of a client that may not use it. */
async function isSomebodyElse(ctx: Ctx, authorization: string): Promise<boolean> {
  const token = /^Bearer +([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1];
  if (token === undefined) return false;
  const verified = await verifyOwnJwt(ctx, token, { typ: Object.values(TOKEN_KINDS) });
  if (!verified) return false;
  const { aud, client_id: clientId } = verified.claims;
  if (aud !== managementAudience(ctx) || typeof clientId !== 'string') return true;
  const live = await findMachine(ctx.db, { environmentId: ctx.environmentId, clientId });
  return live !== undefined && !live.managementApi;
}
