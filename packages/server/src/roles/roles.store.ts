import { type Db, type Sql, sql } from '../storage/db.ts';

/** Whose roles: the environment's, or those of one organization. */
export type RoleScope = {
  readonly environmentId: string;
  /** Absent: the roles of the environment itself. */
  readonly organizationId?: string | undefined;
};

export type Role = {
  readonly id: string;
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** Absent: a role of the environment. */
  readonly organizationId: string | undefined;
  /** The name of the role whose permissions this one has as well. */
  readonly extends: string | undefined;
  /** How many roles have this one as their base. */
  readonly dependentRoles: number;
  readonly defaultCreator: boolean;
  /** In the eyes of an organization with a default of its own: that one. */
  readonly defaultMember: boolean;
};

type Row = {
  id: string;
  name: string;
  display_name: string;
  description: string;
  organization_id: string | null;
  base_name: string | null;
  dependents: bigint;
  default_creator: boolean;
  default_member: boolean;
};
const fromRow = (row: Row): Role => ({
  id: row.id,
  name: row.name,
  displayName: row.display_name,
  description: row.description,
  organizationId: row.organization_id ?? undefined,
  extends: row.base_name ?? undefined,
  dependentRoles: Number(row.dependents),
  defaultCreator: row.default_creator,
  defaultMember: row.default_member,
});

/** Roles as one scope sees them, up to the conditions on `r` that follow. */
const selectRoles = ({ environmentId, organizationId }: RoleScope): Sql => sql`
  select r.id, r.name, r.display_name, r.description, r.organization_id, base.name as base_name,
         (select count(*) from roles d where d.environment_id = r.environment_id and d.base_id = r.id) as dependents,
         r.id = standard.creator_role_id as default_creator,
         r.id = coalesce(own.member_role_id, standard.member_role_id) as default_member
    from roles r
    join default_roles standard on standard.environment_id = r.environment_id
    left join organization_default_roles own on own.environment_id = r.environment_id and own.organization_id = ${organizationId}
    left join roles base on base.environment_id = r.environment_id and base.id = r.base_id
   where r.environment_id = ${environmentId}`;

const ownedBy = ({ organizationId }: RoleScope): Sql =>
  organizationId === undefined
    ? sql`r.organization_id is null`
    : sql`r.organization_id = ${organizationId}`;

/** The environment's own roles, which every organization has, and those of the organization. */
const within = ({ organizationId }: RoleScope): Sql =>
  organizationId === undefined
    ? sql`r.organization_id is null`
    : sql`(r.organization_id is null or r.organization_id = ${organizationId})`;

/** A role that belongs to the scope itself. Case does not matter. */
export async function findRole(db: Db, scope: RoleScope, name: string): Promise<Role | undefined> {
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and ${ownedBy(scope)} and lower(r.name) = lower(${name})`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The role that a name means in the scope, without any lock: an organization's own comes before the environment's. */
export async function findOwnOrShared(
  db: Db,
  scope: RoleScope,
  name: string,
): Promise<Role | undefined> {
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and ${within(scope)} and lower(r.name) = lower(${name}) order by r.organization_id nulls last limit 1`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** A role that belongs to the scope itself, which nobody else can change or delete until the transaction ends. */
export async function lockRole(db: Db, scope: RoleScope, name: string): Promise<Role | undefined> {
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and ${ownedBy(scope)} and lower(r.name) = lower(${name}) for update of r`,
  );
  return rows[0] && fromRow(rows[0]);
}

/**
 * The role that a name, or an id, means within the scope, which nobody can delete until the transaction ends: an organization's own role comes before the environment's.
 * `except` is the role that is being changed, which cannot mean itself: an organization's `admin` may extend the environment's.
 */
export async function resolveRole(
  db: Db,
  scope: RoleScope,
  by: { readonly name: string; readonly except?: string | undefined } | { readonly id: string },
): Promise<Role | undefined> {
  const which =
    'id' in by
      ? sql`r.id = ${by.id}`
      : sql`lower(r.name) = lower(${by.name}) and r.id is distinct from ${by.except}::text`;
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and ${within(scope)} and ${which} order by r.organization_id nulls last limit 1 for key share of r`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Roles of the environment and, in the eyes of an organization, its own behind them; oldest first. */
export async function listRoles(db: Db, scope: RoleScope): Promise<Role[]> {
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and ${within(scope)} order by r.organization_id nulls first, r.id`,
  );
  return rows.map(fromRow);
}

/** Roles that have this one as their base: of the environment first, then of organizations. */
export async function listDependents(db: Db, scope: RoleScope, id: string): Promise<Role[]> {
  const rows = await db.rows<Row>(
    sql`${selectRoles(scope)} and r.base_id = ${id} order by r.organization_id nulls first, r.id`,
  );
  return rows.map(fromRow);
}

/** @throws unique violation: the name is taken, or (on `roles_pkey`) the id; foreign key violation: the organization is gone */
export async function insertRole(
  db: Db,
  scope: RoleScope,
  role: {
    readonly id: string;
    readonly name: string;
    readonly displayName: string;
    readonly description: string;
    readonly baseId: string | undefined;
    readonly now: Date;
  },
): Promise<void> {
  await db.rows(sql`
    insert into roles (environment_id, id, organization_id, name, display_name, description, base_id, created_at, updated_at)
    values (${scope.environmentId}, ${role.id}, ${scope.organizationId}, ${role.name}, ${role.displayName}, ${role.description}, ${role.baseId}, ${role.now}, ${role.now})`);
}

export type RoleChange = {
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  /** Another base, or none any more. */
  readonly base?: { readonly id: string | undefined } | undefined;
};

/** Changes what is given. False: there is no such role any more. */
export async function updateRole(
  db: Db,
  scope: RoleScope,
  id: string,
  change: RoleChange & { readonly now: Date },
): Promise<boolean> {
  const rows = await db.rows(sql`
    update roles set display_name = coalesce(${change.displayName}, display_name), description = coalesce(${change.description}, description),
      base_id = case when ${change.base !== undefined}::boolean then ${change.base?.id} else base_id end, updated_at = ${change.now}
     where environment_id = ${scope.environmentId} and id = ${id} returning id`);
  return rows.length > 0;
}

/** @throws foreign key violation: somebody has the role, another one extends it, or new members get it; see `isInUse` */
export async function deleteRole(db: Db, scope: RoleScope, id: string): Promise<boolean> {
  const rows = await db.rows(
    sql`delete from roles where environment_id = ${scope.environmentId} and id = ${id} returning id`,
  );
  return rows.length > 0;
}

/** Lets nobody else give roles of the environment other bases until the transaction ends. */
export async function lockBases(db: Db, scope: RoleScope): Promise<void> {
  await db.rows(
    sql`select environment_id from default_roles where environment_id = ${scope.environmentId} for no key update`,
  );
}

/**
 * What it would mean to give a role that base: how many steps the longest line of bases through it then has, and whether it
 * would be a circle. Without `id` the role is a new one. Counts no further than `most` in either direction.
 */
export async function measureBases(
  db: Db,
  scope: RoleScope,
  by: { readonly id: string | undefined; readonly baseId: string; readonly most: number },
): Promise<{ readonly steps: number; readonly circle: boolean }> {
  const rows = await db.rows<{ steps: number; circle: boolean }>(sql`
    with recursive above as (
      select r.id, r.base_id, 1 as steps from roles r where r.environment_id = ${scope.environmentId} and r.id = ${by.baseId}
      union all
      select r.id, r.base_id, above.steps + 1 from above join roles r on r.environment_id = ${scope.environmentId} and r.id = above.base_id
       where above.steps <= ${by.most}
    ), below as (
      select ${by.id}::text as id, 0 as steps
      union all
      select r.id, below.steps + 1 from below join roles r on r.environment_id = ${scope.environmentId} and r.base_id = below.id
       where below.steps <= ${by.most}
    )
    select ((select max(steps) from above) + (select max(steps) from below))::integer as steps,
           exists (select 1 from above where id = ${by.id}) as circle`);
  return rows[0] ?? { steps: 0, circle: false };
}

/** Makes roles the ones that new members get; what is absent stays as it is. */
export async function updateDefaultRoles(
  db: Db,
  scope: RoleScope,
  by: { readonly creatorId?: string | undefined; readonly memberId?: string | undefined },
): Promise<void> {
  await db.rows(sql`
    update default_roles set creator_role_id = coalesce(${by.creatorId}, creator_role_id), member_role_id = coalesce(${by.memberId}, member_role_id)
     where environment_id = ${scope.environmentId}`);
}

/** False: there is no such organization. */
export async function setOrganizationDefault(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly memberId: string;
  },
): Promise<boolean> {
  const rows = await db.rows(sql`
    insert into organization_default_roles (environment_id, organization_id, member_role_id)
    select environment_id, id, ${by.memberId} from organizations
     where environment_id = ${by.environmentId} and id = ${by.organizationId} for key share
    on conflict (environment_id, organization_id) do update set member_role_id = excluded.member_role_id returning organization_id`);
  return rows.length > 0;
}

export type RoleUse = {
  readonly dependents: bigint;
  readonly isDefault: boolean;
};

/** Why a role cannot be deleted. */
export async function usesOfRole(db: Db, scope: RoleScope, id: string): Promise<RoleUse> {
  const rows = await db.rows<{ dependents: bigint; is_default: boolean }>(sql`
    select (select count(*) from roles where environment_id = ${scope.environmentId} and base_id = ${id}) as dependents,
           exists (select 1 from default_roles where environment_id = ${scope.environmentId} and ${id} in (creator_role_id, member_role_id))
           or exists (select 1 from organization_default_roles where environment_id = ${scope.environmentId} and member_role_id = ${id}) as is_default`);
  const row = rows[0];
  return { dependents: row?.dependents ?? 0n, isDefault: row?.is_default ?? false };
}

export async function organizationExists(
  db: Db,
  environmentId: string,
  organizationId: string,
): Promise<boolean> {
  const rows = await db.rows(
    sql`select id from organizations where environment_id = ${environmentId} and id = ${organizationId}`,
  );
  return rows.length > 0;
}
