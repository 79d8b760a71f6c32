import { type Db, sql } from '../storage/db.ts';

/** Whether an application of the environment has a redirect URI at this origin. */
export async function isOriginOfApplication(
  db: Db,
  by: { environmentId: string; origin: string },
): Promise<boolean> {
  const rows = await db.rows(sql`
    select 1 from clients
     where environment_id = ${by.environmentId} and kind in ('environment', 'application') and deleted_at is null and enabled
       and exists (select 1 from unnest(redirect_uris) as uri where uri = ${by.origin} or starts_with(uri, ${by.origin} || '/') or starts_with(uri, ${by.origin} || '?'))
     limit 1`);
  return rows.length === 1;
}
