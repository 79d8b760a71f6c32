import { type Db, json, sql } from '../storage/db.ts';

/** A role that everybody in a group has. */
export type RoleAssignment = {
  readonly groupId: string;
  readonly roleId: string;
  readonly roleName: string;
};

/** Which attribute of the provider fills which of ours. */
export type AttributeMapping = {
  readonly key: string;
  readonly mapTo: string;
  readonly displayName: string;
};

/** A group that the provider has, sent or not. */
export type ExternalGroup = {
  readonly externalId: string;
  readonly displayName: string;
  readonly email: string;
};

type Many = { readonly environmentId: string; readonly directoryIds: readonly string[] };
type One = { readonly environmentId: string; readonly directoryId: string };

export async function listRoleAssignments(
  db: Db,
  by: Many,
): Promise<(RoleAssignment & { readonly directoryId: string })[]> {
  const rows = await db.rows<{
    directory_id: string;
    group_id: string;
    role_id: string;
    name: string;
  }>(sql`
    select a.directory_id, a.group_id, a.role_id, r.name from directory_role_assignments a
      join roles r on r.environment_id = a.environment_id and r.id = a.role_id
     where a.environment_id = ${by.environmentId} and a.directory_id = any(${by.directoryIds}) order by a.directory_id, a.place`);
  return rows.map((row) => ({
    directoryId: row.directory_id,
    groupId: row.group_id,
    roleId: row.role_id,
    roleName: row.name,
  }));
}

/** Replaces all assignments of a directory that is locked. */
export async function replaceRoleAssignments(
  db: Db,
  by: One & { readonly assignments: readonly RoleAssignment[] },
): Promise<void> {
  await db.rows(
    sql`delete from directory_role_assignments where environment_id = ${by.environmentId} and directory_id = ${by.directoryId}`,
  );
  await db.rows(sql`
    insert into directory_role_assignments (environment_id, directory_id, group_id, role_id, place)
    select ${by.environmentId}, ${by.directoryId}, given ->> 'groupId', given ->> 'roleId', place
      from jsonb_array_elements(${json(by.assignments)}::jsonb) with ordinality as entries (given, place)`);
}

/** Roles by what was asked for: the id, or else the name in lower case, where the organization's own comes before the environment's. Nobody deletes one until the transaction ends. */
export async function resolveRoles(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly names: readonly string[];
    readonly ids: readonly string[];
  },
): Promise<{ readonly id: string; readonly name: string }[]> {
  return await db.rows<{ id: string; name: string }>(sql`
    select id, name from roles where environment_id = ${by.environmentId} and (organization_id is null or organization_id = ${by.organizationId})
       and (lower(name) = any(${by.names.map((name) => name.toLowerCase())}) or id = any(${by.ids}))
     order by organization_id nulls first for key share`);
}

/** Which of these are groups of the directory. */
export async function knownGroups(
  db: Db,
  by: One & { readonly ids: readonly string[] },
): Promise<ReadonlySet<string>> {
  const rows = await db.rows<{ id: string }>(
    sql`select id from directory_groups where environment_id = ${by.environmentId} and directory_id = ${by.directoryId} and id = any(${by.ids})`,
  );
  return new Set(rows.map(({ id }) => id));
}

export async function listAttributeMappings(
  db: Db,
  by: Many,
): Promise<(AttributeMapping & { readonly directoryId: string })[]> {
  const rows = await db.rows<{
    directory_id: string;
    key: string;
    map_to: string;
    display_name: string;
  }>(sql`
    select directory_id, key, map_to, display_name from directory_attribute_mappings
     where environment_id = ${by.environmentId} and directory_id = any(${by.directoryIds}) order by directory_id, place`);
  return rows.map((row) => ({
    directoryId: row.directory_id,
    key: row.key,
    mapTo: row.map_to,
    displayName: row.display_name,
  }));
}

/** Which of these are keys of attributes that the application defined for directories, in any case; nobody deletes one until the transaction ends. */
export async function knownAttributes(
  db: Db,
  by: { readonly environmentId: string; readonly keys: readonly string[] },
): Promise<readonly string[]> {
  const rows = await db.rows<{ key: string }>(sql`
    select key from user_attributes where environment_id = ${by.environmentId} and kind = 'directory'
       and lower(key) = any(${by.keys.map((key) => key.toLowerCase())}) for key share`);
  return rows.map(({ key }) => key);
}

/** Replaces all mappings of a directory that is locked. `own` are attributes that the application defined. */
export async function replaceAttributeMappings(
  db: Db,
  by: One & { readonly mappings: readonly (AttributeMapping & { readonly own: boolean })[] },
): Promise<void> {
  await db.rows(
    sql`delete from directory_attribute_mappings where environment_id = ${by.environmentId} and directory_id = ${by.directoryId}`,
  );
  await db.rows(sql`
    insert into directory_attribute_mappings (environment_id, directory_id, map_to, key, display_name, attribute_kind, place)
    select ${by.environmentId}, ${by.directoryId}, given ->> 'mapTo', given ->> 'key', given ->> 'displayName',
           case when (given ->> 'own')::boolean then 'directory' end, place
      from jsonb_array_elements(${json(by.mappings)}::jsonb) with ordinality as entries (given, place)`);
}

/** Adds groups that the provider has, or names them anew; those that are there keep their place in the selection. How many it has afterwards. */
export async function putExternalGroups(
  db: Db,
  by: One & { readonly groups: readonly ExternalGroup[] },
): Promise<number> {
  await db.rows(sql`
    insert into directory_external_groups as e (environment_id, directory_id, external_id, display_name, email, selected)
    select ${by.environmentId}, ${by.directoryId}, given ->> 'externalId', given ->> 'displayName', given ->> 'email', false
      from jsonb_array_elements(${json(by.groups)}::jsonb) as given
    on conflict (environment_id, directory_id, external_id) do update set display_name = excluded.display_name, email = excluded.email`);
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from directory_external_groups where environment_id = ${by.environmentId} and directory_id = ${by.directoryId}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Makes exactly these groups of the provider count from now on. */
export async function selectGroups(
  db: Db,
  by: One & { readonly externalIds: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    insert into directory_external_groups (environment_id, directory_id, external_id, selected)
    select ${by.environmentId}, ${by.directoryId}, unnest(${by.externalIds}::text[]), true
    on conflict (environment_id, directory_id, external_id) do update set selected = true`);
  await db.rows(sql`
    update directory_external_groups set selected = false where environment_id = ${by.environmentId} and directory_id = ${by.directoryId}
       and selected and external_id <> all(${by.externalIds})`);
  await db.rows(
    sql`update directories set groups_tracked = 'SELECTED' where environment_id = ${by.environmentId} and id = ${by.directoryId}`,
  );
}
