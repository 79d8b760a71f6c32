import { type Sql, sql } from './db.ts';

/** A part of a list, newest first: what lies beyond the cursor, in one of the two directions. */
export type PageQuery = {
  readonly limit: number;
  /** The id at the border; absent for the first part. */
  readonly cursor?: string | undefined;
  /** Towards newer rows. */
  readonly backwards?: boolean | undefined;
};

/** The end of a select over ids that grow with time, with one row more than the page has: it says whether anything follows. */
export function inPage(id: Sql, page: PageQuery): Sql {
  const limit = page.limit + 1;
  return page.backwards
    ? sql`and ${id} > ${page.cursor ?? ''} order by ${id} limit ${limit}`
    : sql`and (${page.cursor}::text is null or ${id} < ${page.cursor}) order by ${id} desc limit ${limit}`;
}
