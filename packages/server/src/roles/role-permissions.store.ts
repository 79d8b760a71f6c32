import { type Db, sql } from '../storage/db.ts';
import type { Permission } from './permissions.store.ts';

/** A permission that a role has, with the role it has it from: itself, or the nearest base. */
export type RolePermission = Permission & {
  readonly roleId: string;
  readonly fromRole: string;
};

type Row = {
  role_id: string;
  from_role: string;
  id: string;
  name: string;
  description: string;
  built_in: boolean;
  created_at: Date;
  updated_at: Date;
};
const fromRow = (row: Row): RolePermission => ({
  roleId: row.role_id,
  fromRole: row.from_role,
  id: row.id,
  name: row.name,
  description: row.description,
  builtIn: row.built_in,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** What these roles permit, by themselves or along their bases too; one statement, sorted by role and name, each name once. */
export async function permissionsOfRoles(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly roleIds: readonly string[];
    readonly inherited: boolean;
  },
): Promise<RolePermission[]> {
  const rows = await db.rows<Row>(sql`
    with recursive line as (
      select r.id as role_id, r.id, r.name, r.base_id, 0 as steps from roles r
       where r.environment_id = ${by.environmentId} and r.id = any(${by.roleIds})
      union all
      select line.role_id, r.id, r.name, r.base_id, line.steps + 1 from line
        join roles r on r.environment_id = ${by.environmentId} and r.id = line.base_id
       where ${by.inherited}::boolean
    )
    select distinct on (line.role_id, p.name) line.role_id, line.name as from_role,
           p.id, p.name, p.description, p.built_in, p.created_at, p.updated_at
      from line
      join role_permissions rp on rp.environment_id = ${by.environmentId} and rp.role_id = line.id
      join permissions p on p.environment_id = ${by.environmentId} and p.name = rp.permission_name
     order by line.role_id, p.name, line.steps`);
  return rows.map(fromRow);
}

/** Adds what the role does not have yet. Answers the names that are permissions at all. */
export async function addPermissions(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly roleId: string;
    readonly names: readonly string[];
  },
): Promise<string[]> {
  const rows = await db.rows<{ name: string }>(sql`
    with known as (
      select name from permissions where environment_id = ${by.environmentId} and name = any(${by.names}) order by name for key share
    ), added as (
      insert into role_permissions (environment_id, role_id, permission_name)
      select ${by.environmentId}, ${by.roleId}, name from known on conflict do nothing
    )
    select name from known`);
  return rows.map(({ name }) => name);
}

/** Takes away all that are not among the names. */
export async function keepPermissions(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly roleId: string;
    readonly names: readonly string[];
  },
): Promise<void> {
  await db.rows(sql`
    delete from role_permissions where environment_id = ${by.environmentId} and role_id = ${by.roleId} and permission_name <> all(${by.names})`);
}

/** False: the role did not have it by itself. */
export async function removePermission(
  db: Db,
  by: { readonly environmentId: string; readonly roleId: string; readonly name: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    delete from role_permissions where environment_id = ${by.environmentId} and role_id = ${by.roleId} and permission_name = ${by.name} returning role_id`);
  return rows.length > 0;
}
