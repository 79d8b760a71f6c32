import { type Db, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';
import {
  type Environment,
  type EnvironmentRow,
  environmentColumns,
  environmentFrom,
} from './environments.store.ts';

/** Who looks: somebody of one environment, perhaps an operator of it. */
export type Viewer = {
  readonly environmentId: string;
  readonly operatorId: string | undefined;
};

/** The viewer's own environment; to operators also those that have an operator with the same address. */
function visibleTo({ environmentId, operatorId }: Viewer): Sql {
  return sql`(id = ${environmentId} or exists (
    select 1 from operators me join operators o on o.email_key = me.email_key
     where me.environment_id = ${environmentId} and me.id = ${operatorId} and o.environment_id = environments.id))`;
}

/** An environment, if the viewer may know of it. */
export async function findVisibleEnvironment(
  db: Db,
  by: Viewer & { readonly id: string },
): Promise<Environment | undefined> {
  const rows = await db.rows<EnvironmentRow>(
    sql`select ${environmentColumns} from environments where id = ${by.id} and ${visibleTo(by)}`,
  );
  return rows[0] && environmentFrom(rows[0]);
}

/** Newest first. */
export async function listVisibleEnvironments(
  db: Db,
  by: Viewer & { readonly page: PageQuery },
): Promise<Environment[]> {
  const rows = await db.rows<EnvironmentRow>(
    sql`select ${environmentColumns} from environments where ${visibleTo(by)} ${inPage(sql`id`, by.page)}`,
  );
  return rows.map(environmentFrom);
}

export async function countVisibleEnvironments(db: Db, by: Viewer): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from environments where ${visibleTo(by)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}
