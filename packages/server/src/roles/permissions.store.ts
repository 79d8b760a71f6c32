import { type Db, json, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** A permission of the environment; the scopes of MCP servers are permissions. */
export type Permission = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  /** Made with the environment for its own pages: cannot be changed or deleted. */
  readonly builtIn: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = {
  id: string;
  name: string;
  description: string;
  built_in: boolean;
  created_at: Date;
  updated_at: Date;
};
const fromRow = (row: Row): Permission => ({
  id: row.id,
  name: row.name,
  description: row.description,
  builtIn: row.built_in,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** @throws unique violation on `permissions_by_name` */
export async function insertPermission(
  db: Db,
  by: { environmentId: string; id: string; name: string; description: string; now: Date },
): Promise<Permission> {
  const rows = await db.rows<Row>(sql`
    insert into permissions (environment_id, id, name, description, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${by.name}, ${by.description}, ${by.now}, ${by.now}) returning id, name, description, built_in, created_at, updated_at`);
  const row = rows[0];
  if (!row) throw new Error('the permission was not written');
  return fromRow(row);
}

/**
 * Adds what is not there yet, with an empty description, and keeps all of them from being deleted until the transaction ends.
 * Two callers at once end with one row each.
 */
export async function ensurePermissions(
  db: Db,
  by: { environmentId: string; permissions: readonly { id: string; name: string }[]; now: Date },
): Promise<void> {
  await db.rows(sql`
    insert into permissions (environment_id, id, name, description, created_at, updated_at)
    select ${by.environmentId}, given ->> 'id', given ->> 'name', '', ${by.now}::timestamptz, ${by.now}::timestamptz
      from jsonb_array_elements(${json(by.permissions)}::jsonb) as given order by given ->> 'name'
    on conflict (environment_id, name) do update set updated_at = permissions.updated_at`);
}

export async function findPermission(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<Permission | undefined> {
  const rows = await db.rows<Row>(
    sql`select id, name, description, built_in, created_at, updated_at from permissions where environment_id = ${by.environmentId} and name = ${by.name}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Newest first; `builtIn` leaves out the others, or the built-in ones. */
export async function listPermissionPage(
  db: Db,
  by: { environmentId: string; builtIn?: boolean | undefined; page: PageQuery },
): Promise<Permission[]> {
  const rows = await db.rows<Row>(sql`
    select id, name, description, built_in, created_at, updated_at from permissions
     where environment_id = ${by.environmentId} and (${by.builtIn}::boolean is null or built_in = ${by.builtIn}) ${inPage(sql`id`, by.page)}`);
  return rows.map(fromRow);
}

export async function countPermissions(
  db: Db,
  by: { environmentId: string; builtIn?: boolean | undefined },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from permissions where environment_id = ${by.environmentId} and (${by.builtIn}::boolean is null or built_in = ${by.builtIn})`,
  );
  return Number(rows[0]?.count ?? 0n);
}

export async function updatePermission(
  db: Db,
  by: { environmentId: string; name: string; description: string; now: Date },
): Promise<Permission | undefined> {
  const rows = await db.rows<Row>(sql`
    update permissions set description = ${by.description}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and name = ${by.name} and not built_in
    returning id, name, description, built_in, created_at, updated_at`);
  return rows[0] && fromRow(rows[0]);
}

export type PermissionUse = { readonly id: string; readonly name: string };

/** MCP servers that have the permission as a scope, and roles that permit it: at most ten of each. */
export async function usesOfPermission(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<PermissionUse[]> {
  return await db.rows<PermissionUse>(sql`
    (select m.id, m.name from mcp_server_scopes s join mcp_servers m on m.environment_id = s.environment_id and m.id = s.mcp_server_id
      where s.environment_id = ${by.environmentId} and s.name = ${by.name} order by m.id limit 10)
    union all
    (select r.id, r.name from role_permissions p join roles r on r.environment_id = p.environment_id and r.id = p.role_id
      where p.environment_id = ${by.environmentId} and p.permission_name = ${by.name} order by r.id limit 10)`);
}

/**
 * The row that was deleted.
 *
 * @throws foreign key violation: an MCP server or a role has it, see `isInUse`
 */
export async function deletePermission(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<Permission | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from permissions where environment_id = ${by.environmentId} and name = ${by.name} and not built_in returning id, name, description, built_in, created_at, updated_at`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Whether something refers to a row that is to be deleted, or a new row to one that is gone (SQLSTATE 23503). */
export function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23503';
}
