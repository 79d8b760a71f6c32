import { type Db, sql } from '../storage/db.ts';

const DAY_MS = 86_400_000;
/** A used code is remembered this long, so that using it again still ends its grant (AS-96). */
const REMEMBER_USED_CODES_MS = 7 * DAY_MS;
/** Rows that nobody can use are kept a little, for clocks that differ and people who look. */
const KEEP_EXPIRED_MS = DAY_MS;
const AT_ONCE = 5000;

/** Removes expired codes. Returns how many; call again while it is the full number. */
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

/** Removes the tokens of families that ended long ago; their grants stay for the history. */
export async function deleteDeadRefreshTokens(db: Db, now: Date): Promise<number> {
  const rows = await db.rows(sql`
    delete from refresh_tokens where (environment_id, id) in (
      select t.environment_id, t.id from refresh_tokens t where t.revoked_at < ${new Date(now.getTime() - 30 * DAY_MS)} limit ${AT_ONCE} for update skip locked)
    returning 1`);
  return rows.length;
}
