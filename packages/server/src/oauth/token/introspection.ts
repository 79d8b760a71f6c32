import { authenticateClient } from '../../clients/client-authentication.ts';
import type { Client } from '../../clients/clients.ts';
import { environmentOf } from '../../environments/environments.ts';
import { countAgainst } from '../../environments/rate-limit.ts';
import { findRefreshToken, type RefreshToken } from '../../grants/refresh-tokens.store.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { findMcpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { OAuthError, tooManyRequests } from '../oauth-error.ts';
import { formatScope } from '../scope.ts';
import { seconds } from './access-token.ts';
import { refuseRepeated, required } from './grant.ts';
import {
  isOfOrganizationClient,
  isRevokedToken,
  type OwnAccessToken,
  readOwnAccessToken,
} from './own-access-token.ts';
import { type TokenRequest, whereOf } from './token.ts';

export type Introspection =
  | { readonly active: false }
  | ({ readonly active: true } & Readonly<Record<string, unknown>>);

/** The one answer about everything that is not the caller's to know (AS-123). */
const INACTIVE: Introspection = { active: false };
const NO_TOKEN_ID = 'tkn_0';

/**
 * The introspection endpoint (RFC 7662, AS-123). Resource servers see tokens for themselves, other clients their own tokens,
 * refresh tokens are shown only to the client that holds them. The same statements run whatever the token is, so that the time
 * says nothing more than the answer.
 *
 * @throws {OAuthError} invalid_client: 401, also for clients that do not authenticate
 */
export async function introspect(
  ctx: Ctx,
  at: Issuer,
  { form, authorization }: TokenRequest,
): Promise<Introspection> {
  refuseRepeated(form);
  const presented = required(form, 'token');
  const where = { ...whereOf(at, 'introspect'), environmentClients: true };
  const { client, method } = await authenticateClient(
    ctx,
    { form: form.params, authorization },
    where,
  );
  if (method === 'none' || !client.enabled)
    throw new OAuthError('invalid_client', 'introspection needs client authentication');
  await withinLimit(ctx, client);
  const refresh = await findRefreshToken(ctx.db, {
    environmentId: ctx.environmentId,
    tokenHash: sha256(presented),
  });
  const access = await readOwnAccessToken(ctx, presented);
  const revoked = await isRevokedToken(ctx, access ?? nobodysToken(at));
  if (refresh) return describeRefreshToken(ctx, at, client, refresh);
  if (!access || revoked || !(await maySee(ctx, at, client, access))) return INACTIVE;
  return describeAccessToken(access);
}

async function withinLimit(ctx: Ctx, client: Client): Promise<void> {
  const { introspectionPerMinute } = (await environmentOf(ctx)).settings.limits;
  const counted = await countAgainst(ctx, {
    name: 'introspection',
    key: client.id,
    windowSeconds: 60,
    max: introspectionPerMinute,
  });
  if (!counted.allowed) throw tooManyRequests(counted.retryAfterSeconds, 'introspection');
}

/** At R only tokens for R's server are spoken of; at E a resource server asks about the servers it may. */
async function maySee(
  ctx: Ctx,
  at: Issuer,
  client: Client,
  token: OwnAccessToken,
): Promise<boolean> {
  if (at.mcpServer && token.mcpServerId !== at.mcpServer.id) return false;
  if (token.clientId === client.id) return true;
  if (token.mcpServerId === undefined)
    return client.kind === 'environment' && isOfOrganizationClient(token);
  if (client.kind === 'environment') return true;
  const server = await findMcpServer(ctx, token.mcpServerId);
  const named = server?.settings.introspectionClientIds.includes(client.id) === true;
  const switched =
    client.registration === 'admin' &&
    client.settings.introspect === true &&
    client.mcpServerId === token.mcpServerId;
  return named || switched;
}

function describeAccessToken({ claims }: OwnAccessToken): Introspection {
  const { rvk: _, scopes: __, ...shown } = claims;
  return { active: true, token_type: 'Bearer', ...shown };
}

function describeRefreshToken(
  ctx: Ctx,
  at: Issuer,
  client: Client,
  token: RefreshToken,
): Introspection {
  const { grant } = token;
  const now = ctx.now();
  const mine = grant.clientId === client.id && grant.issuer === at.issuer;
  const expired = token.idleExpiresAt <= now || grant.absoluteExpiresAt <= now;
  // A retired token is not what the client should hold, grace or not.
  if (!mine || expired || token.retired || token.revokedAt || grant.endedAt || token.live.ended)
    return INACTIVE;
  return {
    active: true,
    client_id: client.id,
    sub: grant.userId,
    scope: formatScope(grant.scopes),
    exp: seconds(token.idleExpiresAt),
    iss: grant.issuer,
  };
}

/** Stands in for what is no token, so that the same questions are asked. */
function nobodysToken(at: Issuer): OwnAccessToken {
  return {
    claims: {},
    kid: '',
    jti: NO_TOKEN_ID,
    clientId: '',
    subject: '',
    issuedAt: 0,
    expiresAt: new Date(0),
    scope: '',
    handles: [],
    mcpServerId: at.mcpServer?.id,
  };
}
