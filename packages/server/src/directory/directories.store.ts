import { type Db, json, sql } from '../storage/db.ts';

export const PROVIDERS = [
  'DIRECTORY_PROVIDER_UNSPECIFIED',
  'OKTA',
  'GOOGLE',
  'MICROSOFT_AD',
  'AUTH0',
  'ONELOGIN',
  'JUMPCLOUD',
  'PING_IDENTITY',
] as const;
export type DirectoryProvider = (typeof PROVIDERS)[number];
/** How people arrive: the provider sends them, or they are fetched from it. */
export type DirectoryType = 'SCIM' | 'POLL';
/** How far the set-up has come. */
export type DirectoryStatus = 'DRAFT' | 'IN_PROGRESS' | 'COMPLETED';

/** A directory by its name in paths. */
export type DirectoryKey = {
  readonly environmentId: string;
  readonly organizationId: string;
  readonly id: string;
};

/** What a change of a directory may touch. */
export type DirectoryMembers = {
  readonly name: string;
  readonly provider: DirectoryProvider;
  readonly enabled: boolean;
  readonly status: DirectoryStatus;
};

/** A source of people and groups that an organization connected. */
export type Directory = DirectoryMembers & {
  readonly id: string;
  readonly organizationId: string;
  readonly type: DirectoryType;
  readonly groupsTracked: 'ALL' | 'SELECTED';
  readonly totalUsers: number;
  readonly totalGroups: number;
  readonly userUpdatedAt: Date | undefined;
  readonly groupUpdatedAt: Date | undefined;
  readonly lastSyncedAt: Date | undefined;
  readonly updatedAt: Date;
};

/** A directory that nobody else changes, with the moment that everything of this change is stamped with. */
export type LockedDirectory = Directory & {
  /** In microseconds, as text: later than every stamp before it, even if the clock was set back. */
  readonly stamp: string;
};

type Row = {
  id: string;
  organization_id: string;
  name: string;
  type: DirectoryType;
  provider: DirectoryProvider;
  enabled: boolean;
  status: DirectoryStatus;
  groups_tracked: 'ALL' | 'SELECTED';
  total_users: number;
  total_groups: number;
  user_updated_at: Date | null;
  group_updated_at: Date | null;
  last_synced_at: Date | null;
  updated_at: Date;
};

const columns = sql`id, organization_id, name, type, provider, enabled, status, groups_tracked, total_users, total_groups, user_updated_at, group_updated_at, last_synced_at, updated_at`;

const fromRow = (row: Row): Directory => ({
  id: row.id,
  organizationId: row.organization_id,
  name: row.name,
  type: row.type,
  provider: row.provider,
  enabled: row.enabled,
  status: row.status,
  groupsTracked: row.groups_tracked,
  totalUsers: row.total_users,
  totalGroups: row.total_groups,
  userUpdatedAt: row.user_updated_at ?? undefined,
  groupUpdatedAt: row.group_updated_at ?? undefined,
  lastSyncedAt: row.last_synced_at ?? undefined,
  updatedAt: row.updated_at,
});

const named = (key: DirectoryKey) =>
  sql`environment_id = ${key.environmentId} and organization_id = ${key.organizationId} and id = ${key.id}`;

/** Lets nobody else add directories of the organization until the transaction ends. How many it has; undefined: there is no such organization. */
export async function countLocked(
  db: Db,
  by: { environmentId: string; organizationId: string },
): Promise<number | undefined> {
  const found = await db.rows(
    sql`select id from organizations where environment_id = ${by.environmentId} and id = ${by.organizationId} for no key update`,
  );
  if (found.length === 0) return undefined;
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from directories where environment_id = ${by.environmentId} and organization_id = ${by.organizationId}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** @throws unique violation on the id, or on `directories_enabled`: another directory of the organization is enabled */
export async function insertDirectory(
  db: Db,
  by: {
    environmentId: string;
    directory: Pick<
      Directory,
      'id' | 'organizationId' | 'name' | 'type' | 'provider' | 'enabled' | 'status'
    >;
    now: Date;
  },
): Promise<Directory> {
  const { directory: d, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into directories (environment_id, id, organization_id, name, type, provider, enabled, status, changed_at, created_at, updated_at)
    values (${by.environmentId}, ${d.id}, ${d.organizationId}, ${d.name}, ${d.type}, ${d.provider}, ${d.enabled}, ${d.status}, ${now}, ${now}, ${now}) returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the directory was not written');
  return fromRow(row);
}

export async function findDirectory(db: Db, key: DirectoryKey): Promise<Directory | undefined> {
  const rows = await db.rows<Row>(sql`select ${columns} from directories where ${named(key)}`);
  return rows[0] && fromRow(rows[0]);
}

/** The one that is enabled first, then the oldest. Undefined: there is no such organization. */
export async function listDirectories(
  db: Db,
  by: { environmentId: string; organizationId: string },
): Promise<Directory[] | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from directories where environment_id = ${by.environmentId} and organization_id = ${by.organizationId} order by enabled desc, id`);
  if (rows.length > 0) return rows.map(fromRow);
  const found = await db.rows(
    sql`select id from organizations where environment_id = ${by.environmentId} and id = ${by.organizationId}`,
  );
  return found.length === 0 ? undefined : [];
}

/** Changes of one directory come one after the other, and so do their stamps. */
export async function lockDirectory(
  db: Db,
  key: DirectoryKey,
  now: Date,
): Promise<LockedDirectory | undefined> {
  const rows = await db.rows<Row & { stamp: string }>(sql`
    select ${columns}, greatest(${now}::timestamptz, changed_at + interval '1 microsecond')::text as stamp
      from directories where ${named(key)} for no key update`);
  const row = rows[0];
  return row && { ...fromRow(row), stamp: row.stamp };
}

/**
 * Writes all members of a directory that is locked.
 *
 * @throws unique violation on `directories_enabled`: another directory of the organization is enabled
 */
export async function updateDirectory(
  db: Db,
  by: { key: DirectoryKey; members: DirectoryMembers; now: Date },
): Promise<Directory> {
  const { key, members: m } = by;
  const rows = await db.rows<Row>(sql`
    update directories set name = ${m.name}, provider = ${m.provider}, enabled = ${m.enabled}, status = ${m.status}, updated_at = ${by.now}
     where ${named(key)} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`directory ${key.id} was not locked`);
  return fromRow(row);
}

/** The row that was deleted; what belongs to it goes by foreign keys. */
export async function deleteDirectory(db: Db, key: DirectoryKey): Promise<Directory | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from directories where ${named(key)} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** What a change did to the people and groups of a directory that is locked. */
export type Synced = {
  readonly stamp: string;
  readonly users?: { readonly added: number } | undefined;
  readonly groups?: { readonly added: number } | undefined;
  /** The provider's own doing: the set-up is complete, and the directory was in touch. */
  readonly byProvider: boolean;
};

export async function noteChange(
  db: Db,
  by: { environmentId: string; id: string; synced: Synced },
): Promise<void> {
  const { stamp, users, groups, byProvider } = by.synced;
  await db.rows(sql`
    update directories set changed_at = ${stamp}::timestamptz,
      last_synced_at = case when ${byProvider}::boolean then ${stamp}::timestamptz else last_synced_at end,
      status = case when ${byProvider}::boolean then 'COMPLETED' else status end,
      total_users = total_users + ${users?.added ?? 0}::integer,
      user_updated_at = case when ${users !== undefined}::boolean then ${stamp}::timestamptz else user_updated_at end,
      total_groups = total_groups + ${groups?.added ?? 0}::integer,
      group_updated_at = case when ${groups !== undefined}::boolean then ${stamp}::timestamptz else group_updated_at end
     where environment_id = ${by.environmentId} and id = ${by.id}`);
}

export async function findContext(
  db: Db,
  key: DirectoryKey,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const rows = await db.rows<{ context: Record<string, unknown> }>(
    sql`select context from directories where ${named(key)}`,
  );
  return rows[0]?.context;
}

/** False: there is no such directory. */
export async function replaceContext(
  db: Db,
  key: DirectoryKey,
  context: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const rows = await db.rows(
    sql`update directories set context = ${json(context)} where ${named(key)} returning id`,
  );
  return rows.length > 0;
}
