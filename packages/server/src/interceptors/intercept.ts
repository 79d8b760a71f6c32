import { eventOf, eventSql } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { rowCache } from '../storage/row-cache.ts';
import { type Asked, askInterceptor, isMembers, type JsonMembers } from './ask-interceptor.ts';
import { enabledInterceptors, type Interceptor, noteExecution } from './interceptors.store.ts';

/** When an application is asked, by the contract's names. */
export type TriggerPoint =
  | 'PRE_SIGNUP'
  | 'POST_USER_AUTHENTICATION'
  | 'PRE_SESSION_CREATION'
  | 'PRE_USER_INVITATION'
  | 'PRE_M2M_TOKEN_CREATION';

/** About what it is asked. */
export type Occasion = {
  /** Members of `interceptor_context` besides those that every occasion has; snake_case. */
  readonly context: JsonMembers;
  readonly data: JsonMembers;
  /** Joins the hops of one sign-in. */
  readonly flowId?: string | undefined;
};

export type Verdict =
  /** What each interceptor that allowed said besides, in the order they were asked. */
  | { readonly kind: 'allow'; readonly responses: readonly JsonMembers[] }
  /** Nobody goes on. The message is the application's, to be shown to the person; not more than 300 characters. */
  | { readonly kind: 'deny'; readonly message: string | undefined };

const LONGEST_MESSAGE = 300;
const remembered = rowCache<readonly Interceptor[]>('interceptors');

/**
 * Asks the interceptors of a trigger, one after the other, oldest first; the first refusal ends it. Without any this costs a look
 * into memory, and nobody is asked about an occasion that is none. Each is given its own time; a call that fails counts as its
 * failure policy says. Never call it inside of a transaction: it waits for somebody else's server.
 */
export async function intercept(
  ctx: Ctx,
  triggerPoint: TriggerPoint,
  occasion: () => Occasion | undefined | Promise<Occasion | undefined>,
): Promise<Verdict> {
  const { db, environmentId } = ctx;
  const interceptors =
    (await remembered(ctx, environmentId, triggerPoint, async () =>
      enabledInterceptors(db, { environmentId, triggerPoint }),
    )) ?? [];
  if (interceptors.length === 0) return { kind: 'allow', responses: [] };
  const about = await occasion();
  if (!about) return { kind: 'allow', responses: [] };
  const responses: JsonMembers[] = [];
  for (const interceptor of interceptors) {
    const verdict = await one(ctx, interceptor, about);
    if (verdict.kind === 'deny') return verdict;
    responses.push(...verdict.responses);
  }
  return { kind: 'allow', responses };
}

async function one(ctx: Ctx, interceptor: Interceptor, about: Occasion): Promise<Verdict> {
  const began = ctx.now();
  const asked = await askInterceptor(ctx, interceptor, payloadOf(ctx, interceptor, about));
  const failure = failureOf(asked);
  const said = asked.kind === 'answered' && !failure ? asked.answer : undefined;
  const allowed = said ? said['decision'] === 'ALLOW' : interceptor.failOpen;
  const decision = allowed ? 'ALLOW' : 'DENY';
  ctx.metrics.count('gatewarden_interceptor_calls_total', {
    outcome: failure ? 'failed' : decision.toLowerCase(),
  });
  await note(ctx, interceptor, about, { began, decision, failure });
  if (!allowed) return { kind: 'deny', message: messageOf(said) };
  const response = said?.['response'];
  return { kind: 'allow', responses: isMembers(response) ? [response] : [] };
}

type Failed = { readonly reason: string; readonly detail: string };

/** An answer that breaks the rules is no answer. */
function failureOf(asked: Asked): Failed | undefined {
  if (asked.kind === 'failed') return asked;
  const [first] = asked.violations;
  return first && { reason: 'malformed', detail: `${first.field} ${first.description}` };
}

function messageOf(said: JsonMembers | undefined): string | undefined {
  const error = said?.['error'];
  const message = isMembers(error) ? error['message'] : undefined;
  if (typeof message !== 'string') return undefined;
  const printable = message.replaceAll(/[\p{Cc}\s]+/gu, ' ').trim();
  return printable === '' ? undefined : [...printable].slice(0, LONGEST_MESSAGE).join('');
}

function payloadOf(ctx: Ctx, interceptor: Interceptor, about: Occasion): JsonMembers {
  return {
    display_name: interceptor.displayName,
    trigger_point: interceptor.triggerPoint,
    interceptor_context: {
      environment_id: ctx.environmentId,
      ip_address: ctx.network.address,
      user_agent: ctx.network.userAgent,
      ...about.context,
      triggered_at: ctx.now().toISOString(),
    },
    data: about.data,
  };
}

async function note(
  ctx: Ctx,
  interceptor: Interceptor,
  about: Occasion,
  said: { began: Date; decision: string; failure: Failed | undefined },
): Promise<void> {
  const now = ctx.now();
  const text = (name: string): string | undefined => {
    const value = about.context[name];
    return typeof value === 'string' ? value : undefined;
  };
  const event = eventOf(ctx, {
    type: 'interceptor.executed',
    outcome: said.decision === 'ALLOW' ? 'success' : 'failure',
    reason: said.failure ? `interceptor-${said.failure.reason}` : undefined,
    flowId: about.flowId,
    userId: text('user_id'),
    organizationId: text('organization_id'),
    clientId: text('client_id'),
    data: {
      interceptor_id: interceptor.id,
      trigger_point: interceptor.triggerPoint,
      status: said.failure ? 'FAILED' : 'SUCCESS',
      decision: said.decision,
      duration_ms: Math.max(0, now.getTime() - said.began.getTime()),
      ...(said.failure && { error: said.failure.detail }),
    },
  });
  const { environmentId } = ctx;
  await noteExecution(ctx.db, { environmentId, id: interceptor.id, now, event: eventSql(event) });
}

/**
 * Asks one interceptor for a try: with data that the caller makes up, without an effect on anybody, and without a trace in the
 * log of real calls (FSA-88).
 */
export async function tryInterceptor(
  ctx: Ctx,
  interceptor: Interceptor,
  given: JsonMembers,
): Promise<Asked> {
  const { interceptor_context: context, data } = given;
  return await askInterceptor(
    ctx,
    interceptor,
    payloadOf(ctx, interceptor, {
      context: isMembers(context) ? context : {},
      data: isMembers(data) ? data : given,
    }),
  );
}
