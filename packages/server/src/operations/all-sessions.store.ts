import { type Db, sql } from '../storage/db.ts';
import type { TokenTimes } from './issued-before.store.ts';

/**
 * Ends every session that has not ended, with the grants made in it, their refresh families, and their access tokens through
 * the feed, in one statement (AS-114, AS-124).
 */
export async function endEverySession(
  db: Db,
  by: {
    environmentId: string;
    userId: string | undefined;
    because: string;
    now: Date;
    tokens: TokenTimes;
  },
): Promise<{ sessions: number; grants: number }> {
  const rows = await db.rows<{ sessions: number; grants: number }>(sql`
    with gone as (
      update sessions s set ended_at = ${by.now}, ended_because = ${by.because}
       where s.environment_id = ${by.environmentId} and s.ended_at is null and (${by.userId}::text is null or s.user_id = ${by.userId})
      returning s.environment_id, s.id
    ), ended as (
      update grants g set ended_at = ${by.now}, ended_because = ${by.because} from gone
       where g.environment_id = gone.environment_id and g.session_id = gone.id
         and (g.ended_at is null or (g.ended_because = 'replaced' and g.last_used_at > ${by.tokens.oldestLive}))
      returning g.environment_id, g.id, g.mcp_server_id, g.revocation_handle, g.last_used_at
    ), told as (
      insert into revocations (environment_id, mcp_server_id, kind, value, matters_until, created_at)
      select environment_id, mcp_server_id, 'handle', revocation_handle, ${by.tokens.matterUntil}::timestamptz, ${by.now}::timestamptz
        from ended where mcp_server_id is not null and last_used_at > ${by.tokens.oldestLive}
    ), family as (
      update refresh_tokens t set revoked_at = ${by.now}, salt = null from ended
       where t.environment_id = ended.environment_id and t.grant_id = ended.id and t.revoked_at is null
    )
    select (select count(*) from gone)::int as sessions, (select count(*) from ended)::int as grants`);
  return rows[0] ?? { sessions: 0, grants: 0 };
}
