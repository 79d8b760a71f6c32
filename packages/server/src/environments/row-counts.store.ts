import { type Db, type Sql, sql } from '../storage/db.ts';

/** Tables whose rows are counted as they come and go. */
export type CountedTable = 'organizations' | 'users' | 'auth_requests';

/** How many rows of an environment a table has, as a query with the column `count`: exact, and quick however many there are. */
export function rowCount(environmentId: string, table: CountedTable): Sql {
  return sql`select coalesce(sum(change), 0)::bigint as count from row_counts where environment_id = ${environmentId} and table_name = ${table}`;
}

/** Changes of one list that are worth adding together: reading so many costs less than a tenth of a millisecond. */
const MANY = 100;

/**
 * Adds up what statements noted, of lists that have many notes. Notes that somebody else adds up at the same time are left to
 * them; readers see the same sum before and after.
 *
 * @returns how many notes became fewer ones
 */
export async function addUpRowCounts(db: Db): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(sql`
    with long as (
      select environment_id, table_name from row_counts group by environment_id, table_name having count(*) > ${MANY}
    ), held as (
      select r.environment_id, r.table_name, r.id from row_counts r join long using (environment_id, table_name) limit 50000 for update of r skip locked
    ), taken as (
      delete from row_counts r using held h where r.environment_id = h.environment_id and r.table_name = h.table_name and r.id = h.id
      returning r.environment_id, r.table_name, r.change
    ), kept as (
      insert into row_counts (environment_id, table_name, change)
      select environment_id, table_name, sum(change) from taken group by environment_id, table_name
    )
    select count(*) as count from taken`);
  return Number(rows[0]?.count ?? 0n);
}
