import { environmentOf } from '../../environments/environments.ts';
import { findMachine } from '../../grants/machine-tokens.store.ts';
import { revocationHandle } from '../../grants/revocation-handles.ts';
import { type ApplicationToken, isRevoked, NO_MCP_SERVER } from '../../grants/revocations.store.ts';
import { verifyOwnJwt } from '../../keys/own-jwt.ts';
import { findMcpServer, isServing, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { TOKEN_KINDS } from '../token-kinds.ts';

/** An access token of this environment, with a good signature and not expired. Whether it is revoked is asked separately. */
export type OwnAccessToken = {
  readonly claims: Readonly<Record<string, unknown>>;
  readonly kid: string;
  readonly jti: string;
  readonly clientId: string;
  readonly subject: string;
  readonly issuedAt: number;
  readonly expiresAt: Date;
  readonly scope: string;
  readonly handles: readonly string[];
  /** The MCP server that its audience names. */
  readonly mcpServerId: string | undefined;
};

/**
 * Reads an access token that we issued; any other kind of JWT, ID tokens above all, is none (AS-145). `typ` JWT is looked at,
 * because an MCP server's setting may ask for it, and then the members that only access tokens have must be there.
 */
export async function readOwnAccessToken(
  ctx: Ctx,
  token: string,
): Promise<OwnAccessToken | undefined> {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined;
  const verified = await verifyOwnJwt(ctx, token, { typ: [TOKEN_KINDS.accessToken, 'JWT'] });
  if (!verified) return undefined;
  const {
    jti,
    client_id: clientId,
    sub,
    iat,
    exp,
    scope,
    rvk,
    aud,
    nonce,
    at_hash,
  } = verified.claims;
  if (nonce !== undefined || at_hash !== undefined) return undefined;
  if (typeof jti !== 'string' || !jti.startsWith('tkn_') || typeof clientId !== 'string')
    return undefined;
  if (
    typeof sub !== 'string' ||
    typeof scope !== 'string' ||
    iat === undefined ||
    exp === undefined
  )
    return undefined;
  const audiences = typeof aud === 'string' ? [aud] : (aud ?? []);
  return {
    claims: verified.claims,
    kid: verified.kid,
    jti,
    clientId,
    subject: sub,
    issuedAt: iat,
    expiresAt: new Date(exp * 1000),
    scope,
    handles: Array.isArray(rvk) ? rvk.filter((handle) => typeof handle === 'string') : [],
    mcpServerId: audiences.find((audience) => /^res_[0-9]{15,19}$/.test(audience)),
  };
}

/** Whether anything has revoked the token: an entry of its server's feed, the server or environment as a whole (AS-13, AS-124). */
export async function isRevokedToken(ctx: Ctx, token: OwnAccessToken): Promise<boolean> {
  const mcpServer =
    token.mcpServerId === undefined ? undefined : await findMcpServer(ctx, token.mcpServerId);
  const revoked = await isRevoked(ctx.db, {
    environmentId: ctx.environmentId,
    mcpServerId: token.mcpServerId ?? NO_MCP_SERVER,
    jti: token.jti,
    kid: token.kid,
    handles: token.handles,
    issuedAt: token.issuedAt,
    application: applicationOf(token),
  });
  if (token.mcpServerId !== undefined && !isServing(mcpServer)) return true;
  if (isOfOrganizationClient(token) && !(await hasLiveClient(ctx, token))) return true;
  return (
    revoked || issuedBefore(token, mcpServer?.revokedBefore) || (await issuedBeforeAll(ctx, token))
  );
}

/** Present for a person's token that is for no MCP server. */
function applicationOf(token: OwnAccessToken): ApplicationToken | undefined {
  const { sid, gty } = token.claims;
  if (token.mcpServerId !== undefined || gty !== undefined || token.clientId === '')
    return undefined;
  return {
    userId: token.subject,
    clientId: token.clientId,
    sessionId: typeof sid === 'string' ? sid : '',
  };
}

/** A machine of an organization calls the application's own API. */
export function isOfOrganizationClient({ clientId, subject, claims }: OwnAccessToken): boolean {
  return /^m2morg_[0-9]+$/.test(clientId) && subject === clientId && claims['gty'] !== undefined;
}

/** Its client is there, switched on, and has not been ended since: then its handle would be another. */
async function hasLiveClient(ctx: Ctx, { clientId, handles }: OwnAccessToken): Promise<boolean> {
  const live = await findMachine(ctx.db, { environmentId: ctx.environmentId, clientId });
  return (
    live !== undefined &&
    handles.includes(revocationHandle(live.revocationSecret, ctx.environmentId))
  );
}

async function issuedBeforeAll(ctx: Ctx, token: OwnAccessToken): Promise<boolean> {
  const { revokedBefore } = (await environmentOf(ctx)).settings;
  return revokedBefore !== undefined && issuedBefore(token, new Date(revokedBefore));
}

function issuedBefore(token: OwnAccessToken, moment: McpServer['revokedBefore']): boolean {
  return moment !== undefined && token.issuedAt * 1000 < moment.getTime();
}
