import { listConsents } from '../grants/consents.store.ts';
import { revokeConsent } from '../grants/grants.ts';
import { findMcpServerRow, type McpServer } from '../mcp/mcp-servers.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import type { Client } from './client.ts';
import { type ClientRecord, findClientRecord, findClientRecords } from './clients.store.ts';
import { deleteClient } from './manage-clients.ts';
import { findNamedClient, listNamedClients } from './resource-clients.store.ts';

/** A client as the management API shows it; `handle` is its name there. */
export type ResourceClientRecord = ClientRecord & { readonly handle: string };

const MOST_CLIENTS = 1000;
const MOST_CONSENTS = 1000;

/** The MCP server of a management call, disabled ones too. */
export async function liveServer(ctx: Ctx, id: string): Promise<McpServer | undefined> {
  const found = await findMcpServerRow(ctx.db, { environmentId: ctx.environmentId, id });
  return found?.deletedAt === undefined ? found : undefined;
}

/** A client of this MCP server: its own, or one known by a document that somebody there has allowed. */
export async function findResourceClient(
  ctx: Ctx,
  mcpServerId: string,
  name: string,
): Promise<ResourceClientRecord | undefined> {
  const found = await namedRecord(ctx, name);
  if (found?.client.kind !== 'mcp' || found.client.organizationId !== undefined) return undefined;
  if (found.client.registration !== 'metadata-document')
    return found.client.mcpServerId === mcpServerId ? found : undefined;
  const [consent] = await consentsAt(ctx, mcpServerId, found.client, 1);
  return consent && found;
}

/** Any live client of the environment by its name in the management API. */
export async function namedRecord(
  ctx: Ctx,
  name: string,
): Promise<ResourceClientRecord | undefined> {
  const { db, environmentId } = ctx;
  const named = await findNamedClient(db, { environmentId, name });
  const record = named && (await findClientRecord(db, { environmentId, id: named.id }));
  return record && record.deletedAt === undefined ? { ...record, handle: named.handle } : undefined;
}

/** The clients of an MCP server, newest first, at most a thousand. */
export async function listResourceClients(
  ctx: Ctx,
  mcpServerId: string,
): Promise<ResourceClientRecord[]> {
  const { db, environmentId } = ctx;
  const named = await listNamedClients(db, { environmentId, mcpServerId, limit: MOST_CLIENTS });
  const found = await findClientRecords(db, { environmentId, ids: named.map(({ id }) => id) });
  const byId = new Map(found.map((record) => [record.client.id, record]));
  return named.flatMap(({ id, handle }) => {
    const record = byId.get(id);
    return record && record.deletedAt === undefined ? [{ ...record, handle }] : [];
  });
}

/** What people have allowed this client at this server. */
export async function consentsAt(
  ctx: Ctx,
  mcpServerId: string,
  client: Client,
  limit = MOST_CONSENTS,
) {
  const { db, environmentId } = ctx;
  return await listConsents(db, { environmentId, mcpServerId, clientId: client.id, limit });
}

/**
 * Ends a client at one MCP server, with its tokens there. The server's own clients are deleted; one that is known by its
 * document is not ours to delete and may be used at other servers, so every consent here is withdrawn.
 */
export async function removeResourceClient(
  ctx: Ctx,
  mcpServerId: string,
  client: Client,
): Promise<boolean> {
  if (client.registration !== 'metadata-document') return await deleteClient(ctx, client.id);
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    let ended = 0;
    for (;;) {
      const consents = await consentsAt(inside, mcpServerId, client);
      if (consents.length === 0) return ended > 0;
      for (const { id } of consents)
        if (await revokeConsent(inside, { consentId: id, because: 'client-deleted' })) ended += 1;
    }
  });
}
