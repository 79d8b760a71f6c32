import { type Db, sql } from '../storage/db.ts';

const DAY_MS = 86_400_000;
/** A used code is remembered this long, so that using it again still ends its grant (AS-96). */
const REMEMBER_USED_CODES_MS = 7 * DAY_MS;
/** Rows that nobody can use are kept a little, for clocks that differ and people who look. */
const KEEP_EXPIRED_MS = DAY_MS;
/** Ended families are still told from unknown ones this long. */
const KEEP_FAMILIES_MS = 30 * DAY_MS;
/** What one statement removes at most; who gets this number calls again. */
export const AT_ONCE = 5000;
const FAMILIES_AT_ONCE = 500;

/** Removes expired codes. Returns how many. */
export async function deleteExpiredCodes(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    delete from authorization_codes where (environment_id, code_hash) in (
      select environment_id, code_hash from authorization_codes
       where expires_at < ${new Date(now.getTime() - KEEP_EXPIRED_MS)} and (consumed_at is null or consumed_at < ${new Date(now.getTime() - REMEMBER_USED_CODES_MS)})
       limit ${AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}

/** Erases the sealed copies of codes that have expired (AS-128), and removes pending requests that ended long ago. */
export async function cleanUpLoginRequests(db: Db, now: Date): Promise<number> {
  await db.rows(sql`
    update login_requests l set code_sealed = null
     where l.code_sealed is not null and not exists (
       select 1 from authorization_codes c where c.environment_id = l.environment_id and c.code_hash = l.code_hash and c.consumed_at is null and c.expires_at > ${now})`);
  const rows = await db.rows(sql`
    delete from login_requests where (environment_id, id) in (
      select environment_id, id from login_requests where expires_at < ${new Date(now.getTime() - KEEP_EXPIRED_MS)} limit ${AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}

/** Removes the tokens of families that were ended long ago; their grants stay for the history. */
export async function deleteDeadRefreshTokens(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    delete from refresh_tokens where (environment_id, id) in (
      select t.environment_id, t.id from refresh_tokens t where t.revoked_at < ${new Date(now.getTime() - KEEP_FAMILIES_MS)} limit ${AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}

/** Removes families that nobody used in time, long ago: with the current token all earlier ones are worth nothing. */
export async function deleteExpiredFamilies(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    with expired as (
      select environment_id, grant_id from refresh_tokens
       where grace_ends_at is null and revoked_at is null and idle_expires_at < ${new Date(now.getTime() - KEEP_FAMILIES_MS)} limit ${FAMILIES_AT_ONCE} for update skip locked
    ), gone as (
      delete from refresh_tokens t using expired where t.environment_id = expired.environment_id and t.grant_id = expired.grant_id
    )
    select 1 from expired`);
  return rows.length < FAMILIES_AT_ONCE ? 0 : AT_ONCE;
}

/** Removes counters whose window is over: the next attempt would start them anew. */
export async function deleteEndedCounters(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    delete from rate_limits where (environment_id, key) in (
      select environment_id, key from rate_limits where window_ends_at < ${now} limit ${AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}
