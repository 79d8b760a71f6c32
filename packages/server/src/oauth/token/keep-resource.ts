import { environmentOf } from '../../environments/environments.ts';
import { mcpServersCovering } from '../../mcp/mcp-servers.store.ts';
import { issuerOf, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import {
  ancestorKeys,
  isAtOrBelow,
  isLoopbackResource,
  resourceKey,
} from '../resource-indicator.ts';

/** The MCP server that a grant is bound to, and the value it was named by where it has no Server URL. */
export type Bound = {
  readonly mcpServer: McpServer | undefined;
  readonly resource?: string | undefined;
};

/**
 * A `resource` at the token endpoint may only repeat what the grant is bound to (RFC 8707 section 2.2, AS-39): the server's
 * name, its Server URL, or an address below it (AS-36). Missing means that nothing changes.
 *
 * @throws {OAuthError} invalid_target: another resource, or several (AS-34)
 */
export async function keepResource(
  ctx: Ctx,
  values: readonly string[],
  bound: Bound,
): Promise<void> {
  const different = [...new Set(values)];
  if (different.length > 1)
    throw new OAuthError('invalid_target', 'more than one resource was asked for');
  const [value] = different;
  if (value !== undefined && !(await names(ctx, value, bound))) {
    throw new OAuthError('invalid_target', 'the resource is not the one that was granted');
  }
}

async function names(ctx: Ctx, value: string, { mcpServer, resource }: Bound): Promise<boolean> {
  if (!mcpServer) return false;
  if (value === mcpServer.id || value === issuerOf(ctx, mcpServer) || value === resource)
    return true;
  const key = resourceKey(value);
  if (key === undefined) return false;
  if (mcpServer.serverUrlKey !== undefined)
    return await isOf(ctx, mcpServer, mcpServer.serverUrlKey, key);
  return isLoopbackResource(value) && (await environmentOf(ctx)).kind === 'DEVELOPMENT'; // AS-38
}

/** AS-36: the Server URL, or an address below it that no other server of the environment, enabled or not, lies closer to. */
async function isOf(
  ctx: Ctx,
  mcpServer: McpServer,
  serverKey: string,
  key: string,
): Promise<boolean> {
  if (key === serverKey) return true;
  if (!isAtOrBelow(key, serverKey)) return false;
  const [closest] = await mcpServersCovering(ctx.db, {
    environmentId: ctx.environmentId,
    keys: ancestorKeys(key),
  });
  return closest?.id === mcpServer.id;
}
