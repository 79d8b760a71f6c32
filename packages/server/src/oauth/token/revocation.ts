import { authenticateClient, requireMethod } from '../../clients/client-authentication.ts';
import type { Client } from '../../clients/clients.ts';
import { recordFor } from '../../events/events.ts';
import { type AuthMethod, findGrantByHandle } from '../../grants/grants.store.ts';
import { endGrant } from '../../grants/grants.ts';
import { findRefreshToken } from '../../grants/refresh-tokens.store.ts';
import { NO_MCP_SERVER, revokeToken } from '../../grants/revocations.store.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { OAuthError } from '../oauth-error.ts';
import { refuseRepeated, required } from './grant.ts';
import { readOwnAccessToken } from './own-access-token.ts';
import { looksLikeRefreshToken } from './refresh-ratchet.ts';
import { type TokenRequest, whereOf } from './token.ts';

type Caller = { readonly at: Issuer; readonly client: Client; readonly method: AuthMethod };

/**
 * The revocation endpoint (RFC 7009, AS-122). A refresh token ends its whole grant, access tokens included; an access token ends
 * alone. What is not the caller's, or is unknown, gets the same answer and nothing happens; the hint decides nothing.
 *
 * @throws {OAuthError} invalid_client; invalid_request without a token
 */
export async function revoke(
  ctx: Ctx,
  at: Issuer,
  { form, authorization }: TokenRequest,
): Promise<void> {
  refuseRepeated(form);
  const presented = required(form, 'token');
  const { client, method } = await authenticateClient(
    ctx,
    { form: form.params, authorization },
    whereOf(at, 'revoke'),
  );
  if (method === 'none' && at.mcpServer?.settings.revokePublicClients === false) {
    throw new OAuthError('invalid_client', 'revocation needs client authentication here');
  }
  const caller = { at, client, method };
  if (looksLikeRefreshToken(presented)) await revokeRefreshToken(ctx, caller, presented);
  else await revokeAccessToken(ctx, caller, presented);
}

async function revokeRefreshToken(
  ctx: Ctx,
  { at, client, method }: Caller,
  presented: string,
): Promise<void> {
  const token = await findRefreshToken(ctx.db, {
    environmentId: ctx.environmentId,
    tokenHash: sha256(presented),
  });
  if (!token || token.grant.clientId !== client.id || token.grant.issuer !== at.issuer) return; // AS-7
  const { grant } = token;
  requireMethod(client, grant.authMethod, method); // AS-76
  await endGrant(ctx, {
    grantId: grant.id,
    because: 'revoked_by_client',
    event: {
      type: 'token.revoked',
      flowId: grant.flowId,
      clientId: client.id,
      userId: grant.userId,
      mcpServerId: grant.mcpServerId,
      grantId: grant.id,
      data: { tokenType: 'refresh_token' },
    },
  });
}

async function revokeAccessToken(
  ctx: Ctx,
  { at, client, method }: Caller,
  presented: string,
): Promise<void> {
  const token = await readOwnAccessToken(ctx, presented);
  if (!token || token.clientId !== client.id) return;
  if (at.mcpServer && token.mcpServerId !== at.mcpServer.id) return; // AS-7
  const grant = await findGrantByHandle(ctx.db, {
    environmentId: ctx.environmentId,
    userId: token.subject,
    handles: token.handles,
  });
  if (grant) requireMethod(client, grant.authMethod, method); // AS-76
  await ctx.db.transaction(async (db) => {
    const fresh = await revokeToken(db, {
      environmentId: ctx.environmentId,
      mcpServerId: token.mcpServerId ?? NO_MCP_SERVER,
      jti: token.jti,
      until: new Date(token.expiresAt.getTime() + LARGEST_SKEW_MS),
      now: ctx.now(),
    });
    if (!fresh) return;
    await recordFor(
      { ...ctx, db },
      {
        type: 'token.revoked',
        flowId: grant?.flowId,
        clientId: client.id,
        userId: grant?.userId,
        mcpServerId: token.mcpServerId,
        grantId: grant?.id,
        data: { tokenType: 'access_token', jti: token.jti },
      },
    );
  });
}

/** Verifiers may accept a token this long after its end (RS-20). */
const LARGEST_SKEW_MS = 300_000;
