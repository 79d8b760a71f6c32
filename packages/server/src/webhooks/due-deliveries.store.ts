import type { StoredEvent } from '../events/envelope.ts';
import { type Db, json, sql } from '../storage/db.ts';

/** A delivery that this process has to make now. */
export type DueDelivery = {
  readonly environmentId: string;
  readonly id: string;
  readonly endpointId: string;
  /** This attempt is one of them. */
  readonly attempts: number;
  readonly url: string;
  readonly secret: Uint8Array;
  /** Signs as well; absent when it has ended. */
  readonly previousSecret: Uint8Array | undefined;
  /** Of a test. */
  readonly payload: Readonly<Record<string, unknown>> | undefined;
  /** Absent: older than events are kept. */
  readonly event: StoredEvent | undefined;
  readonly eventId: bigint;
};

type Row = {
  environment_id: string;
  id: string;
  endpoint_id: string;
  attempts: number;
  url: string;
  secret: Uint8Array;
  previous_secret: Uint8Array | null;
  payload: Record<string, unknown> | null;
  event_id: bigint;
  type: string | null;
  occurred_at: Date | null;
  organization_id: string | null;
  user_id: string | null;
  client_id: string | null;
  data: Record<string, unknown> | null;
};

/** Endpoints that one call looks at: the others have their turn with the next. */
const ENDPOINTS_AT_ONCE = 40;
/** Deliveries of one endpoint that one process makes at a time: one that is slow costs no other more than that. */
const PER_ENDPOINT = 5;
/** In words: with a number that it does not know the database reads, and sorts, all that is due. */
const FEW = sql`limit 5`;

/**
 * Takes deliveries that are due, of all environments, and keeps other processes off them until `leaseUntil`: whoever dies in
 * between has them made once more. Each endpoint has its own share, so that one which does not answer holds up no other.
 *
 * @param by.busy how many of an endpoint's deliveries are under way in this process, by environment and endpoint
 * @param by.only of this endpoint alone
 */
export async function claimDeliveries(
  db: Db,
  by: {
    now: Date;
    leaseUntil: Date;
    busy: Readonly<Record<string, number>>;
    only?: { environmentId: string; endpointId: string } | undefined;
  },
): Promise<DueDelivery[]> {
  const only = by.only
    ? sql`and w.environment_id = ${by.only.environmentId} and w.id = ${by.only.endpointId}`
    : sql``;
  const rows = await db.rows<Row>(sql`
    with asked as (
      select w.environment_id, w.id, w.url, w.secret,
        case when w.previous_secret_ends_at > ${by.now} then w.previous_secret end as previous_secret, ${PER_ENDPOINT}::int - busy.count as free
        from webhook_endpoints w
        cross join lateral (select coalesce((${json(by.busy)}::jsonb ->> (w.environment_id || ' ' || w.id))::int, 0) as count) as busy
       where w.enabled and busy.count < ${PER_ENDPOINT} ${only}
         and exists (select 1 from webhook_deliveries x where x.environment_id = w.environment_id and x.endpoint_id = w.id and x.next_attempt_at <= ${by.now})
       order by random() limit ${ENDPOINTS_AT_ONCE}
    ), free as (
      select asked.url, asked.secret, asked.previous_secret, asked.free, d.environment_id, d.id,
        row_number() over (partition by asked.environment_id, asked.id order by d.next_attempt_at) as place
        from asked cross join lateral (
          select x.environment_id, x.id, x.next_attempt_at from webhook_deliveries x
           where x.environment_id = asked.environment_id and x.endpoint_id = asked.id and x.next_attempt_at <= ${by.now}
           order by x.next_attempt_at ${FEW} for update skip locked) as d
    ), due as materialized (
      select * from free where place <= free
    ), claimed as (
      update webhook_deliveries d set attempts = d.attempts + 1, next_attempt_at = ${by.leaseUntil}, last_attempt_at = ${by.now}
        from due where d.environment_id = due.environment_id and d.id = due.id
      returning d.environment_id, d.id, d.endpoint_id, d.attempts, d.payload, d.event_id, due.url, due.secret, due.previous_secret
    )
    select c.environment_id, c.id, c.endpoint_id, c.attempts, c.url, c.secret, c.previous_secret, c.payload, c.event_id,
      e.type, e.occurred_at, e.organization_id, e.user_id, e.client_id, e.data
      from claimed c left join events e on c.payload is null and e.environment_id = c.environment_id and e.id = c.event_id`);
  return rows.map(fromRow);
}

function fromRow(row: Row): DueDelivery {
  return {
    environmentId: row.environment_id,
    id: row.id,
    endpointId: row.endpoint_id,
    attempts: row.attempts,
    url: row.url,
    secret: row.secret,
    previousSecret: row.previous_secret ?? undefined,
    payload: row.payload ?? undefined,
    eventId: row.event_id,
    event:
      row.type === null || row.occurred_at === null
        ? undefined
        : {
            environmentId: row.environment_id,
            id: row.event_id,
            type: row.type,
            occurredAt: row.occurred_at,
            organizationId: row.organization_id ?? undefined,
            userId: row.user_id ?? undefined,
            clientId: row.client_id ?? undefined,
            data: row.data ?? {},
          },
  };
}

/** What an attempt came to. */
export type Result = {
  readonly succeeded: boolean;
  /** Absent when there was no answer. */
  readonly status: number | undefined;
  readonly answer: Uint8Array | undefined;
  /** Absent when it succeeded. */
  readonly error: string | undefined;
  readonly durationMs: number;
  /** When it is tried again; absent: never by itself. */
  readonly nextAttemptAt: Date | undefined;
};

/**
 * Writes down an attempt, for the delivery and, tests aside, for its endpoint. An attempt whose lease ended, so that somebody
 * else made another one, changes nothing. Returns since when the endpoint has only failed.
 */
export async function finishAttempt(
  db: Db,
  by: Pick<DueDelivery, 'environmentId' | 'id' | 'endpointId' | 'attempts'> & {
    result: Result;
    now: Date;
  },
): Promise<Date | undefined> {
  const { result } = by;
  const state = result.succeeded ? 'succeeded' : result.nextAttemptAt ? 'retrying' : 'failed';
  const counters = result.succeeded
    ? sql`succeeded = w.succeeded + 1, last_succeeded_at = ${by.now}::timestamptz, failing_since = null`
    : sql`failed = w.failed + 1, last_failed_at = ${by.now}::timestamptz, failing_since = coalesce(w.failing_since, ${by.now}::timestamptz)`;
  const rows = await db.rows<{ failing_since: Date | null }>(sql`
    with finished as (
      update webhook_deliveries set state = ${state}, next_attempt_at = ${result.nextAttemptAt}, last_status = ${result.status},
        last_answer = ${result.answer}::bytea, last_error = ${result.error}, last_duration_ms = ${result.durationMs}
       where environment_id = ${by.environmentId} and id = ${by.id} and attempts = ${by.attempts} and next_attempt_at is not null
      returning environment_id, endpoint_id, payload
    )
    update webhook_endpoints w set ${counters}
      from finished where w.environment_id = finished.environment_id and w.id = finished.endpoint_id and finished.payload is null
    returning w.failing_since`);
  return rows[0]?.failing_since ?? undefined;
}

/** Deliveries that are due and that nobody makes, counted up to `most`. */
export async function countDue(db: Db, by: { now: Date; most: number }): Promise<number> {
  const rows = await db.rows<{ count: number }>(sql`
    select count(*)::int as count from (
      select 1 from webhook_deliveries d join webhook_endpoints w on w.environment_id = d.environment_id and w.id = d.endpoint_id and w.enabled
       where d.next_attempt_at <= ${by.now} limit ${by.most}) as due`);
  return rows[0]?.count ?? 0;
}

/** Removes what is older than an environment keeps. Returns how many; at `limit` there may be more. */
export async function deleteDeliveriesBefore(
  db: Db,
  by: { environmentId: string; before: Date; limit: number },
): Promise<number> {
  const rows = await db.rows(sql`
    delete from webhook_deliveries where (environment_id, id) in (
      select environment_id, id from webhook_deliveries where environment_id = ${by.environmentId} and created_at < ${by.before}
       order by created_at limit ${by.limit} for update skip locked)
    returning 1`);
  return rows.length;
}
