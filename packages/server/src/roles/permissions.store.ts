import { type Db, sql } from '../storage/db.ts';

/** A permission of the environment; the scopes of MCP servers are permissions. */
export type Permission = {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = { id: string; name: string; description: string; created_at: Date; updated_at: Date };
const fromRow = (row: Row): Permission => ({
  id: row.id,
  name: row.name,
  description: row.description,
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
    values (${by.environmentId}, ${by.id}, ${by.name}, ${by.description}, ${by.now}, ${by.now}) returning id, name, description, created_at, updated_at`);
  const row = rows[0];
  if (!row) throw new Error('the permission was not written');
  return fromRow(row);
}

/** Adds what is not there yet, with an empty description; two callers at once end with one row each. */
export async function ensurePermissions(
  db: Db,
  by: { environmentId: string; permissions: readonly { id: string; name: string }[]; now: Date },
): Promise<void> {
  for (const permission of by.permissions) {
    await db.rows(sql`
      insert into permissions (environment_id, id, name, description, created_at, updated_at)
      values (${by.environmentId}, ${permission.id}, ${permission.name}, '', ${by.now}, ${by.now}) on conflict do nothing`);
  }
}

export async function findPermission(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<Permission | undefined> {
  const rows = await db.rows<Row>(
    sql`select id, name, description, created_at, updated_at from permissions where environment_id = ${by.environmentId} and name = ${by.name}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** In the order of their names, after the given one. */
export async function listPermissions(
  db: Db,
  by: { environmentId: string; after?: string; limit: number },
): Promise<Permission[]> {
  const rows = await db.rows<Row>(sql`
    select id, name, description, created_at, updated_at from permissions where environment_id = ${by.environmentId} and name > ${by.after ?? ''} order by name limit ${by.limit}`);
  return rows.map(fromRow);
}

export async function countPermissions(db: Db, environmentId: string): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from permissions where environment_id = ${environmentId}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

export async function updatePermission(
  db: Db,
  by: { environmentId: string; name: string; description: string; now: Date },
): Promise<Permission | undefined> {
  const rows = await db.rows<Row>(sql`
    update permissions set description = ${by.description}, updated_at = ${by.now} where environment_id = ${by.environmentId} and name = ${by.name}
    returning id, name, description, created_at, updated_at`);
  return rows[0] && fromRow(rows[0]);
}

export async function deletePermission(
  db: Db,
  by: { environmentId: string; name: string },
): Promise<boolean> {
  const rows = await db.rows(
    sql`delete from permissions where environment_id = ${by.environmentId} and name = ${by.name} returning id`,
  );
  return rows.length === 1;
}
