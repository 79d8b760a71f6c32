import { findMcpServer, isServing, type McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';

/** @throws {OAuthError} not_found: no such MCP server, or none that serves */
export async function servingServer(ctx: Ctx, id: string): Promise<McpServer> {
  const mcpServer = await findMcpServer(ctx, id);
  if (!isServing(mcpServer)) throw new OAuthError('not_found', 'there is no such MCP server');
  return mcpServer;
}
