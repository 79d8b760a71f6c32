import { type Event, eventSql } from '../events/events.ts';
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

/**
 * The gate of a machine's token, which is its event: nothing is written when client or server have ended, or the client's secret
 * behind its handle was replaced, since they were looked at.
 */
export async function recordMachineToken(
  db: Db,
  by: {
    environmentId: string;
    clientId: string;
    mcpServerId?: string | undefined;
    revocationSecret: Uint8Array;
    event: Event;
  },
): Promise<boolean> {
  const rows = await db.rows(sql`
    ${eventSql(by.event)}
     where exists (select 1 from clients c where c.environment_id = ${by.environmentId} and c.id = ${by.clientId} and c.enabled and c.deleted_at is null
             and c.revocation_secret = ${by.revocationSecret})
       and (${by.mcpServerId}::text is null or exists (
             select 1 from mcp_servers m where m.environment_id = ${by.environmentId} and m.id = ${by.mcpServerId} and m.enabled and m.deleted_at is null))
    returning id`);
  return rows.length === 1;
}
