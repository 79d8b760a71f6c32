import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** What a provider says of a group. */
export type DirectoryGroupMembers = {
  /** Unique in its directory, in any case. */
  readonly displayName: string;
  /** The provider's own id. */
  readonly externalId: string | undefined;
  /** As the provider sent it, without members. */
  readonly raw: Readonly<Record<string, unknown>>;
};

/** A group in a directory. */
export type DirectoryGroup = DirectoryGroupMembers & {
  readonly id: string;
  readonly directoryId: string;
  /** Whether it counts: false for one that the organization did not select. */
  readonly tracked: boolean;
  readonly totalUsers: number;
  /** Grows with every change, also of members. */
  readonly version: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

type Row = {
  id: string;
  directory_id: string;
  display_name: string;
  external_id: string | null;
  raw: Record<string, unknown>;
  tracked: boolean;
  total_users: number;
  version: bigint;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, directory_id, display_name, external_id, raw, tracked, total_users, version, created_at, updated_at`;

const fromRow = (row: Row): DirectoryGroup => ({
  id: row.id,
  directoryId: row.directory_id,
  displayName: row.display_name,
  externalId: row.external_id ?? undefined,
  raw: row.raw,
  tracked: row.tracked,
  totalUsers: row.total_users,
  version: row.version,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

type Within = { readonly environmentId: string; readonly directoryId: string };

const within = (by: Within): Sql =>
  sql`environment_id = ${by.environmentId} and directory_id = ${by.directoryId}`;

/** Whether a group of this external id counts in its directory. */
const trackedNow = (by: Within, externalId: Sql): Sql => sql`
  (exists (select 1 from directories d where d.environment_id = ${by.environmentId} and d.id = ${by.directoryId} and d.groups_tracked = 'ALL')
   or exists (select 1 from directory_external_groups e where e.environment_id = ${by.environmentId} and e.directory_id = ${by.directoryId} and e.external_id = ${externalId} and e.selected))`;

export async function findDirectoryGroup(
  db: Db,
  by: Within & { readonly id: string },
): Promise<DirectoryGroup | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_groups where ${within(by)} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Case does not matter. */
export async function findDirectoryGroupByName(
  db: Db,
  by: Within & { readonly displayName: string },
): Promise<DirectoryGroup | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_groups where ${within(by)} and lower(display_name) = lower(${by.displayName})`,
  );
  return rows[0] && fromRow(rows[0]);
}

type Write = Within & {
  readonly id: string;
  readonly members: DirectoryGroupMembers;
  readonly stamp: string;
};

/** @throws unique violation on the id */
export async function insertDirectoryGroup(db: Db, by: Write): Promise<DirectoryGroup> {
  const { members: m, stamp } = by;
  const rows = await db.rows<Row>(sql`
    insert into directory_groups (environment_id, id, directory_id, display_name, external_id, raw, tracked, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${by.directoryId}, ${m.displayName}, ${m.externalId}, ${json(m.raw)}, ${trackedNow(by, sql`${m.externalId}::text`)}, ${stamp}::timestamptz, ${stamp}::timestamptz)
    returning ${columns}`);
  return written(rows);
}

/** Writes all members of a group whose directory is locked. */
export async function updateDirectoryGroup(db: Db, by: Write): Promise<DirectoryGroup> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    update directory_groups set display_name = ${m.displayName}, external_id = ${m.externalId}, raw = ${json(m.raw)}, tracked = ${trackedNow(by, sql`${m.externalId}::text`)},
      version = version + 1, updated_at = ${by.stamp}::timestamptz where ${within(by)} and id = ${by.id} returning ${columns}`);
  return written(rows);
}

function written(rows: readonly Row[]): DirectoryGroup {
  const row = rows[0];
  if (!row) throw new Error('the group was not written');
  return fromRow(row);
}

export async function deleteDirectoryGroup(
  db: Db,
  by: Within & { readonly id: string },
): Promise<DirectoryGroup | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from directory_groups where ${within(by)} and id = ${by.id} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Which of these are groups of the directory, and which are people. */
export async function knownMembers(
  db: Db,
  by: Within & { readonly ids: readonly string[] },
): Promise<ReadonlySet<string>> {
  const rows = await db.rows<{ id: string }>(sql`
    select id from directory_users where ${within(by)} and id = any(${by.ids})
    union all select id from directory_groups where ${within(by)} and id = any(${by.ids})`);
  return new Set(rows.map(({ id }) => id));
}

/** Ids of the people and groups that are directly in a group. */
export async function listMemberIds(
  db: Db,
  by: { readonly environmentId: string; readonly groupId: string },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(sql`
    select user_id as id from directory_group_members where environment_id = ${by.environmentId} and group_id = ${by.groupId}
    union all select member_group_id from directory_nested_groups where environment_id = ${by.environmentId} and group_id = ${by.groupId}`);
  return rows.map(({ id }) => id);
}

/** Groups inside of groups count so many levels deep. */
const DEEPEST = 5;

/** People who have what these groups have: their members, and those of groups inside of them. */
export async function peopleBelow(
  db: Db,
  by: { readonly environmentId: string; readonly groupIds: readonly string[] },
): Promise<string[]> {
  if (by.groupIds.length === 0) return [];
  const rows = await db.rows<{ user_id: string }>(sql`
    with recursive down as (
      select given.id as group_id, 1 as depth from unnest(${by.groupIds}::text[]) as given (id)
      union
      select n.member_group_id, down.depth + 1 from down
        join directory_nested_groups n on n.environment_id = ${by.environmentId} and n.group_id = down.group_id where down.depth < ${DEEPEST}
    )
    select distinct m.user_id from directory_group_members m
     where m.environment_id = ${by.environmentId} and m.group_id in (select group_id from down)`);
  return rows.map(({ user_id }) => user_id);
}

/** Takes members out of a group whose directory is locked, and puts others in. */
export async function writeMembers(
  db: Db,
  by: Within & {
    readonly id: string;
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly stamp: string;
  },
): Promise<DirectoryGroup> {
  const { environmentId, id, added, removed } = by;
  const people = (ids: readonly string[]) => ids.filter((member) => member.startsWith('diruser_'));
  const groups = (ids: readonly string[]) => ids.filter((member) => member.startsWith('dirgroup_'));
  await db.rows(sql`
    with out as (delete from directory_group_members where environment_id = ${environmentId} and group_id = ${id} and user_id = any(${people(removed)}))
    delete from directory_nested_groups where environment_id = ${environmentId} and group_id = ${id} and member_group_id = any(${groups(removed)})`);
  await db.rows(sql`
    with people as (insert into directory_group_members (environment_id, group_id, user_id) select ${environmentId}, ${id}, unnest(${people(added)}::text[]))
    insert into directory_nested_groups (environment_id, group_id, member_group_id) select ${environmentId}, ${id}, unnest(${groups(added)}::text[])`);
  const rows = await db.rows<Row>(sql`
    update directory_groups set total_users = total_users + ${people(added).length - people(removed).length}::integer, version = version + 1, updated_at = ${by.stamp}::timestamptz
     where ${within(by)} and id = ${id} returning ${columns}`);
  return written(rows);
}

/** Which groups a list is about. */
export type DirectoryGroupFilter = {
  readonly updatedAfter?: Date | undefined;
  /** Those that do not count as well. */
  readonly untracked: boolean;
};

// Conditions that are not asked for are left out, so that the database sees which index fits.
const matching = (by: Within, { updatedAfter, untracked }: DirectoryGroupFilter): Sql => sql`
  ${within(by)} ${untracked ? sql`` : sql`and tracked`} ${updatedAfter === undefined ? sql`` : sql`and updated_at > ${updatedAfter}`}`;

/** Newest first. */
export async function listDirectoryGroupPage(
  db: Db,
  by: Within & { readonly filter: DirectoryGroupFilter; readonly page: PageQuery },
): Promise<DirectoryGroup[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from directory_groups where ${matching(by, by.filter)} ${inPage(sql`id`, by.page)}`,
  );
  return rows.map(fromRow);
}

export async function countDirectoryGroups(
  db: Db,
  by: Within & { readonly filter: DirectoryGroupFilter },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from directory_groups where ${matching(by, by.filter)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Groups that would begin or cease to count if these were selected. */
export async function groupsToRetrack(
  db: Db,
  by: Within & { readonly externalIds: readonly string[] },
): Promise<string[]> {
  const rows = await db.rows<{ id: string }>(
    sql`select id from directory_groups where ${within(by)} and tracked <> coalesce(external_id = any(${by.externalIds}), false)`,
  );
  return rows.map(({ id }) => id);
}

export async function retrackGroups(
  db: Db,
  by: Within & { readonly ids: readonly string[]; readonly stamp: string },
): Promise<void> {
  await db.rows(sql`
    update directory_groups set tracked = not tracked, version = version + 1, updated_at = ${by.stamp}::timestamptz
     where ${within(by)} and id = any(${by.ids})`);
}
