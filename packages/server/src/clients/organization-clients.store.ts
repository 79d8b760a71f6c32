import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

type Of = { readonly environmentId: string; readonly organizationId: string };

function live(by: Of): Sql {
  return sql`clients c where c.environment_id = ${by.environmentId} and c.organization_id = ${by.organizationId} and c.deleted_at is null`;
}

/** Ids of the machine clients of one organization, newest first. */
export async function listOrganizationClientIds(
  db: Db,
  by: Of & { readonly page: PageQuery },
): Promise<{ readonly id: string }[]> {
  return await db.rows(sql`select c.id from ${live(by)} ${inPage(sql`c.id`, by.page)}`);
}

export async function countOrganizationClients(db: Db, by: Of): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`select count(*) as count from ${live(by)}`);
  return Number(rows[0]?.count ?? 0n);
}
