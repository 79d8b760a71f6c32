import type { FastifyRequest } from 'fastify';
import { clientRecord } from '../clients/client-resolution.ts';
import { readQuery } from '../http/forms.ts';
import { verifyOwnJwt } from '../keys/own-jwt.ts';
import { TOKEN_KINDS } from '../oauth/token-kinds.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Session } from '../sessions/sessions.ts';
import { PageError } from './page-error.ts';

/**
 * Whether a logout request brings the ID token of the very session that is signed in here, made for a client that is still
 * there: then nobody needs to be asked (FSA-51). An ID token that has expired still says whose it was (FSA-50). A browser that
 * only loads the address ahead of time is always asked.
 *
 * @throws {PageError} no-context (400): the hint is not an ID token of ours
 */
export async function namesSession(
  ctx: Ctx,
  request: FastifyRequest,
  session: Session,
): Promise<boolean> {
  const hint = readQuery(request).params['id_token_hint'];
  if (hint === undefined) return false;
  const verified = await verifyOwnJwt(ctx, hint, { typ: TOKEN_KINDS.idToken, ignoreExpiry: true });
  const claims = verified?.claims;
  // An access token may have the same typ by a setting, but never lacks these (AS-145).
  if (!claims || 'client_id' in claims || 'scope' in claims) {
    throw new PageError({ kind: 'no-context' }, { detail: 'id_token_hint' });
  }
  if (request.headers['sec-purpose'] !== undefined) return false;
  if (claims['sid'] !== session.id || claims.sub !== session.userId) return false;
  const [audience] = [claims.aud].flat();
  return audience !== undefined && (await isLiveClient(ctx, audience));
}

/** Of metadata documents nothing is fetched for this: their people are asked. */
async function isLiveClient(ctx: Ctx, id: string): Promise<boolean> {
  const record = await clientRecord(ctx, id);
  return record !== undefined && record.deletedAt === undefined && record.client.enabled;
}
