import {
  countCodeFailure,
  findAuthorizationCode,
  MOST_CODE_FAILURES,
  redeemAuthorizationCode,
  type StoredCode,
} from '../../grants/authorization-codes.store.ts';
import { endGrant } from '../../grants/grants.ts';
import { newRevocationHandle } from '../../grants/revocation-handles.ts';
import { audienceOf, findMcpServer, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { newId } from '../../runtime/ids.ts';
import { OAuthError } from '../oauth-error.ts';
import { isVerifier, verifierMatches } from '../pkce.ts';
import { handlesOf, retryIds } from './authorization-parts.ts';
import {
  type Authorization,
  type GrantRequest,
  type GrantType,
  refuseRepeated,
  required,
} from './grant.ts';
import { keepResource } from './keep-resource.ts';
import { accessTokenLifetime, issuesRefreshTokens, refreshLifetimes } from './lifetimes.ts';
import { firstRefreshToken } from './refresh-ratchet.ts';

/** A repeated request of the client itself, whose answer was lost, within this time is not an attack (AS-96). */
const RETRY_WINDOW_MS = 10_000;

export const authorizationCodeGrant: GrantType = {
  name: 'authorization_code',
  allows: (client) => client.grantTypes.includes('authorization_code'),
  authorize: authorizeCode,
};

/**
 * Redeems an authorization code (RFC 6749 section 4.1.3). Every check comes before the code is used up; a failed one does not
 * burn it, but the tenth does (AS-95).
 *
 * @throws {OAuthError} invalid_grant: unknown, expired, used, another issuer's or client's; wrong redirect URI or verifier
 * @throws {OAuthError} invalid_request: verifier missing or malformed
 * @throws {OAuthError} invalid_target: another resource than the one granted
 */
async function authorizeCode(ctx: Ctx, request: GrantRequest): Promise<Authorization> {
  const { at, trail } = request;
  const codeHash = sha256(required(request.form, 'code'));
  const code = await findAuthorizationCode(ctx.db, { environmentId: ctx.environmentId, codeHash });
  // At another issuer a code is simply unknown: not counted, no alarm (AS-7).
  if (!code || code.issuer !== at.issuer) throw invalidCode('unknown or of another issuer');
  Object.assign(trail, {
    flowId: code.flowId,
    userId: code.userId,
    grantId: code.grantId,
    mcpServerId: code.mcpServerId,
    organizationId: code.organizationId,
  });
  if (code.consumedAt) {
    await answerReplay(ctx, code, code.consumedAt, request);
    throw invalidCode('used before');
  }
  if (code.failures >= MOST_CODE_FAILURES) throw invalidCode('too many failed attempts');
  const mcpServer =
    code.mcpServerId === undefined ? undefined : await findMcpServer(ctx, code.mcpServerId);
  try {
    checkClient(code, request);
    refuseRepeated(request.form);
    checkExpiry(code, ctx.now());
    checkRedirectUri(code, request.form.params['redirect_uri']);
    checkVerifier(code, request);
    await keepResource(ctx, request.form.resources, { mcpServer, resource: code.resource });
    checkLive(code);
  } catch (error) {
    if (error instanceof OAuthError)
      await countCodeFailure(ctx.db, { environmentId: ctx.environmentId, codeHash });
    throw error;
  }
  return await authorizationFrom(ctx, request, code, mcpServer);
}

async function authorizationFrom(
  ctx: Ctx,
  request: GrantRequest,
  code: StoredCode,
  mcpServer: McpServer | undefined,
): Promise<Authorization> {
  const { client, method } = request;
  const now = ctx.now();
  const lifetimes = refreshLifetimes(client, mcpServer, code.redirectUri);
  const absoluteExpiresAt = new Date(now.getTime() + lifetimes.absoluteSeconds * 1000);
  const idleExpiresAt = new Date(
    now.getTime() + Math.min(lifetimes.idleSeconds, lifetimes.absoluteSeconds) * 1000,
  );
  const revocationHandle = newRevocationHandle(ctx);
  const refreshToken = issuesRefreshTokens(client, mcpServer, code.scopes)
    ? firstRefreshToken(ctx)
    : undefined;
  return {
    subject: code.userId,
    scopes: code.scopes,
    mcpServer,
    audience: mcpServer ? audienceOf(mcpServer) : [client.id],
    lifetimeSeconds: await accessTokenLifetime(ctx, client, mcpServer),
    revocationHandles: handlesOf(mcpServer, revocationHandle, code.live),
    person: { sessionId: code.sessionId, authenticatedAt: code.authenticatedAt, ...code.live.user },
    customClaims: code.live.customClaims,
    partner: code.live.partner,
    organizationId: code.organizationId,
    // For applications always: they were written against servers that send one whatever the scopes.
    idToken:
      code.scopes.includes('openid') || !mcpServer
        ? { nonce: code.nonce, code: request.form.params['code'] }
        : undefined,
    async commit(event) {
      const redeemed = await retryIds(async () => {
        const grantId = newId(ctx, 'grt');
        request.trail.grantId = grantId;
        return await redeemAuthorizationCode(ctx.db, {
          environmentId: ctx.environmentId,
          codeHash: code.codeHash,
          userId: code.userId,
          clientId: code.clientId,
          mcpServerId: code.mcpServerId,
          consentId: code.consentId,
          sessionId: code.sessionId,
          userSecret: code.live.userSecret,
          clientSecret: code.live.clientSecret,
          grantId,
          revocationHandle,
          authMethod: method,
          absoluteExpiresAt,
          refreshToken:
            refreshToken === undefined
              ? undefined
              : { id: newId(ctx, 'rt'), tokenHash: sha256(refreshToken), idleExpiresAt },
          event: { ...event, grantId },
          now,
        });
      });
      // The same client, with the right verifier, a moment later: a retry, without further effect (AS-96).
      if (!redeemed) throw invalidCode('used or withdrawn while this request was checked');
      return { refreshToken };
    },
  };
}

function checkClient(code: StoredCode, { client }: GrantRequest): void {
  if (code.clientId !== client.id) throw invalidCode('of another client');
}

function checkExpiry(code: StoredCode, now: Date): void {
  if (code.expiresAt <= now) throw invalidCode('expired');
}

/** RFC 6749 section 4.1.3: equal if sent; a code without PKCE must have it (AS-24, AS-51). */
function checkRedirectUri(code: StoredCode, redirectUri: string | undefined): void {
  if (
    redirectUri === undefined ? code.codeChallenge === undefined : redirectUri !== code.redirectUri
  ) {
    throw new OAuthError(
      'invalid_grant',
      'redirect_uri is not the one of the authorization request',
    );
  }
}

/** RFC 7636 section 4.6. Without a challenge the client's secret stands for it, and a verifier shows that somebody removed the challenge. */
function checkVerifier(code: StoredCode, { form, method }: GrantRequest): void {
  const verifier = form.params['code_verifier'];
  if (code.codeChallenge === undefined) {
    if (verifier !== undefined)
      throw new OAuthError(
        'invalid_grant',
        'code_verifier was sent for a code without code_challenge',
      );
    if (method === 'none') throw invalidCode('neither PKCE nor client authentication');
    return;
  }
  if (verifier === undefined || !isVerifier(verifier)) {
    throw new OAuthError(
      'invalid_request',
      'code_verifier must have 43 to 128 unreserved characters',
    );
  }
  if (!verifierMatches(verifier, code.codeChallenge))
    throw new OAuthError('invalid_grant', 'code_verifier does not belong to the code_challenge');
}

/** Person, client, server, consent and session are as they were (AS-97). */
function checkLive(code: StoredCode): void {
  if (code.live.ended) throw invalidCode(`${code.live.ended} is not available any more`);
}

/**
 * A used code again (RFC 6749 section 4.1.2). Deviation: the client's own repeat, proven by its verifier (or, without PKCE, its
 * secret), within ten seconds changes nothing; anything else ends the grant, access tokens included (AS-96).
 */
async function answerReplay(
  ctx: Ctx,
  code: StoredCode,
  consumedAt: Date,
  { client, form, method }: GrantRequest,
): Promise<void> {
  const proven =
    code.codeChallenge === undefined
      ? method !== 'none'
      : verifierMatches(form.params['code_verifier'] ?? '', code.codeChallenge);
  const soon = ctx.now().getTime() - consumedAt.getTime() <= RETRY_WINDOW_MS;
  if ((client.id === code.clientId && proven && soon) || code.grantId === undefined) return;
  await endGrant(ctx, {
    grantId: code.grantId,
    because: 'authorization_code_reuse',
    event: {
      type: 'authorization_code_reuse',
      outcome: 'failure',
      reason: 'invalid_grant',
      flowId: code.flowId,
      clientId: client.id,
      userId: code.userId,
      mcpServerId: code.mcpServerId,
      grantId: code.grantId,
      data: {
        proven,
        secondsAfterUse: Math.round((ctx.now().getTime() - consumedAt.getTime()) / 1000),
      },
    },
  });
}

function invalidCode(detail: string): OAuthError {
  return new OAuthError('invalid_grant', 'the authorization code is not valid', { detail });
}
