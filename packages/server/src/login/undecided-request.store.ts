import { type Db, sql } from '../storage/db.ts';

/** The newest request of a browser that waits for a decision. */
export async function findUndecidedRequest(
  db: Db,
  by: { environmentId: string; browserHash: Uint8Array; now: Date },
): Promise<string | undefined> {
  const rows = await db.rows<{ id: string }>(sql`
    select id from login_requests
     where environment_id = ${by.environmentId} and browser_hash = ${by.browserHash} and ended_at is null and decision is null and expires_at > ${by.now}
     order by created_at desc, id limit 1`);
  return rows[0]?.id;
}
