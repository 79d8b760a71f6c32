import { type Db, sql } from '../storage/db.ts';

export type Machine = { readonly revocationSecret: Uint8Array; readonly managementApi: boolean };

/** A client that asks for a token of its own, as it is at this moment; absent when it, or its MCP server, may not get one. */
export async function findMachine(
  db: Db,
  by: { environmentId: string; clientId: string; mcpServerId?: string | undefined },
): Promise<Machine | undefined> {
  const rows = await db.rows<{ revocation_secret: Uint8Array; management_api: boolean }>(sql`
    select c.revocation_secret, c.management_api from clients c
     where c.environment_id = ${by.environmentId} and c.id = ${by.clientId} and c.enabled and c.deleted_at is null
       and (${by.mcpServerId}::text is null or exists (
         select 1 from mcp_servers m where m.environment_id = c.environment_id and m.id = ${by.mcpServerId} and m.enabled and m.deleted_at is null))`);
  const row = rows[0];
  return row && { revocationSecret: row.revocation_secret, managementApi: row.management_api };
}
