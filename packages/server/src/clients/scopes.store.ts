import { type Db, sql } from '../storage/db.ts';

/** The name of a permission that is not built in. */
export async function findScopeName(
  db: Db,
  by: { environmentId: string; permissionId: string },
): Promise<string | undefined> {
  const rows = await db.rows<{ name: string }>(
    sql`select name from permissions where environment_id = ${by.environmentId} and id = ${by.permissionId} and not built_in`,
  );
  return rows[0]?.name;
}
