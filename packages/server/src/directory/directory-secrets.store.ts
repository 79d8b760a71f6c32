import { type Db, sql } from '../storage/db.ts';

/** What a provider proves itself with, as people see it afterwards. */
export type DirectorySecret = {
  readonly id: string;
  readonly directoryId: string;
  /** Last four characters. */
  readonly suffix: string;
  /** Neither replaced nor expired. */
  readonly valid: boolean;
  readonly expiresAt: Date;
  readonly lastUsedAt: Date | undefined;
  readonly createdAt: Date;
};

type Row = {
  id: string;
  directory_id: string;
  suffix: string;
  active: boolean;
  expires_at: Date;
  last_used_at: Date | null;
  created_at: Date;
};

const columns = sql`id, directory_id, suffix, active, expires_at, last_used_at, created_at`;

const fromRow = (row: Row, now: Date): DirectorySecret => ({
  id: row.id,
  directoryId: row.directory_id,
  suffix: row.suffix,
  valid: row.active && row.expires_at > now,
  expiresAt: row.expires_at,
  lastUsedAt: row.last_used_at ?? undefined,
  createdAt: row.created_at,
});

/** Newest first, by directory. */
export async function listDirectorySecrets(
  db: Db,
  by: { environmentId: string; directoryIds: readonly string[]; now: Date },
): Promise<DirectorySecret[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from directory_secrets where environment_id = ${by.environmentId} and directory_id = any(${by.directoryIds}) order by id desc`);
  return rows.map((row) => fromRow(row, by.now));
}

/** @throws unique violation on the id */
export async function insertDirectorySecret(
  db: Db,
  by: {
    environmentId: string;
    directoryId: string;
    id: string;
    hash: Uint8Array;
    suffix: string;
    expiresAt: Date;
    now: Date;
  },
): Promise<DirectorySecret> {
  const rows = await db.rows<Row>(sql`
    insert into directory_secrets (environment_id, id, directory_id, secret_hash, suffix, expires_at, created_at)
    values (${by.environmentId}, ${by.id}, ${by.directoryId}, ${by.hash}, ${by.suffix}, ${by.expiresAt}, ${by.now}) returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the secret was not written');
  return fromRow(row, by.now);
}

/** Ends secrets for good. */
export async function endDirectorySecrets(
  db: Db,
  by: { environmentId: string; directoryId: string; ids: readonly string[] },
): Promise<void> {
  await db.rows(sql`
    update directory_secrets set active = false where environment_id = ${by.environmentId} and directory_id = ${by.directoryId} and id = any(${by.ids})`);
}

/** Forgets secrets that ended, but for the newest few. */
export async function forgetDirectorySecrets(
  db: Db,
  by: { environmentId: string; directoryId: string; keep: number; now: Date },
): Promise<void> {
  await db.rows(sql`
    delete from directory_secrets where environment_id = ${by.environmentId} and id in (
      select id from directory_secrets where environment_id = ${by.environmentId} and directory_id = ${by.directoryId}
         and (not active or expires_at <= ${by.now}) order by id desc offset ${by.keep})`);
}

/** Whose secret this is; notes that it was used, at most once a minute. Undefined: ended, expired, or of another directory. */
export async function useDirectorySecret(
  db: Db,
  by: { environmentId: string; directoryId: string; hash: Uint8Array; now: Date },
): Promise<{ readonly id: string; readonly organizationId: string } | undefined> {
  const rows = await db.rows<{ id: string; organization_id: string }>(sql`
    with found as (
      select s.id, d.organization_id from directory_secrets s join directories d on d.environment_id = s.environment_id and d.id = s.directory_id
       where s.environment_id = ${by.environmentId} and s.directory_id = ${by.directoryId} and s.secret_hash = ${by.hash} and s.active and s.expires_at > ${by.now}
    ), used as (
      update directory_secrets s set last_used_at = ${by.now} from found
       where s.environment_id = ${by.environmentId} and s.id = found.id and (s.last_used_at is null or s.last_used_at < ${by.now}::timestamptz - interval '1 minute'))
    select id, organization_id from found`);
  const row = rows[0];
  return row && { id: row.id, organizationId: row.organization_id };
}
