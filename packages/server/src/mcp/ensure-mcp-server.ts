import type { Ctx } from '../runtime/context.ts';
import { changeMcpServer, createMcpServer, type McpServerInput } from './manage-mcp-servers.ts';
import { listMcpServers } from './mcp-servers.store.ts';
import type { McpServer } from './mcp-servers.ts';

const MOST_SERVERS = 1000;

/**
 * Makes sure that an MCP server of this name exists and is as given: for seeding, where a start follows a start. The first one
 * of the name counts.
 *
 * @throws {Error} the input is not acceptable, in words
 */
export async function ensureMcpServer(
  ctx: Ctx,
  input: McpServerInput & { readonly name: string },
): Promise<McpServer> {
  const servers = await listMcpServers(ctx.db, {
    environmentId: ctx.environmentId,
    limit: MOST_SERVERS,
  });
  const existing = servers.find((server) => server.name === input.name);
  const outcome = existing
    ? await changeMcpServer(ctx, existing.id, input)
    : await createMcpServer(ctx, input);
  switch (outcome.kind) {
    case 'written':
      return outcome.server;
    case 'unknown':
      throw new Error(`MCP server ${input.name} vanished while it was changed`);
    case 'invalid':
    case 'taken':
      throw new Error(`MCP server ${input.name}: ${outcome.message}`);
  }
}
