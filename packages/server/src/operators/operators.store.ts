import { type Db, json, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

export type OperatorRole = 'owner' | 'admin' | 'viewer';

/** Somebody who runs the environment. */
export type Operator = {
  readonly id: string;
  readonly email: string;
  readonly role: OperatorRole;
  readonly firstName: string;
  readonly lastName: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

/** What a change of an operator may touch. */
export type OperatorMembers = Pick<Operator, 'role' | 'firstName' | 'lastName' | 'metadata'>;

type Row = {
  id: string;
  email: string;
  role: OperatorRole;
  first_name: string;
  last_name: string;
  metadata: Record<string, string>;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, email, role, first_name, last_name, metadata, created_at, updated_at`;

function fromRow(row: Row): Operator {
  const { id, email, role, metadata } = row;
  const names = { firstName: row.first_name, lastName: row.last_name };
  return {
    id,
    email,
    role,
    ...names,
    metadata,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export type NewOperator = OperatorMembers & {
  readonly id: string;
  readonly email: string;
  readonly emailKey: string;
};

/** @throws unique violation on `operators_by_email` or the id */
export async function insertOperator(
  db: Db,
  by: { readonly environmentId: string; readonly operator: NewOperator; readonly now: Date },
): Promise<Operator> {
  const { environmentId, operator: o, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into operators (environment_id, id, email, email_key, role, first_name, last_name, metadata, created_at, updated_at)
    values (${environmentId}, ${o.id}, ${o.email}, ${o.emailKey}, ${o.role}, ${o.firstName}, ${o.lastName}, ${json(o.metadata)}, ${now}, ${now})
    returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the operator was not written');
  return fromRow(row);
}

/** Whether the environment has any operator. Holds off everybody else who asks this until the transaction ends. */
export async function hasOperators(db: Db, environmentId: string): Promise<boolean> {
  await db.rows(sql`select id from environments where id = ${environmentId} for update`);
  const rows = await db.rows<{ some: boolean }>(
    sql`select exists (select 1 from operators where environment_id = ${environmentId}) as some`,
  );
  return rows[0]?.some === true;
}

export async function findOperator(
  db: Db,
  by: { readonly environmentId: string; readonly id: string },
): Promise<Operator | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from operators where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/**
 * An operator and how many owners there are besides, until the transaction ends: owners are locked in one order, so that of
 * two changes at once the second one sees what the first one left.
 */
export async function lockOperator(
  db: Db,
  by: { readonly environmentId: string; readonly id: string },
): Promise<{ readonly operator: Operator; readonly otherOwners: number } | undefined> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from operators where environment_id = ${by.environmentId} and (role = 'owner' or id = ${by.id})
     order by id for update`);
  const found = rows.find(({ id }) => id === by.id);
  if (!found) return undefined;
  const others = rows.filter(({ id, role }) => role === 'owner' && id !== by.id);
  return { operator: fromRow(found), otherOwners: others.length };
}

/** Writes all members of an operator that is locked. */
export async function updateOperator(
  db: Db,
  by: {
    readonly environmentId: string;
    readonly id: string;
    readonly members: OperatorMembers;
    readonly now: Date;
  },
): Promise<Operator> {
  const { environmentId, id, members: m, now } = by;
  const rows = await db.rows<Row>(sql`
    update operators set role = ${m.role}, first_name = ${m.firstName}, last_name = ${m.lastName}, metadata = ${json(m.metadata)}, updated_at = ${now}
     where environment_id = ${environmentId} and id = ${id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`operator ${id} was not locked`);
  return fromRow(row);
}

/** The operator's sessions end with the row. */
export async function deleteOperatorRow(
  db: Db,
  by: { readonly environmentId: string; readonly id: string },
): Promise<void> {
  await db.rows(
    sql`delete from operators where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
}

/** All owners of an environment, with the form in which their addresses are compared. */
export async function listOwners(
  db: Db,
  environmentId: string,
): Promise<(Operator & Pick<NewOperator, 'emailKey'>)[]> {
  const rows = await db.rows<Row & { email_key: string }>(
    sql`select ${columns}, email_key from operators where environment_id = ${environmentId} and role = 'owner' order by id`,
  );
  return rows.map((row) => ({ ...fromRow(row), emailKey: row.email_key }));
}

/** Newest first. */
export async function listOperatorPage(
  db: Db,
  by: { readonly environmentId: string; readonly page: PageQuery },
): Promise<Operator[]> {
  const rows = await db.rows<Row>(sql`
    select ${columns} from operators where environment_id = ${by.environmentId} ${inPage(sql`id`, by.page)}`);
  return rows.map(fromRow);
}

export async function countOperators(db: Db, environmentId: string): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from operators where environment_id = ${environmentId}`,
  );
  return Number(rows[0]?.count ?? 0n);
}
