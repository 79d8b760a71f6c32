import type { Caller } from '@gatewarden/resource-server';

/** One request at the proxy. No token, no arguments, no address: only what its operator has to find again. */
export type AccessEntry = {
  /** When it began, ISO 8601 in UTC. */
  readonly time: string;
  /** Also sent to the upstream as `X-Request-Id`. */
  readonly id: string;
  readonly method: string;
  /** 0 when the client left before there was one. */
  readonly status: number;
  readonly outcome: Outcome;
  readonly duration_ms: number;
  /** Of the response's body. */
  readonly bytes: number;
  readonly sub?: string;
  readonly client_id?: string;
  readonly org_id?: string;
  /** JSON-RPC method of the message, or of the first of a batch. */
  readonly rpc?: string;
  /** Tool of the message, or of the first call of a batch. */
  readonly tool?: string;
  /** Messages of a batch. */
  readonly messages?: number;
  /** Why it was refused or failed. */
  readonly reason?: string;
};

/** passed: the upstream answered; refused: by the guard or the proxy; failed: by the upstream; left: by the client. */
export type Outcome = 'passed' | 'refused' | 'failed' | 'left';

/** What is known about a request so far. */
export type RequestRecord = {
  readonly id: string;
  readonly startedAt: Date;
  readonly startedMs: number;
  outcome: Outcome;
  bytes: number;
  reason: string | undefined;
  subject: string | undefined;
  clientId: string | undefined;
  organizationId: string | undefined;
  /** The body that was read, checked or not. */
  body: unknown;
};

export function newRecord(id: string, startedAt: Date, startedMs: number): RequestRecord {
  return {
    id,
    startedAt,
    startedMs,
    outcome: 'refused',
    bytes: 0,
    reason: undefined,
    subject: undefined,
    clientId: undefined,
    organizationId: undefined,
    body: undefined,
  };
}

export function noteCaller(record: RequestRecord, caller: Caller): void {
  record.subject = caller.subject;
  record.clientId = caller.clientId;
  record.organizationId = caller.organizationId;
}

/** The line of a finished request. */
export function accessEntry(
  record: RequestRecord,
  request: { readonly method: string; readonly status: number; readonly durationMs: number },
): AccessEntry {
  const messages: readonly unknown[] = Array.isArray(record.body) ? record.body : [record.body];
  const call = messages.map(toolOf).find((name) => name !== undefined);
  return defined({
    time: record.startedAt.toISOString(),
    id: record.id,
    method: cleaned(request.method),
    status: request.status,
    outcome: record.outcome,
    duration_ms: Math.round(request.durationMs * 10) / 10,
    bytes: record.bytes,
    sub: cleaned(record.subject),
    client_id: cleaned(record.clientId),
    org_id: cleaned(record.organizationId),
    rpc: cleaned(memberOf(messages[0], 'method')),
    tool: cleaned(call),
    messages: Array.isArray(record.body) ? record.body.length : undefined,
    reason: cleaned(record.reason),
  });
}

function toolOf(message: unknown): unknown {
  return memberOf(message, 'method') === 'tools/call'
    ? memberOf(memberOf(message, 'params'), 'name')
    : undefined;
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

const longest = 128;

/** Names come from outside: cut, and without what could end a line or steer a terminal. */
function cleaned(value: unknown): string | undefined {
  return typeof value === 'string'
    ? value.slice(0, longest).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
    : undefined;
}

/** Leaves out members without a value. */
function defined(
  entry: {
    readonly [Name in keyof AccessEntry]: AccessEntry[Name] | undefined;
  },
): AccessEntry {
  // The members that AccessEntry demands are always given above.
  return Object.fromEntries(
    Object.entries(entry).filter(([, value]) => value !== undefined),
  ) as AccessEntry;
}
