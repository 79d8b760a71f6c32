import { type Db, sql } from '../storage/db.ts';

const AT_ONCE = 1000;
export const ASSERTIONS_AT_ONCE = 5000;
const DAY_MS = 86_400_000;
const CLOCKS_DIFFER_MS = 300_000;
/** AS-67. */
const NEVER_COMPLETED_MS = 7 * DAY_MS;
const IDLE_MS = 180 * DAY_MS;
const TOMBSTONE_MS = 365 * DAY_MS;
/** A key set this old is not used even when its host is down. */
const KEY_SET_MS = 2 * DAY_MS;

/**
 * Turns self-registered clients into tombstones (AS-67): those that never completed an authorization within a week, and those
 * that nobody used for 180 days. A client with a live refresh token stays whatever happens, and so does one that an
 * administrator switched off: its document, or an equal registration, would come back as a new one. Returns how many.
 */
export async function expireClients(db: Db, now: Date): Promise<number> {
  const idleSince = new Date(now.getTime() - IDLE_MS);
  const rows = await db.rows(sql`
    with expired as (
      select c.environment_id, c.id, c.mcp_server_id, c.completed_at from clients c
       where c.deleted_at is null and c.enabled and c.registration in ('dynamic', 'metadata-document') and c.kind = 'mcp'
         and c.created_at < ${new Date(now.getTime() - NEVER_COMPLETED_MS)}
         and (c.completed_at is null or (greatest(c.completed_at, c.last_used_at) < ${idleSince}
              and not exists (select 1 from grants g where g.environment_id = c.environment_id and g.client_id = c.id and g.last_used_at >= ${idleSince})))
         and not exists (select 1 from grants g join refresh_tokens t on t.environment_id = g.environment_id and t.grant_id = g.id
              where g.environment_id = c.environment_id and g.client_id = c.id and g.ended_at is null and g.absolute_expires_at > ${now}
                and t.revoked_at is null and t.retired_at is null and t.idle_expires_at > ${now})
       order by c.created_at limit ${AT_ONCE} for update of c skip locked),
    gone as (
      update clients c set deleted_at = ${now}, deleted_because = case when expired.completed_at is null then 'never-completed' else 'idle' end, enabled = false,
          registration_token_hash = null, updated_at = ${now}, row_version = row_version + 1
        from expired where c.environment_id = expired.environment_id and c.id = expired.id),
    secrets as (delete from client_secrets s using expired where s.environment_id = expired.environment_id and s.client_id = expired.id),
    documents as (delete from client_documents d using expired where d.environment_id = expired.environment_id and d.url = expired.id),
    told as (
      insert into events (environment_id, type, occurred_at, client_id, mcp_server_id, data)
      select environment_id, 'client.expired', ${now}::timestamptz, left(id, 512), mcp_server_id, jsonb_build_object('because', case when completed_at is null then 'never-completed' else 'idle' end)
        from expired)
    select 1 as gone from expired`);
  return rows.length;
}

/** Forgets used assertions that have expired, also for a process whose clock is behind. Returns how many; call again while it is `ASSERTIONS_AT_ONCE`. */
export async function forgetUsedAssertions(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    delete from used_assertions where (environment_id, issuer, jti_hash) in (
      select environment_id, issuer, jti_hash from used_assertions where expires_at < ${new Date(now.getTime() - CLOCKS_DIFFER_MS)} limit ${ASSERTIONS_AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}

/** Forgets tombstones after a year, and key sets that are too old to count. */
export async function forgetOldClientRows(db: Db, now: Date): Promise<void> {
  await db.rows(sql`
    delete from clients where (environment_id, id) in (
      select environment_id, id from clients where deleted_at < ${new Date(now.getTime() - TOMBSTONE_MS)} limit ${AT_ONCE} for update skip locked)`);
  await db.rows(
    sql`delete from client_key_sets where fetched_at < ${new Date(now.getTime() - KEY_SET_MS)}`,
  );
}
