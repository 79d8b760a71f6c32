import { type Db, type Sql, sql } from '../storage/db.ts';
import type { PageQuery } from '../storage/page.ts';
import { eventIdOf, type StoredEvent, storedIdOf } from './envelope.ts';

/** Which events a list has; what is absent does not narrow it. */
export type EventFilter = {
  readonly types: readonly string[];
  /** Both ends belong to it. */
  readonly start?: Date | undefined;
  readonly end?: Date | undefined;
  readonly organizationId?: string | undefined;
  /** From the directories of organizations, or from everything else. */
  readonly source?: 'directories' | 'others' | undefined;
  /** Of an authorization request, or the id that joins the hops of one. */
  readonly authRequestId?: string | undefined;
  readonly interceptorId?: string | undefined;
  readonly interceptorStatus?: string | undefined;
  readonly interceptorDecision?: string | undefined;
  readonly connectionId?: string | undefined;
  /** Only what endpoints are told of. */
  readonly catalogueOnly?: boolean | undefined;
  /** Asks for what this server has none of. */
  readonly nothing?: boolean | undefined;
};

type Row = {
  environment_id: string;
  id: bigint;
  type: string;
  occurred_at: Date;
  organization_id: string | null;
  user_id: string | null;
  client_id: string | null;
  data: Record<string, unknown>;
};

const columns = sql`e.environment_id, e.id, e.type, e.occurred_at, e.organization_id, e.user_id, e.client_id, e.data`;

function fromRow(row: Row): StoredEvent {
  return {
    environmentId: row.environment_id,
    id: row.id,
    type: row.type,
    occurredAt: row.occurred_at,
    organizationId: row.organization_id ?? undefined,
    userId: row.user_id ?? undefined,
    clientId: row.client_id ?? undefined,
    data: row.data,
  };
}

/** How far the order of ids and that of moments may differ: requests in flight, and clocks of several processes. */
const DISORDER_MS = 600_000;
const DIRECTORIES = sql`(e.actor_kind = 'directory' or e.type like 'organization.directory.%')`;

/** A part of the list, newest first; one more than the page has, as `pageOf` expects it. */
export async function listEvents(
  db: Db,
  by: { environmentId: string; filter: EventFilter; page: PageQuery },
): Promise<(StoredEvent & { readonly eventId: string })[]> {
  const { cursor, backwards, limit } = by.page;
  const border = cursor === undefined ? undefined : storedIdOf(cursor);
  const beyond =
    border === undefined
      ? sql``
      : backwards
        ? sql`and e.id > ${border}`
        : sql`and e.id < ${border}`;
  const order = backwards ? sql`order by e.id` : sql`order by e.id desc`;
  const found = selected(
    by.environmentId,
    by.filter,
    columns,
    sql`${beyond} ${order} limit ${limit + 1}`,
  );
  const rows = await db.rows<Row>(
    by.filter.types.length > 0 ? sql`${found} ${order} limit ${limit + 1}` : found,
  );
  return rows.map(fromRow).map((event) => ({ ...event, eventId: eventIdOf(event.id) }));
}

/** How many there are, counted up to `most`: nobody waits for a number that nobody reads to the end. */
export async function countEvents(
  db: Db,
  by: { environmentId: string; filter: EventFilter; most: number },
): Promise<number> {
  const found = selected(by.environmentId, by.filter, sql`e.id`, sql`limit ${by.most}`);
  const rows = await db.rows<{ count: bigint }>(
    sql`select least(count(*), ${by.most}) as count from (${found}) as found`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** The events that these deliveries are of, by their stored ids. */
export async function findEvents(
  db: Db,
  by: { environmentId: string; ids: readonly bigint[] },
): Promise<StoredEvent[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from events e where e.environment_id = ${by.environmentId} and e.id = any(${by.ids.map(String)}::bigint[])`,
  );
  return rows.map(fromRow);
}

/** Removes what is older than an environment keeps. Returns how many; at `limit` there may be more. */
export async function deleteEventsBefore(
  db: Db,
  by: { environmentId: string; before: Date; limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from events where (environment_id, id) in (
      select environment_id, id from events where environment_id = ${by.environmentId} and occurred_at < ${by.before}
       order by occurred_at limit ${by.limit} for update skip locked)
    returning 1`);
  return rows.length;
}

/** With types, each of them is read from its own end of the index: a rare one is not searched among all others. */
function selected(environmentId: string, filter: EventFilter, what: Sql, tail: Sql): Sql {
  const where = conditions(environmentId, filter);
  return filter.types.length === 0
    ? sql`select ${what} from events e where ${where} ${tail}`
    : sql`select e.* from unnest(${[...new Set(filter.types)]}::text[]) as wanted (type)
        cross join lateral (select ${what} from events e where ${where} and e.type = wanted.type ${tail}) as e`;
}

function conditions(environmentId: string, filter: EventFilter): Sql {
  const own = sql`e.environment_id = ${environmentId}`;
  const wanted = [
    filter.organizationId && sql`e.organization_id = ${filter.organizationId}`,
    filter.connectionId && sql`e.connection_id = ${filter.connectionId}`,
    filter.nothing && sql`false`,
    filter.catalogueOnly && sql`e.object is not null`,
    filter.source && (filter.source === 'directories' ? DIRECTORIES : sql`not ${DIRECTORIES}`),
    filter.authRequestId && ofRequest(environmentId, filter.authRequestId),
    filter.interceptorId && sql`e.interceptor_id = ${filter.interceptorId}`,
    filter.interceptorStatus &&
      sql`e.interceptor_id is not null and e.data ->> 'status' = ${filter.interceptorStatus}`,
    filter.interceptorDecision &&
      sql`e.interceptor_id is not null and e.data ->> 'decision' = ${filter.interceptorDecision}`,
    filter.start && since(environmentId, filter.start),
    filter.end && until(environmentId, filter.end),
  ];
  return wanted.reduce<Sql>((all, each) => (each ? sql`${all} and ${each}` : all), own);
}

function ofRequest(environmentId: string, authRequestId: string): Sql {
  return sql`e.flow_id = coalesce((select r.flow_id from auth_requests r where r.environment_id = ${environmentId} and r.id = ${authRequestId}), ${authRequestId})`;
}

function since(environmentId: string, start: Date): Sql {
  const before = new Date(start.getTime() - DISORDER_MS);
  return sql`e.occurred_at >= ${start} and e.id > coalesce((
    select b.id from events b where b.environment_id = ${environmentId} and b.occurred_at < ${before} order by b.occurred_at desc limit 1), 0)`;
}

function until(environmentId: string, end: Date): Sql {
  const after = new Date(end.getTime() + DISORDER_MS);
  return sql`e.occurred_at <= ${end} and e.id < coalesce((
    select a.id from events a where a.environment_id = ${environmentId} and a.occurred_at > ${after} order by a.occurred_at limit 1), 9223372036854775807)`;
}
