import type { Client } from '../../clients/clients.ts';
import { environmentOf } from '../../environments/environments.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { redirectKind } from '../redirect-uri.ts';

const DAY = 86_400;
const APPLICATION_REFRESH = { idleSeconds: 30 * DAY, absoluteSeconds: 365 * DAY };
/** AS-111: for clients that nobody vouches for and whose redirects any program on the machine can receive. */
const NATIVE_ABSOLUTE = 90 * DAY;

/**
 * Seconds that an access token lives: the client's own setting, else the MCP server's (AS-118), else what the environment says
 * of its applications (FSA-39).
 */
export async function accessTokenLifetime(
  ctx: Pick<Ctx, 'db' | 'environmentId' | 'now'>,
  client: Client,
  mcpServer: McpServer | undefined,
): Promise<number> {
  const own = client.settings.accessTokenLifetime ?? mcpServer?.accessTokenLifetime;
  if (own !== undefined) return own;
  return (await environmentOf(ctx)).settings.sessionPolicy.accessTokenMinutes * 60;
}

/** Idle and absolute lifetime of a refresh family, in seconds (AS-111). */
export function refreshLifetimes(
  client: Client,
  mcpServer: McpServer | undefined,
  redirectUri: string,
): { idleSeconds: number; absoluteSeconds: number } {
  const { idleSeconds, absoluteSeconds } = mcpServer
    ? {
        idleSeconds: mcpServer.refreshIdleLifetime,
        absoluteSeconds: mcpServer.refreshAbsoluteLifetime,
      }
    : APPLICATION_REFRESH;
  const native = [...client.redirectUris, redirectUri].some((uri) => redirectKind(uri) !== 'https');
  return {
    idleSeconds,
    absoluteSeconds:
      client.registration !== 'admin' && native
        ? Math.min(absoluteSeconds, NATIVE_ABSOLUTE)
        : absoluteSeconds,
  };
}

/** Whether the grant gets a refresh family (AS-106); applications ask for one with offline_access. */
export function issuesRefreshTokens(
  client: Client,
  mcpServer: McpServer | undefined,
  scopes: readonly string[],
): boolean {
  if (!client.grantTypes.includes('refresh_token')) return false;
  if (!mcpServer) return scopes.includes('offline_access');
  return mcpServer.settings.refreshPolicy === 'grant_type' || scopes.includes('offline_access');
}
