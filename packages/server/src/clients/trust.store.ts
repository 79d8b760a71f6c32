import { type Db, sql } from '../storage/db.ts';

/** Whether a person has a live grant for exactly this client and redirect URI (AS-144). */
export async function hasLiveGrant(
  db: Db,
  by: { environmentId: string; userId: string; clientId: string; redirectUri: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    select 1 as live from grants
     where environment_id = ${by.environmentId} and user_id = ${by.userId} and client_id = ${by.clientId} and redirect_uri = ${by.redirectUri} and ended_at is null limit 1`);
  return rows.length > 0;
}
