import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** What a provider says of a person. */
export type DirectoryUserMembers = {
  /** Unique in its directory, in any case. */
  readonly userName: string;
  /** The provider's own id. */
  readonly externalId: string | undefined;
  readonly email: string;
  readonly givenName: string;
  readonly familyName: string;
  readonly active: boolean;
  /** Further normalized attributes by their names in events, `emails`, `manager` and `custom_attributes`. */
  readonly attributes: Readonly<Record<string, unknown>>;
  /** As the provider sent it, without a password. */
  readonly raw: Readonly<Record<string, unknown>>;
};

/** A person in a directory. */
export type DirectoryUser = DirectoryUserMembers & {
  readonly id: string;
  readonly directoryId: string;
  /** Grows with every change, also of groups and roles. */
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = {
  id: string;
  directory_id: string;
  user_name: string;
  external_id: string | null;
  email: string;
  given_name: string;
  family_name: string;
  active: boolean;
  attributes: Record<string, unknown>;
  raw: Record<string, unknown>;
  version: bigint;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, directory_id, user_name, external_id, email, given_name, family_name, active, attributes, raw, version, created_at, updated_at`;

const fromRow = (row: Row): DirectoryUser => ({
  id: row.id,
  directoryId: row.directory_id,
  userName: row.user_name,
  externalId: row.external_id ?? undefined,
  email: row.email,
  givenName: row.given_name,
  familyName: row.family_name,
  active: row.active,
  attributes: row.attributes,
  raw: row.raw,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

type Within = { readonly environmentId: string; readonly directoryId: string };

const within = (by: Within): Sql =>
  sql`environment_id = ${by.environmentId} and directory_id = ${by.directoryId}`;

export async function findDirectoryUser(
  db: Db,
  by: Within & { readonly id: string },
): Promise<DirectoryUser | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_users where ${within(by)} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Case does not matter. */
export async function findDirectoryUserByName(
  db: Db,
  by: Within & { readonly userName: string },
): Promise<DirectoryUser | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_users where ${within(by)} and lower(user_name) = lower(${by.userName})`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** @throws unique violation on the id */
export async function insertDirectoryUser(
  db: Db,
  by: Within & {
    readonly id: string;
    readonly members: DirectoryUserMembers;
    readonly stamp: string;
  },
): Promise<DirectoryUser> {
  const { members: m, stamp } = by;
  const rows = await db.rows<Row>(sql`
    insert into directory_users (environment_id, id, directory_id, user_name, external_id, email, given_name, family_name, active, attributes, raw, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${by.directoryId}, ${m.userName}, ${m.externalId}, ${m.email}, ${m.givenName}, ${m.familyName}, ${m.active},
      ${json(m.attributes)}, ${json(m.raw)}, ${stamp}::timestamptz, ${stamp}::timestamptz) returning ${columns}`);
  return written(rows);
}

/** Writes all members of a person whose directory is locked. */
export async function updateDirectoryUser(
  db: Db,
  by: Within & {
    readonly id: string;
    readonly members: DirectoryUserMembers;
    readonly stamp: string;
  },
): Promise<DirectoryUser> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    update directory_users set user_name = ${m.userName}, external_id = ${m.externalId}, email = ${m.email}, given_name = ${m.givenName}, family_name = ${m.familyName},
      active = ${m.active}, attributes = ${json(m.attributes)}, raw = ${json(m.raw)}, version = version + 1, updated_at = ${by.stamp}::timestamptz
     where ${within(by)} and id = ${by.id} returning ${columns}`);
  return written(rows);
}

function written(rows: readonly Row[]): DirectoryUser {
  const row = rows[0];
  if (!row) throw new Error('the person was not written');
  return fromRow(row);
}

/** The person who was deleted, whom their groups no longer count. */
export async function deleteDirectoryUser(
  db: Db,
  by: Within & { readonly id: string; readonly stamp: string },
): Promise<DirectoryUser | undefined> {
  const rows = await db.rows<Row>(sql`
    with left_groups as (
      update directory_groups g set total_users = g.total_users - 1, version = g.version + 1, updated_at = ${by.stamp}::timestamptz
        from directory_group_members m
       where m.environment_id = ${by.environmentId} and m.user_id = ${by.id}
         and g.environment_id = m.environment_id and g.id = m.group_id and g.directory_id = ${by.directoryId} returning g.id)
    delete from directory_users where ${within(by)} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Stamps people whose groups or roles changed. */
export async function touchDirectoryUsers(
  db: Db,
  by: Within & { readonly ids: readonly string[]; readonly stamp: string },
): Promise<DirectoryUser[]> {
  const rows = await db.rows<Row>(sql`
    update directory_users set version = version + 1, updated_at = ${by.stamp}::timestamptz
     where ${within(by)} and id = any(${by.ids}) returning ${columns}`);
  return rows.map(fromRow);
}

/** Which people a list is about. */
export type DirectoryUserFilter = {
  /** Direct members of the group. */
  readonly groupId?: string | undefined;
  readonly updatedAfter?: Date | undefined;
};

// Conditions that are not asked for are left out, so that the database sees which index fits.
const matching = (by: Within, { groupId, updatedAfter }: DirectoryUserFilter): Sql => sql`
  ${within(by)} ${updatedAfter === undefined ? sql`` : sql`and updated_at > ${updatedAfter}`}
  ${groupId === undefined ? sql`` : sql`and id in (select user_id from directory_group_members m where m.environment_id = ${by.environmentId} and m.group_id = ${groupId})`}`;

/** Newest first. */
export async function listDirectoryUserPage(
  db: Db,
  by: Within & { readonly filter: DirectoryUserFilter; readonly page: PageQuery },
): Promise<DirectoryUser[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_users where ${matching(by, by.filter)} ${inPage(sql`id`, by.page)}`,
  );
  return rows.map(fromRow);
}

export async function countDirectoryUsers(
  db: Db,
  by: Within & { readonly filter: DirectoryUserFilter },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from directory_users where ${matching(by, by.filter)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** What a person has by the groups they are in. */
export type Belonging = {
  readonly groups: readonly { readonly id: string; readonly name: string }[];
  /** Names of roles, of inner groups also those of the outer ones. */
  readonly roles: readonly string[];
};

/** Groups inside of groups count for roles so many levels deep. */
const DEEPEST = 5;

/** Groups that each of these people is in directly, and roles that they have by groups. Everybody who was asked about is in the answer. */
export async function belongingOf(
  db: Db,
  by: { readonly environmentId: string; readonly userIds: readonly string[] },
): Promise<Map<string, Belonging>> {
  const found = new Map(
    by.userIds.map((id) => [id, { groups: [], roles: [] } as WritableBelonging]), // filled below
  );
  const rows = await db.rows<{ user_id: string; group_id: string | null; name: string }>(sql`
    with recursive direct as (
      select user_id, group_id from directory_group_members where environment_id = ${by.environmentId} and user_id = any(${by.userIds})
    ), up as (
      select distinct group_id as start, group_id, 1 as depth from direct
      union
      select up.start, n.group_id, up.depth + 1 from up
        join directory_nested_groups n on n.environment_id = ${by.environmentId} and n.member_group_id = up.group_id where up.depth < ${DEEPEST}
    ), given as (
      select distinct up.start, r.name from up
        join directory_groups g on g.environment_id = ${by.environmentId} and g.id = up.group_id and g.tracked
        join directory_role_assignments a on a.environment_id = g.environment_id and a.group_id = g.id
        join roles r on r.environment_id = a.environment_id and r.id = a.role_id
    )
    (select d.user_id, g.id as group_id, g.display_name as name from direct d
       join directory_groups g on g.environment_id = ${by.environmentId} and g.id = d.group_id and g.tracked order by d.user_id, g.id)
    union all
    (select distinct d.user_id, null, given.name from direct d join given on given.start = d.group_id order by d.user_id, given.name)`);
  for (const { user_id, group_id, name } of rows) {
    const belonging = found.get(user_id);
    if (group_id === null) belonging?.roles.push(name);
    else belonging?.groups.push({ id: group_id, name });
  }
  return found;
}

type WritableBelonging = { groups: { id: string; name: string }[]; roles: string[] };
