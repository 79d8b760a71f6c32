import { environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { endGrantsOfServer } from '../grants/grants.ts';
import { ensurePermissions } from '../roles/permissions.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { removeConnection } from '../sso/connections.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  applied,
  appliedScopes,
  type McpServerInput,
  type McpServerProblem,
  problemOf,
} from './mcp-server-input.ts';
import {
  deleteMcpServer as deleteRow,
  findMcpServerRow,
  insertMcpServer,
  lockMcpServer,
  type McpServer,
  type McpServerScopeWrite,
  replaceMcpServerScopes,
  updateMcpServer,
} from './mcp-servers.store.ts';

export type { McpServerInput, ScopeInput } from './mcp-server-input.ts';

export type McpServerOutcome =
  | { readonly kind: 'written'; readonly server: McpServer }
  | { readonly kind: 'unknown' }
  | McpServerProblem;

const ID_ATTEMPTS = 5;

/** Registers an MCP server. Its id is new and never used again (AS-13). */
export async function createMcpServer(ctx: Ctx, input: McpServerInput): Promise<McpServerOutcome> {
  const environment = await environmentOf(ctx);
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'res');
    try {
      return await ctx.db.transaction(async (tx) => {
        const inside = withDb(ctx, tx);
        const write = applied(ctx, undefined, { ...input, id });
        const problem = await problemOf(inside, environment, write, input);
        if (problem) return problem;
        const scopes = appliedScopes([], input);
        if (scopes && 'kind' in scopes) return scopes;
        await insertMcpServer(tx, write);
        return await finish(inside, id, scopes, {
          type: 'mcp_server.created',
          members: Object.keys(input),
        });
      });
    } catch (error) {
      if (isUniqueViolation(error, 'mcp_servers_by_url')) return URL_TAKEN;
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/**
 * Changes an MCP server: only the given members. Switching it off ends what was granted for it, and tells verifiers that
 * nothing issued until now counts (AS-13).
 */
export async function changeMcpServer(
  ctx: Ctx,
  id: string,
  input: McpServerInput,
): Promise<McpServerOutcome> {
  const environment = await environmentOf(ctx);
  try {
    return await ctx.db.transaction(async (tx) => {
      const inside = withDb(ctx, tx);
      const current = await lockMcpServer(tx, { environmentId: ctx.environmentId, id });
      if (!current) return { kind: 'unknown' };
      const write = applied(ctx, current, { ...input, id });
      const problem = await problemOf(inside, environment, write, input);
      if (problem) return problem;
      const scopes = appliedScopes(current.scopes, input);
      if (scopes && 'kind' in scopes) return scopes;
      await updateMcpServer(tx, write);
      if (current.enabled && !write.enabled)
        await endGrantsOfServer(inside, { mcpServerId: id, because: 'server-disabled' });
      return await finish(inside, id, scopes, {
        type: 'mcp_server.updated',
        members: Object.keys(input),
      });
    });
  } catch (error) {
    if (isUniqueViolation(error, 'mcp_servers_by_url')) return URL_TAKEN;
    throw error;
  }
}

/** Deletes an MCP server, with everything that was granted for it (AS-13). False when there is none. */
export async function deleteMcpServer(ctx: Ctx, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const { environmentId } = ctx;
    const server = await lockMcpServer(tx, { environmentId, id });
    if (!server || !(await deleteRow(tx, { environmentId, id, now: ctx.now() }))) return false;
    if (server.connectionId !== undefined)
      await removeConnection(inside, { organizationId: undefined, id: server.connectionId });
    await endGrantsOfServer(inside, { mcpServerId: id, because: 'server-deleted' });
    await recordFor(inside, { type: 'mcp_server.deleted', mcpServerId: id });
    return true;
  });
}

const URL_TAKEN: McpServerOutcome = {
  kind: 'taken',
  field: 'resource_uri',
  message: 'another MCP server of this environment has this Server URL',
};

/** Scopes, event and the row as it now is; part of the transaction that wrote it. */
async function finish(
  ctx: Ctx,
  id: string,
  scopes: readonly McpServerScopeWrite[] | undefined,
  { type, members }: { readonly type: string; readonly members: readonly string[] },
): Promise<McpServerOutcome> {
  const { db, environmentId } = ctx;
  if (scopes) {
    await ensurePermissions(db, {
      environmentId,
      permissions: withIds(ctx, scopes),
      now: ctx.now(),
    });
    await replaceMcpServerScopes(db, { environmentId, mcpServerId: id, scopes });
  }
  await recordFor(ctx, { type, mcpServerId: id, data: { members } });
  const server = await findMcpServerRow(db, { environmentId, id });
  if (!server) throw new Error(`MCP server ${id} was not written`);
  return { kind: 'written', server };
}

/** Ids of one millisecond can be equal; here they must not. */
function withIds(
  ctx: Ctx,
  scopes: readonly McpServerScopeWrite[],
): { readonly id: string; readonly name: string }[] {
  const ids = new Set<string>();
  while (ids.size < scopes.length) ids.add(newId(ctx, 'perm'));
  const free = [...ids];
  return scopes.map(({ name }, index) => ({ id: free[index] ?? '', name }));
}
