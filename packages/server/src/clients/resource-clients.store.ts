import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** A client with its name in the management API: its id, or a short one where the id is the URL of a metadata document. */
export type NamedClient = { readonly id: string; readonly handle: string };

type At = { readonly environmentId: string; readonly mcpServerId: string };

const shownId = sql`case c.registration when 'metadata-document' then c.handle else c.id end`;

/** The live client that goes by this name. */
export async function findNamedClient(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<NamedClient | undefined> {
  const rows = await db.rows<NamedClient>(sql`
    select c.id, ${shownId} as handle from clients c
     where c.environment_id = ${by.environmentId} and (c.id = ${by.name} or c.handle = ${by.name}) and ${shownId} = ${by.name} and c.deleted_at is null`);
  return rows[0];
}

/** Those that belong to the server, and those known by a document that somebody there has allowed. */
function ofServer(by: At): Sql {
  return sql`c.environment_id = ${by.environmentId} and c.deleted_at is null and c.kind = 'mcp' and c.organization_id is null and (c.mcp_server_id = ${by.mcpServerId}
    or c.registration = 'metadata-document' and exists (select 1 from consents o
      where o.environment_id = c.environment_id and o.client_id = c.id and o.mcp_server_id = ${by.mcpServerId} and o.revoked_at is null))`;
}

/** Live clients of one MCP server, newest first. */
export async function listNamedClients(
  db: Db,
  by: At & { readonly limit: number },
): Promise<NamedClient[]> {
  return await db.rows<NamedClient>(
    sql`select c.id, ${shownId} as handle from clients c where ${ofServer(by)} order by c.created_at desc, c.id limit ${by.limit}`,
  );
}

/** How many clients of the server registered themselves, and how many an administrator made. */
export async function countResourceClients(
  db: Db,
  by: At,
): Promise<{ readonly dynamic: number; readonly admin: number }> {
  const rows = await db.rows<{ dynamic: bigint; admin: bigint }>(sql`
    select count(*) filter (where c.registration = 'dynamic') as dynamic, count(*) filter (where c.registration = 'admin') as admin from clients c where ${ofServer(by)}`);
  return { dynamic: Number(rows[0]?.dynamic ?? 0n), admin: Number(rows[0]?.admin ?? 0n) };
}

export type ResourceConsent = {
  readonly id: string;
  readonly userId: string;
  readonly clientHandle: string;
  readonly clientName: string;
  readonly scopes: readonly string[];
  readonly grantedAt: Date;
};

/** Live consents at one server whose client or person matches, newest first (AS-134). */
export async function listResourceConsents(
  db: Db,
  by: At & { readonly search: string; readonly page: PageQuery },
): Promise<ResourceConsent[]> {
  return await consentPage(db, matching(by), by.page);
}

/** Live consents of one person, newest first (AS-134). */
export async function listConsentsOfPerson(
  db: Db,
  by: OfPerson & { readonly page: PageQuery },
): Promise<ResourceConsent[]> {
  return await consentPage(db, ofPerson(by), by.page);
}

export async function countConsentsOfPerson(db: Db, by: OfPerson): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`select count(*) as count from ${ofPerson(by)}`);
  return Number(rows[0]?.count ?? 0n);
}

type OfPerson = { readonly environmentId: string; readonly userId: string };

function ofPerson(by: OfPerson): Sql {
  return sql`consents o join clients c on c.environment_id = o.environment_id and c.id = o.client_id
   where o.environment_id = ${by.environmentId} and o.user_id = ${by.userId} and o.revoked_at is null`;
}

async function consentPage(db: Db, matched: Sql, page: PageQuery): Promise<ResourceConsent[]> {
  const rows = await db.rows<{
    id: string;
    user_id: string;
    client_handle: string;
    client_name: string;
    scopes: string[];
    updated_at: Date;
  }>(sql`
    select o.id, o.user_id, ${shownId} as client_handle, c.name as client_name, o.scopes, o.updated_at from ${matched} ${inPage(sql`o.id`, page)}`);
  return rows.map((row) => ({
    id: row.id,
    userId: row.user_id,
    clientHandle: row.client_handle,
    clientName: row.client_name,
    scopes: row.scopes,
    grantedAt: row.updated_at,
  }));
}

export async function countResourceConsents(
  db: Db,
  by: At & { readonly search: string },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`select count(*) as count from ${matching(by)}`);
  return Number(rows[0]?.count ?? 0n);
}

function matching(by: At & { readonly search: string }): Sql {
  return sql`consents o join clients c on c.environment_id = o.environment_id and c.id = o.client_id
    left join users u on u.environment_id = o.environment_id and u.id = o.user_id
   where o.environment_id = ${by.environmentId} and o.mcp_server_id = ${by.mcpServerId} and o.revoked_at is null
     and (${by.search} = '' or strpos(lower(concat_ws(' ', c.name, c.id, c.handle, o.user_id, u.email)), lower(${by.search})) > 0)`;
}
