import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** Which clients of the environment: its own, and applications of these types. */
export type EnvironmentClientFilter = {
  readonly environmentId: string;
  readonly withOwn: boolean;
  readonly applicationTypes: readonly string[];
};

/** The first condition is that of the index. */
function matching(by: EnvironmentClientFilter): Sql {
  return sql`clients c where c.environment_id = ${by.environmentId} and c.kind in ('environment', 'application') and c.deleted_at is null
    and (${by.withOwn}::boolean and c.kind = 'environment' or c.kind = 'application' and c.application_type = any(${by.applicationTypes}::text[]))`;
}

/** Ids, newest first. */
export async function listEnvironmentClientIds(
  db: Db,
  by: EnvironmentClientFilter & { readonly page: PageQuery },
): Promise<{ readonly id: string }[]> {
  return await db.rows(sql`select c.id from ${matching(by)} ${inPage(sql`c.id`, by.page)}`);
}

export async function countEnvironmentClients(
  db: Db,
  by: EnvironmentClientFilter,
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`select count(*) as count from ${matching(by)}`);
  return Number(rows[0]?.count ?? 0n);
}
