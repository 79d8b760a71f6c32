import { type Db, sql } from '../storage/db.ts';

export type EndpointKey = { readonly environmentId: string; readonly id: string };

/** Where events are delivered to. */
export type Endpoint = {
  readonly environmentId: string;
  readonly id: string;
  readonly url: string;
  readonly description: string;
  /** Every type of the catalogue that is not opt-in. */
  readonly allTypes: boolean;
  /** The types it names. */
  readonly eventTypes: readonly string[];
  readonly enabled: boolean;
  readonly disabledBecause: 'request' | 'failing' | undefined;
  readonly disabledAt: Date | undefined;
  readonly previousSecretEndsAt: Date | undefined;
  readonly failingSince: Date | undefined;
  readonly lastSucceededAt: Date | undefined;
  readonly lastFailedAt: Date | undefined;
  readonly succeeded: bigint;
  readonly failed: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

/** What whoever manages an endpoint decides. */
export type EndpointMembers = Pick<Endpoint, 'url' | 'description' | 'allTypes' | 'eventTypes'>;

type Row = {
  environment_id: string;
  id: string;
  url: string;
  description: string;
  all_types: boolean;
  event_types: string[];
  enabled: boolean;
  disabled_because: 'request' | 'failing' | null;
  disabled_at: Date | null;
  previous_secret_ends_at: Date | null;
  failing_since: Date | null;
  last_succeeded_at: Date | null;
  last_failed_at: Date | null;
  succeeded: bigint;
  failed: bigint;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`environment_id, id, url, description, all_types, event_types, enabled, disabled_because, disabled_at, previous_secret_ends_at,
  failing_since, last_succeeded_at, last_failed_at, succeeded, failed, created_at, updated_at`;

function fromRow(row: Row): Endpoint {
  return {
    environmentId: row.environment_id,
    id: row.id,
    url: row.url,
    description: row.description,
    allTypes: row.all_types,
    eventTypes: row.event_types,
    enabled: row.enabled,
    disabledBecause: row.disabled_because ?? undefined,
    disabledAt: row.disabled_at ?? undefined,
    previousSecretEndsAt: row.previous_secret_ends_at ?? undefined,
    failingSince: row.failing_since ?? undefined,
    lastSucceededAt: row.last_succeeded_at ?? undefined,
    lastFailedAt: row.last_failed_at ?? undefined,
    succeeded: row.succeeded,
    failed: row.failed,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** How many there are. Whoever adds one holds the lock to the end of the transaction: two at once cannot both be the last. */
export async function lockEndpoints(db: Db, environmentId: string): Promise<number> {
  await db.rows(sql`select id from environments where id = ${environmentId} for no key update`);
  const rows = await db.rows<{ count: number }>(
    sql`select count(*)::int as count from webhook_endpoints where environment_id = ${environmentId}`,
  );
  return rows[0]?.count ?? 0;
}

/** @throws unique violation: the id is taken */
export async function insertEndpoint(
  db: Db,
  by: EndpointKey & { members: EndpointMembers; secret: Uint8Array; now: Date },
): Promise<Endpoint> {
  const { members } = by;
  const rows = await db.rows<Row>(sql`
    insert into webhook_endpoints (environment_id, id, url, description, all_types, event_types, secret, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${members.url}, ${members.description}, ${members.allTypes}, ${members.eventTypes}::text[], ${by.secret}, ${by.now}, ${by.now})
    returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the endpoint was not written');
  return fromRow(row);
}

export async function findEndpoint(db: Db, by: EndpointKey): Promise<Endpoint | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from webhook_endpoints where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The endpoint as it is, and stays until the transaction ends. */
export async function lockEndpoint(
  db: Db,
  by: EndpointKey,
): Promise<(Endpoint & { readonly secret: Uint8Array }) | undefined> {
  const rows = await db.rows<Row & { secret: Uint8Array }>(
    sql`select ${columns}, secret from webhook_endpoints where environment_id = ${by.environmentId} and id = ${by.id} for no key update`,
  );
  return rows[0] && { ...fromRow(rows[0]), secret: rows[0].secret };
}

/** Newest first; an environment has few. */
export async function listEndpoints(db: Db, environmentId: string): Promise<Endpoint[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from webhook_endpoints where environment_id = ${environmentId} order by id desc`,
  );
  return rows.map(fromRow);
}

/** Another address begins anew: failures of the old one do not count. */
export async function updateEndpoint(
  db: Db,
  by: EndpointKey & { members: EndpointMembers; now: Date },
): Promise<Endpoint | undefined> {
  const { members } = by;
  const rows = await db.rows<Row>(sql`
    update webhook_endpoints set url = ${members.url}, description = ${members.description}, all_types = ${members.allTypes},
      event_types = ${members.eventTypes}::text[], updated_at = ${by.now}, failing_since = case when url = ${members.url} then failing_since end
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

export async function replaceSecret(
  db: Db,
  by: EndpointKey & { secret: Uint8Array; previous: Uint8Array; previousEndsAt: Date; now: Date },
): Promise<Endpoint | undefined> {
  const rows = await db.rows<Row>(sql`
    update webhook_endpoints set secret = ${by.secret}, previous_secret = ${by.previous}, previous_secret_ends_at = ${by.previousEndsAt}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** Begins anew: failures of before do not count. Undefined when it is enabled already, or gone. */
export async function enableEndpoint(
  db: Db,
  by: EndpointKey & { now: Date },
): Promise<Endpoint | undefined> {
  const rows = await db.rows<Row>(sql`
    update webhook_endpoints set enabled = true, disabled_because = null, disabled_at = null, failing_since = null, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} and not enabled returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/**
 * Ends deliveries to an endpoint; what waits is marked as failed. Undefined when it is disabled already, gone, or, with
 * `failingBefore`, has not failed for so long.
 */
export async function disableEndpoint(
  db: Db,
  by: EndpointKey & { because: 'request' | 'failing'; failingBefore?: Date | undefined; now: Date },
): Promise<Endpoint | undefined> {
  const rows = await db.rows<Row>(sql`
    with disabled as (
      update webhook_endpoints set enabled = false, disabled_because = ${by.because}, disabled_at = ${by.now}, updated_at = ${by.now}
       where environment_id = ${by.environmentId} and id = ${by.id} and enabled
         and (${by.failingBefore}::timestamptz is null or failing_since <= ${by.failingBefore}::timestamptz)
      returning ${columns}
    ), ended as (
      update webhook_deliveries d set state = 'failed', next_attempt_at = null, last_error = 'the endpoint was disabled'
        from disabled where d.environment_id = disabled.environment_id and d.endpoint_id = disabled.id and d.next_attempt_at is not null
    )
    select ${columns} from disabled`);
  return rows[0] && fromRow(rows[0]);
}

/** False when there was none. Its deliveries go with their age. */
export async function deleteEndpoint(db: Db, by: EndpointKey): Promise<boolean> {
  const rows = await db.rows(
    sql`delete from webhook_endpoints where environment_id = ${by.environmentId} and id = ${by.id} returning id`,
  );
  return rows.length === 1;
}

/** Forgets secrets that no longer sign, of all environments. */
export async function forgetEndedSecrets(db: Db, now: Date): Promise<void> {
  await db.rows(
    sql`update webhook_endpoints set previous_secret = null, previous_secret_ends_at = null where previous_secret_ends_at <= ${now}`,
  );
}

/** Who is told that an endpoint does not work: the people who may change it. */
export async function operatorAddresses(db: Db, environmentId: string): Promise<string[]> {
  const rows = await db.rows<{ email: string }>(
    sql`select email from operators where environment_id = ${environmentId} and role in ('owner', 'admin') order by id limit 20`,
  );
  return rows.map(({ email }) => email);
}
