import type { Ctx } from '../runtime/context.ts';
import { rowCache } from '../storage/row-cache.ts';
import { findMcpServerRow, type McpServer } from './mcp-servers.store.ts';

export type { McpServer } from './mcp-servers.store.ts';

const remembered = rowCache<McpServer>('mcp_servers');

/** An MCP server by id, disabled and deleted ones too, as of at most 30 seconds ago. */
export async function findMcpServer(
  ctx: Pick<Ctx, 'db' | 'environmentId' | 'now'>,
  id: string,
): Promise<McpServer | undefined> {
  if (!/^res_[0-9]{15,19}$/.test(id)) return undefined;
  return await remembered(ctx, ctx.environmentId, id, () =>
    findMcpServerRow(ctx.db, { environmentId: ctx.environmentId, id }),
  );
}

/** Whether tokens may be issued for the server. */
export function isServing(server: McpServer | undefined): server is McpServer {
  return server?.enabled === true && server.deletedAt === undefined;
}

/** R: the issuer of one MCP server. */
export function issuerOf(ctx: Pick<Ctx, 'issuer'>, server: Pick<McpServer, 'id'>): string {
  return `${ctx.issuer}/resources/${server.id}`;
}

/** `aud` of tokens for the server: the Server URL exactly as registered, and the id (AS-37, AS-38). */
export function audienceOf(server: Pick<McpServer, 'id' | 'serverUrl'>): string[] {
  return server.serverUrl === undefined ? [server.id] : [server.serverUrl, server.id];
}
