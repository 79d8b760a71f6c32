import { findSubject } from '../../grants/subjects.store.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import type { Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import { profileClaims } from './id-token.ts';
import { isRevokedToken, type OwnAccessToken, readOwnAccessToken } from './own-access-token.ts';

const REALM = 'Bearer realm="OAuth"';

/**
 * Userinfo (OpenID Connect Core section 5.3). A token for an MCP server is not a token for us: at E only tokens of applications
 * are taken, at R only with `userinfo_for_mcp` and only that server's (AS-125).
 *
 * @throws {OAuthError} invalid_token: 401 with a challenge; insufficient_scope: the token has no openid
 */
export async function userinfo(
  ctx: Ctx,
  at: Issuer,
  authorization: string | undefined,
): Promise<Record<string, unknown>> {
  if (at.mcpServer && !at.mcpServer.settings.userinfoForMcp)
    throw new OAuthError('not_found', 'there is nothing at this address');
  const token = await bearer(ctx, at, authorization);
  const scopes = token.scope.split(' ');
  if (!scopes.includes('openid')) {
    throw new OAuthError('insufficient_scope', 'the token has no openid scope', {
      wwwAuthenticate: `${REALM}, error="insufficient_scope", scope="openid"`,
    });
  }
  const { sid } = token.claims;
  const person = await findSubject(ctx.db, {
    environmentId: ctx.environmentId,
    userId: token.subject,
    sessionId: typeof sid === 'string' ? sid : '',
    needsSession: token.mcpServerId === undefined,
  });
  if (!person) throw invalidToken('person or session is gone');
  return { sub: token.subject, ...profileClaims(person, scopes) };
}

async function bearer(
  ctx: Ctx,
  at: Issuer,
  authorization: string | undefined,
): Promise<OwnAccessToken> {
  if (authorization === undefined)
    throw new OAuthError('invalid_token', 'a bearer token is needed', { wwwAuthenticate: REALM });
  const presented = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1];
  const token = presented === undefined ? undefined : await readOwnAccessToken(ctx, presented);
  if (!token) throw invalidToken('not an access token of ours');
  if (token.mcpServerId !== at.mcpServer?.id) throw invalidToken('for another audience');
  if (token.claims['gty'] !== undefined) throw invalidToken('of a machine');
  if (await isRevokedToken(ctx, token)) throw invalidToken('revoked');
  return token;
}

function invalidToken(detail: string): OAuthError {
  return new OAuthError('invalid_token', 'the access token is not valid here', {
    detail,
    wwwAuthenticate: `${REALM}, error="invalid_token"`,
  });
}
