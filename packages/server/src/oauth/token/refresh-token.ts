import { requireMethod } from '../../clients/client-authentication.ts';
import type { Client } from '../../clients/clients.ts';
import type { Event } from '../../events/events.ts';
import { endGrant } from '../../grants/grants.ts';
import { findRefreshToken, type RefreshToken } from '../../grants/refresh-tokens.store.ts';
import { audienceOf, findMcpServer, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { OAuthError, temporarilyUnavailable } from '../oauth-error.ts';
import { redirectKind } from '../redirect-uri.ts';
import { parseScope } from '../scope.ts';
import { handlesOf } from './authorization-parts.ts';
import {
  type Authorization,
  type GrantRequest,
  type GrantType,
  refuseRepeated,
  required,
} from './grant.ts';
import { keepResource } from './keep-resource.ts';
import { accessTokenLifetime } from './lifetimes.ts';
import { looksLikeRefreshToken } from './refresh-ratchet.ts';
import {
  answerInGrace,
  invalidRefreshToken,
  isForeign,
  keep,
  type Refresh,
  rotate,
} from './rotate-refresh-token.ts';

/** How often a request looks again when others were faster. Each time somebody else got an answer. */
const MOST_ATTEMPTS = 5;

export const refreshTokenGrant: GrantType = {
  name: 'refresh_token',
  allows: (client) => client.grantTypes.includes('refresh_token'),
  authorize: authorizeRefreshToken,
};

/**
 * Redeems a refresh token (RFC 6749 section 6): rotates the current one; a retired one gets the current generation while its
 * grace lasts (AS-109); after that it is a replay, which ends the grant (AS-110).
 *
 * @throws {OAuthError} invalid_grant: unknown, expired, ended, another client's or issuer's, or reused
 * @throws {OAuthError} invalid_scope, invalid_target: asks for more than was granted, or for another server
 */
async function authorizeRefreshToken(ctx: Ctx, request: GrantRequest): Promise<Authorization> {
  const presented = required(request.form, 'refresh_token');
  const token = await findBound(ctx, presented, request);
  requireMethod(request.client, token.grant.authMethod, request.method); // AS-76
  const mcpServer =
    token.grant.mcpServerId === undefined
      ? undefined
      : await findMcpServer(ctx, token.grant.mcpServerId);
  // The token's own state comes before any other parameter: a bad scope must neither hide a replay nor tell a retired token
  // from the current one (AS-109).
  await checkState(ctx, token, request, mcpServer);
  refuseRepeated(request.form);
  const scopes = narrowScope(request.form.params['scope'], token.grant.scopes);
  await keepResource(ctx, request.form.resources, { mcpServer, resource: token.grant.resource });
  return await authorizationFrom(ctx, request, { presented, token, mcpServer, scopes });
}

/** The token, if it is this client's at this issuer; another's is as good as unknown and nothing happens to it (AS-7, AS-112). */
async function findBound(
  ctx: Ctx,
  presented: string,
  { at, client, trail }: GrantRequest,
): Promise<RefreshToken> {
  const token = looksLikeRefreshToken(presented)
    ? await findRefreshToken(ctx.db, {
        environmentId: ctx.environmentId,
        tokenHash: sha256(presented),
      })
    : undefined;
  if (!token) throw invalidRefreshToken('unknown');
  const { grant } = token;
  if (grant.clientId !== client.id) throw invalidRefreshToken('of another client');
  if (grant.issuer !== at.issuer) throw invalidRefreshToken('of another issuer');
  Object.assign(trail, {
    flowId: grant.flowId,
    userId: grant.userId,
    grantId: grant.id,
    mcpServerId: grant.mcpServerId,
    organizationId: grant.organizationId,
  });
  return token;
}

async function checkState(
  ctx: Ctx,
  token: RefreshToken,
  request: GrantRequest,
  mcpServer: McpServer | undefined,
): Promise<void> {
  const { grant, retired } = token;
  const now = ctx.now();
  if (grant.endedAt || token.revokedAt)
    throw invalidRefreshToken(`the grant has ended: ${grant.endedBecause ?? 'revoked'}`);
  if (retired && retired.graceEndsAt <= now) await endFamily(ctx, token, 'reuse after its grace');
  if (grant.absoluteExpiresAt <= now) throw invalidRefreshToken('the absolute lifetime is over');
  if ((retired ? (retired.currentIdleExpiresAt ?? now) : token.idleExpiresAt) <= now)
    throw invalidRefreshToken('not used for too long');
  if (token.live.ended) throw invalidRefreshToken(`${token.live.ended} is not available any more`);
  if (!retired) return;
  if (retired.method !== request.method)
    throw invalidRefreshToken('authenticated otherwise than at the rotation');
  if (isForeign(ctx, retired) && isStrict(request.client, mcpServer))
    await endFamily(ctx, token, 'used from two places within its grace');
}

/** We cannot tell thief from client, so both lose (RFC 9700 section 4.14.2). This has committed before the refusal goes out. */
async function endFamily(ctx: Ctx, token: RefreshToken, detail: string): Promise<never> {
  const { grant, retired } = token;
  ctx.metrics.count('gatewarden_refresh_reuse_total');
  await endGrant(ctx, {
    grantId: grant.id,
    because: 'refresh_token_reuse',
    event: {
      type: 'refresh_token_reuse',
      outcome: 'failure',
      reason: detail,
      flowId: grant.flowId,
      clientId: grant.clientId,
      userId: grant.userId,
      mcpServerId: grant.mcpServerId,
      organizationId: grant.organizationId,
      grantId: grant.id,
      data: {
        generation: token.generation,
        retiredAt: retired?.at.toISOString(),
        rotatedFrom: retired?.network,
        rotatedBy: retired?.userAgent,
      },
    },
  });
  throw invalidRefreshToken(detail);
}

/** On by default for clients of which every installation is on somebody's own machine. */
function isStrict(client: Client, mcpServer: McpServer | undefined): boolean {
  return (
    mcpServer?.settings.refreshGraceStrict ??
    client.redirectUris.every((uri) => redirectKind(uri) !== 'https')
  );
}

/**
 * The scopes of the new access token (RFC 6749 section 6): all of the family's, or fewer (AS-113). Never more (AS-46).
 *
 * @throws {OAuthError} invalid_scope: a scope that the person did not grant
 */
function narrowScope(asked: string | undefined, granted: readonly string[]): readonly string[] {
  const scopes = parseScope(asked);
  if (scopes.length === 0) return granted;
  if (scopes.some((scope) => !granted.includes(scope)))
    throw new OAuthError('invalid_scope', 'the scope exceeds what was granted');
  return scopes;
}

async function authorizationFrom(
  ctx: Ctx,
  request: GrantRequest,
  refresh: Refresh,
): Promise<Authorization> {
  const { client } = request;
  const { token, mcpServer, scopes } = refresh;
  const { grant, live } = token;
  return {
    subject: grant.userId,
    scopes,
    mcpServer,
    audience: mcpServer ? audienceOf(mcpServer) : [client.id],
    lifetimeSeconds: await accessTokenLifetime(ctx, client, mcpServer),
    revocationHandles: handlesOf(mcpServer, grant.revocationHandle, live),
    person: { sessionId: grant.sessionId, authenticatedAt: grant.authenticatedAt, ...live.user },
    customClaims: live.customClaims,
    partner: live.partner,
    organizationId: grant.organizationId,
    idToken:
      scopes.includes('openid') || !mcpServer ? { nonce: undefined, code: undefined } : undefined,
    commit: async (event) => ({ refreshToken: await nextToken(ctx, request, refresh, event) }),
  };
}

/** The gate, and for whoever comes second the answer that the state of the token now calls for. */
async function nextToken(
  ctx: Ctx,
  request: GrantRequest,
  refresh: Refresh,
  event: Event,
): Promise<string> {
  let { token } = refresh;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt += 1) {
    const next = await throughGate(ctx, request, { ...refresh, token }, event);
    if (next !== undefined) return next;
    token = await findBound(ctx, refresh.presented, request);
    await checkState(ctx, token, request, refresh.mcpServer);
    // Still the current token, so the person's or client's own state is new: what was signed above may be revoked already.
    if (!token.retired) break;
  }
  throw temporarilyUnavailable('the grant changed while this request was checked');
}

async function throughGate(
  ctx: Ctx,
  request: GrantRequest,
  refresh: Refresh,
  event: Event,
): Promise<string | undefined> {
  if (refresh.token.retired) return await answerInGrace(ctx, refresh, event);
  if (request.method !== 'none' && refresh.mcpServer?.settings.rotateConfidential === false)
    return await keep(ctx, refresh, request.client, event);
  return await rotate(ctx, refresh, request, event);
}
