import type { FastifyReply, FastifyRequest, RouteHandlerMethod } from 'fastify';
import { type Environment, environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { prefersJson } from '../http/accept.ts';
import { pageHeaders } from '../http/security-headers.ts';
import { errorPage } from '../pages/error-page.ts';
import { type Problem, problemFacts } from '../pages/error-problem.ts';
import type { Html } from '../pages/html.ts';
import type { Frame } from '../pages/layout.ts';
import { negotiateLocale } from '../pages/messages.ts';
import type { Ctx } from '../runtime/context.ts';
import { PageError } from './page-error.ts';

/** What surrounds a page for this request. `uiLocales` is the parameter of the authorization request, if there was one. */
export async function frameOf(
  ctx: Ctx,
  request: FastifyRequest,
  uiLocales?: string | undefined,
): Promise<Frame> {
  return frameFor(ctx, request, await environmentOf(ctx), uiLocales);
}

function frameFor(
  ctx: Ctx,
  request: FastifyRequest,
  environment: Environment,
  uiLocales: string | undefined,
): Frame {
  const { settings } = environment;
  return {
    locale: negotiateLocale({ uiLocales, acceptLanguage: request.headers['accept-language'] }),
    reference: ctx.requestId,
    brand: {
      name: settings.operatorName ?? environment.displayName,
      termsUrl: settings.termsUrl,
      privacyUrl: settings.privacyUrl,
    },
  };
}

export type PageOptions = {
  /** `absent` on every step whose POST can end in a redirect to a client (AS-129). */
  readonly formAction: 'absent' | 'self';
  readonly status?: number;
};

/** Sends a hosted page with the headers all of them have. */
export function sendPage(
  ctx: Pick<Ctx, 'issuer'>,
  reply: FastifyReply,
  page: Html,
  options: PageOptions,
): FastifyReply {
  const https = ctx.issuer.startsWith('https:');
  return reply
    .code(options.status ?? 200)
    .headers(pageHeaders({ formAction: options.formAction, https }))
    .type('text/html; charset=utf-8')
    .send(page.toString());
}

/** 303 to a path of ours: after a POST (AS-133), and between the steps. */
export function seeOther(reply: FastifyReply, path: string): FastifyReply {
  return reply.code(303).header('location', path).header('cache-control', 'no-store').send();
}

/**
 * Shows an error to a person, or as JSON to a program that asks for it, and records it under the reference that is shown
 * (AS-141).
 */
export async function sendErrorPage(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  error: PageError,
): Promise<FastifyReply> {
  const { problem, facts } = error;
  const { status, code } = problemFacts(problem);
  await recordProblem(ctx, error);
  if (problem.kind === 'too-many-requests') reply.header('retry-after', String(problem.seconds));
  if (prefersJson(request.headers.accept)) {
    const body = { error: code, error_description: describe(problem), reference: ctx.requestId };
    return reply
      .code(status)
      .headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      .type('application/json')
      .send(JSON.stringify(body));
  }
  const environment = await environmentOf(ctx);
  const page = errorPage(frameFor(ctx, request, environment, undefined), {
    problem,
    mode: ctx.config.mode === 'dev' ? 'development' : 'production',
    time: ctx.now(),
    contact: environment.settings.supportContact,
  });
  if (facts.detail !== undefined) {
    ctx.log.debug(
      { requestId: ctx.requestId, problem: problem.kind, detail: facts.detail },
      'page error',
    );
  }
  return sendPage(ctx, reply, page, { formAction: 'self', status });
}

/** The event must not cost the person the page: when it cannot be written, the log has it. */
export async function recordProblem(ctx: Ctx, { problem, facts }: PageError): Promise<void> {
  const { status, code } = problemFacts(problem);
  try {
    await recordFor(ctx, {
      type: 'page.error',
      outcome: 'failure',
      reason: problem.kind,
      flowId: facts.flowId,
      clientId: facts.clientId,
      userId: facts.userId,
      mcpServerId: facts.mcpServerId,
      data: { status, code, ...(facts.detail === undefined ? {} : { detail: facts.detail }) },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : 'unknown';
    ctx.log.warn(
      { requestId: ctx.requestId, problem: problem.kind, message },
      'the event of an error page was not written',
    );
  }
}

export type PageHandler = (
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>;

/** A route handler for a page: a `PageError` from inside becomes its page; every other error is the edge's. */
export function pageHandler(
  contextOf: (request: FastifyRequest) => Ctx,
  handle: PageHandler,
): RouteHandlerMethod {
  return async (request, reply) => {
    const ctx = contextOf(request);
    try {
      return await handle(ctx, request, reply);
    } catch (error) {
      if (error instanceof PageError) return await sendErrorPage(ctx, request, reply, error);
      throw error;
    }
  };
}

/** One English sentence for programs; it says no more than the page does. */
function describe(problem: Problem): string {
  switch (problem.kind) {
    case 'untrusted-client':
      return problem.description;
    case 'other-browser':
    case 'cookies-blocked':
      return 'this step belongs to another browser, or its cookie is missing';
    case 'expired':
      return 'the sign-in request has expired and must be started again';
    case 'forbidden':
      return 'the form did not come from a page of ours in this browser';
    case 'already-decided':
      return 'this request was decided before';
    case 'too-many-requests':
      return 'there were too many requests';
    case 'suspended':
      return 'this account is switched off';
    case 'unavailable':
      return 'the service is not available at the moment';
    case 'unexpected':
      return 'something went wrong on our side';
    default:
      return `the request was refused: ${problem.kind.replaceAll('-', ' ')}`;
  }
}
