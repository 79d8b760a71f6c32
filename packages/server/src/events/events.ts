import type { Actor, Ctx } from '../runtime/context.ts';
import { type Db, json, type Sql, sql } from '../storage/db.ts';
import { catalogued } from './catalogue.ts';
import { eventIdOf } from './envelope.ts';

/** Something that happened: the audit log, the flight recorder and webhooks are made of these. Never holds a token, code, secret or verifier (AS-121). */
export type Event = {
  readonly environmentId: string;
  readonly type: string;
  readonly outcome?: 'success' | 'failure' | undefined;
  /** Machine-readable, for failures. */
  readonly reason?: string | undefined;
  readonly occurredAt: Date;
  /** Joins every hop of one authorization. */
  readonly flowId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly userId?: string | undefined;
  readonly mcpServerId?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly address?: string | undefined;
  readonly userAgent?: string | undefined;
  /** Who called the management API for it. */
  readonly actor?: Actor | undefined;
  /** Of an organization's identity provider. @default `connection_id` of the data, or `id` when the event is about a connection */
  readonly connectionId?: string | undefined;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
};

/** What a caller with a context need not repeat. */
export type EventOf = Omit<
  Event,
  'environmentId' | 'occurredAt' | 'requestId' | 'address' | 'userAgent' | 'actor'
>;

const LONGEST_TEXT = 512;
/** What pages report: their data is no fact about a connection or an interceptor. */
const REPORTED = 'custom.';

/**
 * The event as an `insert … returning id`, for use as a part of a statement that changes something: both happen or neither. One
 * of the catalogue that succeeded is queued for the endpoints that want it by the same statement.
 */
export function eventSql(event: Event): Sql {
  const data = event.data ?? {};
  return insertSql({ ...event, data }, sql`${json(data)}::jsonb`, sql``);
}

function insertSql(
  event: Event,
  dataSql: Sql,
  from: Sql,
  about = { userId: sql`${event.userId}`, organizationId: sql`${event.organizationId}` },
): Sql {
  const entry = event.outcome === 'failure' ? undefined : catalogued(event.type);
  const data = event.type.startsWith(REPORTED) ? {} : (event.data ?? {});
  const named = entry?.object === 'Connection' ? 'id' : 'connection_id';
  const connectionId = event.data
    ? sql`${clip(event.connectionId ?? textOf(data['connection_id']) ?? textOf(data[named]))}::text`
    : sql`coalesce(${clip(event.connectionId)}::text, ${dataSql} ->> ${named}::text)`;
  return sql`insert into events (environment_id, type, outcome, reason, occurred_at, flow_id, request_id, client_id, user_id, mcp_server_id, organization_id, grant_id, address, user_agent, data,
      object, opt_in, actor_kind, actor_id, connection_id, interceptor_id)
    select ${event.environmentId}::text, ${event.type}::text, ${event.outcome ?? 'success'}::text, ${clip(event.reason)}::text, ${event.occurredAt}::timestamptz, ${event.flowId}::text, ${event.requestId}::text,
      ${clip(event.clientId)}::text, ${about.userId}::text, ${event.mcpServerId}::text, ${about.organizationId}::text, ${event.grantId}::text, ${event.address}::text, ${clip(event.userAgent)}::text, ${dataSql},
      ${entry?.object}::text, ${entry?.optIn ?? false}::boolean, ${event.actor?.kind}::text, ${clip(event.actor?.id)}::text, ${connectionId}, ${clip(textOf(data['interceptor_id']))}::text ${from}`;
}

/** Fills in what the context knows. */
export function eventOf(ctx: Ctx, event: EventOf): Event {
  return {
    ...event,
    environmentId: ctx.environmentId,
    occurredAt: ctx.now(),
    requestId: ctx.requestId,
    address: ctx.network.address,
    userAgent: ctx.network.userAgent,
    actor: ctx.actor,
  };
}

/** Writes one event. Part of a change? Pass that change's transaction as `db`. */
export async function record(db: Db, event: Event): Promise<void> {
  await db.rows(eventSql(event));
}

/** Writes one event, and returns the id that others know it by. */
export async function recordNamed(db: Db, event: Event): Promise<string> {
  const rows = await db.rows<{ id: bigint }>(sql`${eventSql(event)} returning id`);
  const id = rows[0]?.id;
  if (id === undefined) throw new Error('the event was not written');
  return eventIdOf(id);
}

/** Writes events that differ in nothing but their data, in one statement. `data` has a few hundred entries at most. */
export async function recordEach(
  db: Db,
  event: Omit<Event, 'data'>,
  data: readonly Readonly<Record<string, unknown>>[],
): Promise<void> {
  if (data.length === 0) return;
  const from = sql`from jsonb_array_elements(${json(data)}::jsonb) as given (data)`;
  await db.rows(insertSql(event, sql`given.data`, from));
}

/** Whom and what one of several events of a kind is about. */
export type EventAbout = {
  readonly userId: string;
  readonly organizationId?: string | undefined;
  readonly data?: Readonly<Record<string, unknown>> | undefined;
};

/** Writes events of one kind about several people, in one statement. */
export async function recordAbout(
  db: Db,
  event: Omit<Event, 'data' | 'userId' | 'organizationId'>,
  about: readonly EventAbout[],
): Promise<void> {
  if (about.length === 0) return;
  const from = sql`from jsonb_to_recordset(${json(about)}::jsonb) as given ("userId" text, "organizationId" text, data jsonb)`;
  const whom = { userId: sql`given."userId"`, organizationId: sql`given."organizationId"` };
  await db.rows(insertSql(event, sql`coalesce(given.data, '{}')`, from, whom));
}

/** Writes one event of this request. */
export async function recordFor(ctx: Ctx, event: EventOf): Promise<void> {
  await record(ctx.db, eventOf(ctx, event));
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function clip(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const printable = text.replaceAll('\0', '');
  return printable.length > LONGEST_TEXT ? printable.slice(0, LONGEST_TEXT) : printable;
}
