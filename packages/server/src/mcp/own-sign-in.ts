import { recordFor } from '../events/events.ts';
import { endGrantsOfServer } from '../grants/grants.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { findConnection } from '../sso/connections.store.ts';
import { type Connection, createConnection, removeConnection } from '../sso/connections.ts';
import { lockMcpServer, setMcpServerConnection } from './mcp-servers.store.ts';

/**
 * The connection by which people sign in to an MCP server with the application's own login page: made when there is none. It
 * serves nobody before it knows that page and was enabled. Undefined when there is no such server.
 */
export async function ensureOwnSignIn(
  ctx: Ctx,
  mcpServerId: string,
): Promise<Connection | undefined> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const server = await lockMcpServer(tx, { environmentId, id: mcpServerId });
    if (!server) return undefined;
    if (server.connectionId !== undefined) {
      const key = { environmentId, organizationId: undefined, id: server.connectionId };
      return await findConnection(tx, key);
    }
    const inside = withDb(ctx, tx);
    const made = await createConnection(inside, {
      organizationId: undefined,
      type: 'TRUSTED_IDP',
      provider: 'CUSTOM',
      providerKey: 'CUSTOM',
      keyId: undefined,
    });
    if (made.kind !== 'written') throw new Error('the connection was not written');
    await setConnection(inside, mcpServerId, made.connection.id);
    return made.connection;
  });
}

/**
 * From now on people sign in here; the connection is gone, and whatever was granted to people whom it alone knew. False when there
 * is no such server.
 */
export async function removeOwnSignIn(ctx: Ctx, mcpServerId: string): Promise<boolean> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const server = await lockMcpServer(tx, { environmentId, id: mcpServerId });
    if (!server) return false;
    const { connectionId } = server;
    if (connectionId === undefined) return true;
    const inside = withDb(ctx, tx);
    await setConnection(inside, mcpServerId, undefined);
    await removeConnection(inside, { organizationId: undefined, id: connectionId });
    await endGrantsOfServer(inside, { mcpServerId, because: 'own-sign-in-removed' });
    return true;
  });
}

async function setConnection(
  ctx: Ctx,
  id: string,
  connectionId: string | undefined,
): Promise<void> {
  const { environmentId } = ctx;
  await setMcpServerConnection(ctx.db, { environmentId, id, connectionId, now: ctx.now() });
  const data = { members: ['provider'] };
  await recordFor(ctx, { type: 'mcp_server.updated', mcpServerId: id, data });
}
