import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiError } from '../http/api-error.ts';
import type { Call, PageCall } from '../http/calls.ts';
import { checkOwnPage } from '../http/page-callers.ts';
import type { Ctx } from '../runtime/context.ts';
import type { BrowserSessions } from '../sessions/sessions.ts';
import { browserIfAny, sessionsOfRequest } from './browser.ts';
import { findLoginRequest, type LoginRequest } from './login-requests.store.ts';
import { factsOf } from './login-requests.ts';
import { PageError } from './page-error.ts';
import { recordProblem } from './page-reply.ts';
import { countSignInPost } from './sign-in-limits.ts';
import { findUndecidedRequest } from './undecided-request.store.ts';

/** As what a login page of the operator's own calls methods that change something, in the header `gatewarden-caller`. */
const LOGIN_PAGE = 'login';

/** The login that a browser is in: the newest one that this very browser started and nobody has decided (AS-30). */
export type PageLogin = {
  readonly login: LoginRequest;
  readonly sessions: BrowserSessions;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
};

/**
 * The request of the page and its answer, which can set and clear cookies.
 *
 * @throws {ApiError} not_found: over gRPC and gRPC-Web; nothing may seem done there
 */
export function pageOf({ page }: Call): PageCall {
  if (!page) throw noLogin();
  return page;
}

/**
 * The login that the cookies of a call name. Without one, in another browser, and over gRPC there is nothing.
 *
 * @throws {ApiError} not_found
 */
export async function loginOfPage(ctx: Ctx, call: Call): Promise<PageLogin> {
  const page = pageOf(call);
  const browser = browserIfAny(page.request);
  if (!browser) throw noLogin();
  const { db, environmentId } = ctx;
  const by = { environmentId, browserHash: browser.hash, now: ctx.now() };
  const id = await findUndecidedRequest(db, by);
  const login = id === undefined ? undefined : await findLoginRequest(db, { environmentId, id });
  if (!login || login.endedAt || login.decision) throw noLogin();
  const sessions = await sessionsOfRequest(ctx, page.request, login.details.ownSignIn);
  return { ...page, login, sessions };
}

/**
 * The same for a call that may change something: it must come from a page of ours, and is counted like a form of the sign-in
 * pages (AS-129, AS-139).
 *
 * @throws {ApiError} not_found, permission_denied
 * @throws {PageError} too-many-requests
 */
export async function changeByPage(ctx: Ctx, call: Call): Promise<PageLogin> {
  const found = await loginOfPage(ctx, call);
  await checkChange(ctx, found.request, found.login);
  return found;
}

/** @throws as `changeByPage` */
export async function checkChange(
  ctx: Ctx,
  request: FastifyRequest,
  login?: LoginRequest,
): Promise<void> {
  checkOwnPage(request, LOGIN_PAGE);
  await countSignInPost(ctx, login && factsOf(login));
}

/** Runs what the hosted pages run too: the error page that somebody would see there is an answer here, with the same trace. */
export async function answering<T>(ctx: Ctx, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    await recordProblem(ctx, error);
    throw answerOf(error);
  }
}

function answerOf({ problem }: PageError): ApiError {
  switch (problem.kind) {
    case 'too-many-requests':
      return new ApiError('resource_exhausted', 'TOO_MANY_REQUESTS', 'too many requests', {
        retryAfter: problem.seconds,
      });
    case 'suspended':
      return new ApiError('permission_denied', 'USER_DISABLED', 'this account is switched off');
    case 'denied':
      return new ApiError(
        'permission_denied',
        'ACCESS_DENIED',
        problem.message ?? 'the application refuses this sign-in',
      );
    case 'unavailable':
      return new ApiError('unavailable', 'UNAVAILABLE', 'this sign-in is not available now');
    case 'expired':
      return new ApiError('failed_precondition', 'LOGIN_OVER', 'this login is over: start again');
    default:
      return new ApiError('failed_precondition', 'LOGIN_REFUSED', 'this login cannot go on');
  }
}

function noLogin(): ApiError {
  return new ApiError('not_found', 'LOGIN_NOT_FOUND', 'this browser is in no login');
}
