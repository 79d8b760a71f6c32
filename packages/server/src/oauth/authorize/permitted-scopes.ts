import type { Client } from '../../clients/client.ts';
import type { McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { signsInElsewhere } from '../../users/users.store.ts';
import type { User } from '../../users/users.ts';

/**
 * What is left of the requested scopes: those the server still has, and of these what the deployment's policy permits this
 * person (AS-48). Asked each time a request goes on, so that the consent page shows, and a remembered consent gives, no more
 * than that. A policy that fails fails the request.
 */
export async function permittedScopes(
  ctx: Ctx,
  requested: readonly string[],
  by: {
    readonly client: Client;
    readonly mcpServer: McpServer | undefined;
    readonly user: User | undefined;
  },
): Promise<string[]> {
  const { mcpServer, user } = by;
  const known = requested.filter((name) => mcpServer?.scopes.some((scope) => scope.name === name));
  if (!mcpServer || !user || !ctx.permittedScopes || known.length === 0) return known;
  const permitted = await ctx.permittedScopes({
    environmentId: ctx.environmentId,
    mcpServerId: mcpServer.id,
    clientId: by.client.id,
    userId: user.id,
    email: signsInElsewhere(user) ? undefined : user.email,
    connectionId: mcpServer.connectionId,
    scopes: known,
  });
  return known.filter((name) => permitted.includes(name));
}
