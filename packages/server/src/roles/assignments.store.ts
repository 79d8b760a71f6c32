import { type Db, type Sql, sql } from '../storage/db.ts';
import type { RoleScope } from './roles.store.ts';

/** A role that somebody is to have, by name or by id. */
export type WantedRole = { readonly name: string } | { readonly id: string };

type Row = { id: string; name: string; organization_id: string | null };

const within = ({ environmentId, organizationId }: RoleScope): Sql =>
  sql`r.environment_id = ${environmentId} and (r.organization_id is null or r.organization_id = ${organizationId})`;

/**
 * The ids of roles as one organization means them, in the order of the request and undefined where there is none: its own
 * come before the environment's. Nobody can delete them until the transaction ends. One statement.
 */
export async function takeRoles(
  db: Db,
  scope: RoleScope,
  wanted: readonly WantedRole[],
): Promise<(string | undefined)[]> {
  if (wanted.length === 0) return [];
  const names = wanted.flatMap((role) => ('name' in role ? [role.name.toLowerCase()] : []));
  const ids = wanted.flatMap((role) => ('id' in role ? [role.id] : []));
  const rows = await db.rows<Row>(sql`
    select r.id, r.name, r.organization_id from roles r
     where ${within(scope)} and (lower(r.name) = any(${names}::text[]) or r.id = any(${ids}::text[])) order by r.id for key share`);
  return wanted.map((role) => {
    if ('id' in role) return rows.find((row) => row.id === role.id)?.id;
    const called = rows.filter((row) => row.name.toLowerCase() === role.name.toLowerCase());
    return (called.find((row) => row.organization_id !== null) ?? called[0])?.id;
  });
}

/** The role that new members of an organization get, which nobody can delete until the transaction ends. */
export async function takeMemberRole(db: Db, scope: RoleScope): Promise<string> {
  const rows = await db.rows<{ id: string }>(sql`
    select r.id from default_roles standard
      left join organization_default_roles own on own.environment_id = standard.environment_id and own.organization_id = ${scope.organizationId}
      join roles r on r.environment_id = standard.environment_id and r.id = coalesce(own.member_role_id, standard.member_role_id)
     where standard.environment_id = ${scope.environmentId} for key share of r`);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('an environment has no default roles');
  return id;
}

/** How many people have a role: anywhere, or in one organization. */
export async function countRoleUsers(db: Db, scope: RoleScope, roleId: string): Promise<bigint> {
  const rows = await db.rows<{ count: bigint }>(sql`
    select count(*) as count from (
      select distinct user_id from membership_roles where environment_id = ${scope.environmentId} and role_id = ${roleId}
         ${scope.organizationId === undefined ? sql`` : sql`and organization_id = ${scope.organizationId}`}) people`);
  return rows[0]?.count ?? 0n;
}

/** Gives everybody who has one role another one instead. */
export async function reassignRole(
  db: Db,
  by: { readonly environmentId: string; readonly fromId: string; readonly toId: string },
): Promise<void> {
  await db.rows(sql`
    with moved as (
      delete from membership_roles where environment_id = ${by.environmentId} and role_id = ${by.fromId} returning organization_id, user_id
    )
    insert into membership_roles (environment_id, organization_id, user_id, role_id)
    select ${by.environmentId}, organization_id, user_id, ${by.toId} from moved on conflict do nothing`);
}
