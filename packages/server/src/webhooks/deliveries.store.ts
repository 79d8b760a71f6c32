import type { StoredEvent } from '../events/envelope.ts';
import { findEvents } from '../events/events.store.ts';
import { type Db, json, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

export type DeliveryState = 'queued' | 'retrying' | 'succeeded' | 'failed';

/** What became of one event at one endpoint. */
export type Delivery = {
  readonly id: string;
  readonly endpointId: string;
  readonly eventId: bigint;
  readonly eventType: string;
  readonly test: boolean;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly nextAttemptAt: Date | undefined;
  readonly lastAttemptAt: Date | undefined;
  readonly lastStatus: number | undefined;
  readonly lastError: string | undefined;
  readonly lastDurationMs: number | undefined;
  readonly createdAt: Date;
};

type Row = {
  id: string;
  endpoint_id: string;
  event_id: bigint;
  event_type: string;
  test: boolean;
  state: DeliveryState;
  attempts: number;
  next_attempt_at: Date | null;
  last_attempt_at: Date | null;
  last_status: number | null;
  last_error: string | null;
  last_duration_ms: number | null;
  created_at: Date;
};

const columns = sql`id, endpoint_id, event_id, event_type, payload is not null as test, state, attempts, next_attempt_at, last_attempt_at,
  last_status, last_error, last_duration_ms, created_at`;

function fromRow(row: Row): Delivery {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    eventId: row.event_id,
    eventType: row.event_type,
    test: row.test,
    state: row.state,
    attempts: row.attempts,
    nextAttemptAt: row.next_attempt_at ?? undefined,
    lastAttemptAt: row.last_attempt_at ?? undefined,
    lastStatus: row.last_status ?? undefined,
    lastError: row.last_error ?? undefined,
    lastDurationMs: row.last_duration_ms ?? undefined,
    createdAt: row.created_at,
  };
}

export type DeliveryFilter = {
  readonly states: readonly DeliveryState[];
  readonly eventType?: string | undefined;
  readonly start?: Date | undefined;
  readonly end?: Date | undefined;
};

type OfEndpoint = { readonly environmentId: string; readonly endpointId: string };

/** A part of an endpoint's list, newest first; one more than the page has. */
export async function listDeliveries(
  db: Db,
  by: OfEndpoint & { filter: DeliveryFilter; page: PageQuery },
): Promise<Delivery[]> {
  const { states, eventType, start, end } = by.filter;
  const inStates =
    states.length === 0
      ? sql``
      : states.every((state) => state === 'failed')
        ? sql`and state = 'failed'` // in words, as the index of these says it
        : sql`and state = any(${[...states]}::text[])`;
  const rows = await db.rows<Row>(sql`
    select ${columns} from webhook_deliveries
     where environment_id = ${by.environmentId} and endpoint_id = ${by.endpointId} ${inStates}
       and (${eventType}::text is null or event_type = ${eventType}::text)
       and (${start}::timestamptz is null or created_at >= ${start}::timestamptz)
       and (${end}::timestamptz is null or created_at <= ${end}::timestamptz) ${inPage(sql`id`, by.page)}`);
  return rows.map(fromRow);
}

export type DeliveryDetails = {
  readonly delivery: Delivery;
  /** Of a test. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  /** Absent for tests, and when it is older than events are kept. */
  readonly event: StoredEvent | undefined;
  readonly lastAnswer: Uint8Array | undefined;
};

export async function findDelivery(
  db: Db,
  by: OfEndpoint & { id: string },
): Promise<DeliveryDetails | undefined> {
  const rows = await db.rows<
    Row & { payload: Record<string, unknown> | null; last_answer: Uint8Array | null }
  >(sql`
    select ${columns}, payload, last_answer from webhook_deliveries
     where environment_id = ${by.environmentId} and endpoint_id = ${by.endpointId} and id = ${by.id}`);
  const row = rows[0];
  if (!row) return undefined;
  const { environmentId } = by;
  const events =
    row.payload === null ? await findEvents(db, { environmentId, ids: [row.event_id] }) : [];
  return {
    delivery: fromRow(row),
    payload: row.payload ?? undefined,
    event: events[0],
    lastAnswer: row.last_answer ?? undefined,
  };
}

const ANEW = sql`state = 'queued', attempts = 0, last_error = null`;

/** Begins a delivery anew, whatever became of it. Undefined when it is gone. */
export async function requeueDelivery(
  db: Db,
  by: OfEndpoint & { id: string; now: Date },
): Promise<Delivery | undefined> {
  const rows = await db.rows<Row>(sql`
    update webhook_deliveries set ${ANEW}, next_attempt_at = ${by.now}
     where environment_id = ${by.environmentId} and endpoint_id = ${by.endpointId} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Begins anew what failed for good in a span, the oldest first, as far as its events are still there. Returns how many. */
export async function requeueFailed(
  db: Db,
  by: OfEndpoint & { start: Date; end: Date; limit: number; now: Date },
): Promise<number> {
  const rows = await db.rows(sql`
    update webhook_deliveries set ${ANEW}, next_attempt_at = ${by.now}
     where (environment_id, id) in (
       select d.environment_id, d.id from webhook_deliveries d
        where d.environment_id = ${by.environmentId} and d.endpoint_id = ${by.endpointId} and d.state = 'failed'
          and d.created_at >= ${by.start} and d.created_at <= ${by.end} and d.payload is null
          and exists (select 1 from events e where e.environment_id = d.environment_id and e.id = d.event_id)
        order by d.id limit ${by.limit} for update skip locked)
    returning 1`);
  return rows.length;
}

/** The stored id of an event that is only sent as a test. */
export async function nextEventId(db: Db): Promise<bigint> {
  const rows = await db.rows<{ id: bigint }>(sql`select nextval('event_sequence') as id`);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the sequence of events is gone');
  return id;
}

/** Queues a test for every enabled endpoint that is told of the type. Returns for how many. */
export async function queueTest(
  db: Db,
  by: {
    environmentId: string;
    eventId: bigint;
    eventType: string;
    optIn: boolean;
    payload: object;
    now: Date;
  },
): Promise<number> {
  const rows = await db.rows(sql`
    insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, payload, next_attempt_at, created_at)
    select w.environment_id, w.id, ${by.eventId}::bigint, ${by.eventType}::text, ${json(by.payload)}::jsonb, ${by.now}::timestamptz, ${by.now}::timestamptz
      from webhook_endpoints w
     where w.environment_id = ${by.environmentId} and w.enabled and ((w.all_types and not ${by.optIn}::boolean) or ${by.eventType}::text = any(w.event_types))
    returning id`);
  return rows.length;
}
