import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { inPage, type PageQuery } from '../storage/page.ts';

/** How we prove to the application's endpoint that it is us, without the secret of it. */
export type InterceptorAuth =
  | { readonly kind: 'api-key'; readonly headerName: string }
  | {
      readonly kind: 'oauth2';
      readonly tokenUrl: string;
      readonly clientId: string;
      readonly scope: string;
    };

export type InterceptorMembers = {
  readonly displayName: string;
  readonly description: string;
  /** Name of the contract's enumeration: `PRE_SIGNUP` … */
  readonly triggerPoint: string;
  readonly url: string;
  readonly timeoutMs: number;
  /** Go on when a call fails; otherwise refuse. */
  readonly failOpen: boolean;
  readonly auth: InterceptorAuth | undefined;
  /** Sealed: API key or client secret. */
  readonly authSecret: Uint8Array | undefined;
};

export type Interceptor = InterceptorMembers & {
  readonly id: string;
  readonly enabled: boolean;
  readonly secretId: string;
  /** Sealed: what signs. */
  readonly secret: Uint8Array;
  readonly secretSuffix: string;
  /** Sealed; signs as well until it ends. */
  readonly previousSecret: Uint8Array | undefined;
  readonly previousSecretEndsAt: Date | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly lastExecutedAt: Date | undefined;
};

type Row = {
  id: string;
  display_name: string;
  description: string;
  trigger_point: string;
  url: string;
  timeout_ms: number;
  fail_open: boolean;
  auth: InterceptorAuth | null;
  auth_secret: Uint8Array | null;
  secret_id: string;
  secret: Uint8Array;
  secret_suffix: string;
  previous_secret: Uint8Array | null;
  previous_secret_ends_at: Date | null;
  enabled: boolean;
  last_executed_at: Date | null;
  created_at: Date;
  updated_at: Date;
};

const columns = sql`id, display_name, description, trigger_point, url, timeout_ms, fail_open, auth, auth_secret, secret_id, secret, secret_suffix, previous_secret, previous_secret_ends_at, enabled, last_executed_at, created_at, updated_at`;

function fromRow(row: Row): Interceptor {
  return {
    id: row.id,
    displayName: row.display_name,
    description: row.description,
    triggerPoint: row.trigger_point,
    url: row.url,
    timeoutMs: row.timeout_ms,
    failOpen: row.fail_open,
    auth: row.auth ?? undefined,
    authSecret: row.auth_secret ?? undefined,
    secretId: row.secret_id,
    secret: row.secret,
    secretSuffix: row.secret_suffix,
    previousSecret: row.previous_secret ?? undefined,
    previousSecretEndsAt: row.previous_secret_ends_at ?? undefined,
    enabled: row.enabled,
    lastExecutedAt: row.last_executed_at ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

type Key = { readonly environmentId: string; readonly id: string };

/** @throws unique violation when the id is taken */
export async function insertInterceptor(
  db: Db,
  by: Key & {
    members: InterceptorMembers;
    secret: NewSecret;
    now: Date;
  },
): Promise<Interceptor> {
  const { members: m, secret: s, now } = by;
  const rows = await db.rows<Row>(sql`
    insert into interceptors (environment_id, id, display_name, description, trigger_point, url, timeout_ms, fail_open, auth, auth_secret, secret_id, secret, secret_suffix, created_at, updated_at)
    values (${by.environmentId}, ${by.id}, ${m.displayName}, ${m.description}, ${m.triggerPoint}, ${m.url}, ${m.timeoutMs}, ${m.failOpen}, ${json(m.auth)}, ${m.authSecret}, ${s.id}, ${s.sealed}, ${s.suffix}, ${now}, ${now})
    returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error('the interceptor was not written');
  return fromRow(row);
}

/** A signing secret, sealed for its row. */
export type NewSecret = {
  readonly id: string;
  readonly sealed: Uint8Array;
  readonly suffix: string;
};

/** How many an environment has; nobody else adds one until the transaction ends. */
export async function lockInterceptors(db: Db, environmentId: string): Promise<number> {
  await db.rows(
    sql`select pg_advisory_xact_lock(hashtextextended('interceptors ' || ${environmentId}, 0))`,
  );
  return await countInterceptors(db, { environmentId, filter: {} });
}

export async function findInterceptor(db: Db, by: Key): Promise<Interceptor | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from interceptors where environment_id = ${by.environmentId} and id = ${by.id}`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** The same; nobody else changes it until the transaction ends. */
export async function lockInterceptor(db: Db, by: Key): Promise<Interceptor | undefined> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from interceptors where environment_id = ${by.environmentId} and id = ${by.id} for update`,
  );
  return rows[0] && fromRow(rows[0]);
}

/** Writes what an administrator may change of a row that is locked. */
export async function updateInterceptor(
  db: Db,
  by: Key & { members: InterceptorMembers; enabled: boolean; now: Date },
): Promise<Interceptor> {
  const { members: m } = by;
  const rows = await db.rows<Row>(sql`
    update interceptors set display_name = ${m.displayName}, description = ${m.description}, trigger_point = ${m.triggerPoint}, url = ${m.url}, timeout_ms = ${m.timeoutMs},
      fail_open = ${m.failOpen}, auth = ${json(m.auth)}, auth_secret = ${m.authSecret}, enabled = ${by.enabled}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  const row = rows[0];
  if (!row) throw new Error(`interceptor ${by.id} was not locked`);
  return fromRow(row);
}

/** A new signing secret; the one before signs as well until `previousEndsAt`. Undefined when there is no such interceptor. */
export async function replaceInterceptorSecret(
  db: Db,
  by: Key & { secret: NewSecret; previousEndsAt: Date; now: Date },
): Promise<Interceptor | undefined> {
  const { secret: s } = by;
  const rows = await db.rows<Row>(sql`
    update interceptors set previous_secret = secret, previous_secret_ends_at = ${by.previousEndsAt}, secret_id = ${s.id}, secret = ${s.sealed}, secret_suffix = ${s.suffix}, updated_at = ${by.now}
     where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`);
  return rows[0] && fromRow(rows[0]);
}

/** The row that was deleted. */
export async function deleteInterceptor(db: Db, by: Key): Promise<Interceptor | undefined> {
  const rows = await db.rows<Row>(
    sql`delete from interceptors where environment_id = ${by.environmentId} and id = ${by.id} returning ${columns}`,
  );
  return rows[0] && fromRow(rows[0]);
}

export type InterceptorFilter = {
  readonly triggerPoint?: string | undefined;
  readonly enabled?: boolean | undefined;
};

function matching(environmentId: string, filter: InterceptorFilter): Sql {
  return sql`environment_id = ${environmentId} and (${filter.triggerPoint}::text is null or trigger_point = ${filter.triggerPoint}) and (${filter.enabled}::boolean is null or enabled = ${filter.enabled})`;
}

/** Newest first. */
export async function listInterceptorPage(
  db: Db,
  by: { environmentId: string; filter: InterceptorFilter; page: PageQuery },
): Promise<Interceptor[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from interceptors where ${matching(by.environmentId, by.filter)} ${inPage(sql`id`, by.page)}`,
  );
  return rows.map(fromRow);
}

export async function countInterceptors(
  db: Db,
  by: { environmentId: string; filter: InterceptorFilter },
): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from interceptors where ${matching(by.environmentId, by.filter)}`,
  );
  return Number(rows[0]?.count ?? 0n);
}

/** Those that a trigger has, in the order they are asked: the oldest first. */
export async function enabledInterceptors(
  db: Db,
  by: { environmentId: string; triggerPoint: string },
): Promise<Interceptor[]> {
  const rows = await db.rows<Row>(
    sql`select ${columns} from interceptors where environment_id = ${by.environmentId} and trigger_point = ${by.triggerPoint} and enabled order by id`,
  );
  return rows.map(fromRow);
}

/** Notes that it was asked, in the statement that writes the event of it. */
export async function noteExecution(db: Db, by: Key & { now: Date; event: Sql }): Promise<void> {
  await db.rows(sql`
    with told as (${by.event} returning id)
    update interceptors set last_executed_at = greatest(last_executed_at, ${by.now})
     where environment_id = ${by.environmentId} and id = ${by.id}`);
}
