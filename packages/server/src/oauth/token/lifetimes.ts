import type { Client } from '../../clients/clients.ts';
import { APPLICATION_SESSION_POLICY } from '../../environments/session-policy.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import { redirectKind } from '../redirect-uri.ts';

const DAY = 86_400;
/** Access tokens of applications, in seconds. */
const APPLICATION_ACCESS_TOKEN = APPLICATION_SESSION_POLICY.accessTokenMinutes * 60;
const APPLICATION_REFRESH = { idleSeconds: 30 * DAY, absoluteSeconds: 365 * DAY };
/** AS-111: for clients that nobody vouches for and whose redirects any program on the machine can receive. */
const NATIVE_ABSOLUTE = 90 * DAY;

/** Seconds that an access token lives: the client's own setting, else the MCP server's (AS-118). */
export function accessTokenLifetime(client: Client, mcpServer: McpServer | undefined): number {
  return (
    client.settings.accessTokenLifetime ??
    mcpServer?.accessTokenLifetime ??
    APPLICATION_ACCESS_TOKEN
  );
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
