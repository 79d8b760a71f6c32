import { environmentOf } from '../../environments/environments.ts';
import { findMachine } from '../../grants/machine-tokens.store.ts';
import { revocationHandle } from '../../grants/revocation-handles.ts';
import { verifyOwnJwt } from '../../keys/own-jwt.ts';
import type { Ctx } from '../../runtime/context.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';

/** Lifetime of management tokens, in seconds. */
export const MANAGEMENT_TOKEN_SECONDS = 86_399;

/** `aud` of management tokens, and of nothing else: every URL below E is reserved (AS-148, AS-149). */
export function managementAudience(ctx: Pick<Ctx, 'issuer'>): string {
  return `${ctx.issuer}/api`;
}

/** Who calls the management API. */
export type ManagementCaller = { readonly clientId: string; readonly scopes: readonly string[] };

/**
 * The environment client behind a management call (AS-149). Everything must hold: our signature, the access token `typ`, `iss`
 * E, the management audience as the only one, and a live row that says this client may use the API. A token of a person, of an
 * MCP server or of an application, an ID token and a session cookie are nobody.
 */
export async function managementCaller(
  ctx: Ctx,
  authorization: string | undefined,
): Promise<ManagementCaller | undefined> {
  const token = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1];
  if (token === undefined) return undefined;
  const audience = managementAudience(ctx);
  const verified = await verifyOwnJwt(ctx, token, {
    typ: TOKEN_KINDS.accessToken,
    audience,
    issuer: ctx.issuer,
  });
  if (!verified) return undefined;
  const { aud, sub, client_id: clientId, gty, rvk, iat, scope } = verified.claims;
  const only = Array.isArray(aud) ? aud.length === 1 && aud[0] === audience : aud === audience;
  if (!only || typeof clientId !== 'string' || sub !== clientId || gty !== 'client-credentials')
    return undefined;
  const live = await findMachine(ctx.db, { environmentId: ctx.environmentId, clientId });
  if (!live?.managementApi) return undefined;
  // A new secret ends what was issued before.
  if (
    !Array.isArray(rvk) ||
    !rvk.includes(revocationHandle(live.revocationSecret, ctx.environmentId))
  )
    return undefined;
  const { revokedBefore } = (await environmentOf(ctx)).settings;
  if (revokedBefore !== undefined && (iat ?? 0) * 1000 < Date.parse(revokedBefore))
    return undefined;
  return {
    clientId,
    scopes: typeof scope === 'string' ? scope.split(' ').filter((value) => value !== '') : [],
  };
}
