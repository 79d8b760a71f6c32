import type { Ctx } from '../runtime/context.ts';
import { type Db, json, type Sql, sql } from '../storage/db.ts';

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
  readonly data?: Readonly<Record<string, unknown>> | undefined;
};

/** What a caller with a context need not repeat. */
export type EventOf = Omit<
  Event,
  'environmentId' | 'occurredAt' | 'requestId' | 'address' | 'userAgent'
>;

const LONGEST_TEXT = 512;

/** The event as an `insert … returning id`, for use as a part of a statement that changes something: both happen or neither. */
export function eventSql(event: Event): Sql {
  return sql`insert into events (environment_id, type, outcome, reason, occurred_at, flow_id, request_id, client_id, user_id, mcp_server_id, organization_id, grant_id, address, user_agent, data)
    select ${event.environmentId}::text, ${event.type}::text, ${event.outcome ?? 'success'}::text, ${clip(event.reason)}::text, ${event.occurredAt}::timestamptz, ${event.flowId}::text, ${event.requestId}::text,
      ${clip(event.clientId)}::text, ${event.userId}::text, ${event.mcpServerId}::text, ${event.organizationId}::text, ${event.grantId}::text, ${event.address}::text, ${clip(event.userAgent)}::text, ${json(event.data ?? {})}::jsonb`;
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
  };
}

/** Writes one event. Part of a change? Pass that change's transaction as `db`. */
export async function record(db: Db, event: Event): Promise<void> {
  await db.rows(eventSql(event));
}

/** Writes one event of this request. */
export async function recordFor(ctx: Ctx, event: EventOf): Promise<void> {
  await record(ctx.db, eventOf(ctx, event));
}

function clip(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const printable = text.replaceAll('\0', '');
  return printable.length > LONGEST_TEXT ? printable.slice(0, LONGEST_TEXT) : printable;
}
