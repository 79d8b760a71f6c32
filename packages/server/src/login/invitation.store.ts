import { type Db, sql } from '../storage/db.ts';

/** Where people begin to sign in: the oldest application of the environment that says it. */
export async function findInitiateLogin(
  db: Db,
  environmentId: string,
): Promise<string | undefined> {
  const rows = await db.rows<{ uri: string }>(sql`
    select settings ->> 'initiateLoginUri' as uri from clients
     where environment_id = ${environmentId} and kind in ('environment', 'application') and deleted_at is null and enabled and settings ->> 'initiateLoginUri' <> ''
     order by id limit 1`);
  return rows[0]?.uri;
}
