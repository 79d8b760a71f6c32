import type { Ctx } from '../runtime/context.ts';
import { findMcpServer, issuerOf, type McpServer } from './mcp-servers.ts';

/** The issuer whose endpoint was called: E, or R with its MCP server, which may be disabled. */
export type Issuer = { readonly issuer: string; readonly mcpServer: McpServer | undefined };

/**
 * Which issuer an endpoint belongs to, from the id in its path: none means E (AS-6). Absent when the id names no server of this
 * environment.
 */
export async function issuerAt(
  ctx: Ctx,
  resourceId: string | undefined,
): Promise<Issuer | undefined> {
  if (resourceId === undefined) return { issuer: ctx.issuer, mcpServer: undefined };
  const mcpServer = await findMcpServer(ctx, resourceId);
  return mcpServer && { issuer: issuerOf(ctx, mcpServer), mcpServer };
}
