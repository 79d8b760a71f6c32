import { signatureHeader, timestampHeader } from '../events/signature.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { Interceptor } from './interceptors.store.ts';
import { interceptorRow } from './interceptors.ts';

/** Of an answer, in bytes (FSA-87). */
const LONGEST_ANSWER = 65_536;
const LONGEST_TOKEN_ANSWER = 16_384;

export type Failure =
  /** Nothing came, or not in time, or nothing that is an answer; or too many wait for it already. */
  | 'unreachable'
  | 'timeout'
  | 'bad-status'
  | 'too-large'
  | 'malformed'
  | 'not-authenticated'
  | 'busy';

export type Violation = {
  readonly field: string;
  readonly description: string;
  readonly constraint: string;
};

/** What one interceptor said. */
export type Asked =
  | {
      readonly kind: 'answered';
      readonly answer: JsonMembers;
      /** What is wrong with the answer; one with violations counts as a failure. */
      readonly violations: readonly Violation[];
    }
  | { readonly kind: 'failed'; readonly reason: Failure; readonly detail: string };

export type JsonMembers = Readonly<Record<string, unknown>>;

/** Calls of one interceptor that may wait for an answer at once, in one process. */
const MOST_WAITING = 50;
const waiting = new Map<string, number>();

/**
 * Asks one interceptor, unless so many calls wait for it already that it does not keep up: they would only fill this server with
 * requests that wait, of everybody else too.
 */
export async function askInterceptor(
  ctx: Ctx,
  interceptor: Interceptor,
  payload: JsonMembers,
): Promise<Asked> {
  const key = `${ctx.environmentId} ${interceptor.id}`;
  const before = waiting.get(key) ?? 0;
  if (before >= MOST_WAITING)
    return failed('busy', `${MOST_WAITING} calls wait for an answer already`);
  waiting.set(key, before + 1);
  try {
    return await call(ctx, interceptor, payload);
  } finally {
    const left = (waiting.get(key) ?? 1) - 1;
    if (left > 0) waiting.set(key, left);
    else waiting.delete(key);
  }
}

/**
 * Asks one interceptor: POST with a signature, once, within its time. Redirects are not followed and nothing is tried again,
 * because somebody waits (FSA-86, FSA-88).
 */
async function call(ctx: Ctx, interceptor: Interceptor, payload: JsonMembers): Promise<Asked> {
  const began = ctx.now();
  const body = JSON.stringify(payload);
  const authorization = await authorizationFor(ctx, interceptor);
  if ('reason' in authorization) return { kind: 'failed', ...authorization };
  const left = interceptor.timeoutMs - (ctx.now().getTime() - began.getTime());
  if (left <= 0) return failed('timeout', 'no time was left after authentication');
  const id = newId(ctx, 'msg');
  const outcome = await ctx.fetch(interceptor.url, {
    timeoutMs: Math.min(left, interceptor.timeoutMs),
    maxBytes: LONGEST_ANSWER,
    accept: ['application/json'],
    post: {
      contentType: 'application/json',
      body,
      headers: {
        ...authorization.headers,
        'interceptor-id': id,
        'interceptor-timestamp': timestampHeader(began),
        'interceptor-signature': signatureHeader(secretsOf(ctx, interceptor), {
          id,
          timestamp: began,
          body,
        }),
      },
    },
  });
  if (outcome.kind === 'failed') return failed(failureOf(outcome.reason), outcome.detail);
  const answer = membersOf(outcome.body);
  if (!answer) return failed('malformed', 'the answer is not a JSON object');
  return { kind: 'answered', answer, violations: violationsOf(answer) };
}

function failed(reason: Failure, detail: string): Asked {
  return { kind: 'failed', reason, detail };
}

function failureOf(reason: string): Failure {
  switch (reason) {
    case 'timeout':
    case 'too-large':
      return reason;
    case 'status':
    case 'redirect':
      return 'bad-status';
    case 'content-type':
      return 'malformed';
    default:
      return 'unreachable';
  }
}

/** The newest first; the one before as long as it counts. */
function secretsOf(ctx: Ctx, interceptor: Interceptor): string[] {
  const { secret, previousSecret, previousSecretEndsAt } = interceptor;
  const before =
    previousSecret && previousSecretEndsAt && previousSecretEndsAt.getTime() > ctx.now().getTime()
      ? [open(ctx, interceptor, previousSecret)]
      : [];
  return [open(ctx, interceptor, secret), ...before];
}

function open(ctx: Ctx, { id }: Interceptor, sealed: Uint8Array): string {
  const row = interceptorRow({ environmentId: ctx.environmentId, id });
  return Buffer.from(ctx.secrets.open('secrets-at-rest', row, sealed)).toString('utf8');
}

type Authorization =
  | { readonly headers: Readonly<Record<string, string>> }
  | { readonly reason: Failure; readonly detail: string };

async function authorizationFor(ctx: Ctx, interceptor: Interceptor): Promise<Authorization> {
  const { auth, authSecret } = interceptor;
  if (!auth || !authSecret) return { headers: {} };
  const secret = open(ctx, interceptor, authSecret);
  if (auth.kind === 'api-key') return { headers: { [auth.headerName.toLowerCase()]: secret } };
  const credentials = [auth.clientId, secret].map((part) => encodeURIComponent(part)).join(':');
  const outcome = await ctx.fetch(auth.tokenUrl, {
    timeoutMs: interceptor.timeoutMs,
    maxBytes: LONGEST_TOKEN_ANSWER,
    accept: ['application/json'],
    post: {
      contentType: 'application/x-www-form-urlencoded',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(auth.scope && { scope: auth.scope }),
      }).toString(),
      // RFC 6749 §2.3.1: both parts form-encoded, joined by a colon.
      headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
    },
  });
  if (outcome.kind === 'failed')
    return {
      reason: outcome.reason === 'timeout' ? 'timeout' : 'not-authenticated',
      detail: `the token endpoint: ${outcome.detail}`,
    };
  const token = membersOf(outcome.body)?.['access_token'];
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,8192}$/.test(token))
    return { reason: 'not-authenticated', detail: 'the token endpoint gave no access token' };
  return { headers: { authorization: `Bearer ${token}` } };
}

function membersOf(body: Uint8Array): JsonMembers | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return isMembers(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isMembers(value: unknown): value is JsonMembers {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Only what decides is checked here; what a trigger may answer besides is checked where it is used. */
function violationsOf(answer: JsonMembers): Violation[] {
  const decision = answer['decision'];
  const violations: Violation[] = [];
  if (decision !== 'ALLOW' && decision !== 'DENY')
    violations.push({
      field: 'decision',
      description: 'must be ALLOW or DENY',
      constraint: 'enum.defined_only',
    });
  const error = answer['error'];
  if (error !== undefined && error !== null && !isMembers(error))
    violations.push({ field: 'error', description: 'must be an object', constraint: 'type' });
  const response = answer['response'];
  if (response !== undefined && response !== null && !isMembers(response))
    violations.push({ field: 'response', description: 'must be an object', constraint: 'type' });
  return violations;
}
