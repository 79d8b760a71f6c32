import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Parameters, readForm } from '../http/forms.ts';
import type { Frame } from '../pages/layout.ts';
import type { FormTarget } from '../pages/parts.ts';
import type { Ctx } from '../runtime/context.ts';
import type { BrowserSessions } from '../sessions/sessions.ts';
import { sessionsOfRequest } from './browser.ts';
import { CSRF_FIELD, checkOrigin, csrfFits, csrfToken, type FormBinding } from './csrf.ts';
import type { LoginRequest } from './login-requests.store.ts';
import { factsOf, loginPath, openLogin } from './login-requests.ts';
import { PageError } from './page-error.ts';
import { frameOf } from './page-reply.ts';
import { countSignInPost } from './sign-in-limits.ts';

/** A request to one step of a login: the browser has been compared, and the request is alive. */
export type Visit = {
  readonly login: LoginRequest;
  readonly sessions: BrowserSessions;
  readonly binding: FormBinding;
};

/** @throws {PageError} other-browser, expired: see `openLogin` */
export async function visit(ctx: Ctx, request: FastifyRequest): Promise<Visit> {
  const login = await openLogin(ctx, request, loginIdOf(request));
  const sessions = await sessionsOfRequest(ctx, request, login.details.ownSignIn);
  return { login, sessions, binding: bindingOf(login, sessions) };
}

/**
 * The same for a POST: its origin and form token are checked and it is counted, before the form means anything.
 *
 * @returns `stale` when the form is this browser's and this request's, but somebody signed in meanwhile in another tab, or
 *   people sign in with the application's own page: nothing is changed, and the hub shows what is next
 * @throws {PageError} other-browser, expired, forbidden, too-many-requests
 */
export async function visitByPost(
  ctx: Ctx,
  request: FastifyRequest,
): Promise<(Visit & { kind: 'post'; form: Parameters }) | { kind: 'stale'; login: LoginRequest }> {
  const visited = await visit(ctx, request);
  const { login, binding } = visited;
  const facts = factsOf(login);
  checkOrigin(request, facts);
  const form = readForm(request);
  const token = form.params[CSRF_FIELD];
  if (csrfFits(ctx, binding, token)) {
    if (login.details.ownSignIn !== undefined) return { kind: 'stale', login };
    await countSignInPost(ctx, facts);
    return { ...visited, kind: 'post', form };
  }
  if (csrfFits(ctx, { ...binding, sessionId: undefined, userId: undefined }, token)) {
    return { kind: 'stale', login };
  }
  throw new PageError({ kind: 'forbidden' }, { ...facts, detail: 'form token' });
}

/** Path of one step of a login. */
export function stepPath(login: LoginRequest, step: string): string {
  return `${loginPath(login.id)}/${step}`;
}

/** Where a step's form goes and the token it carries. */
export function stepForm(ctx: Ctx, { login, binding }: Visit, step: string): FormTarget {
  return { action: stepPath(login, step), hidden: { [CSRF_FIELD]: csrfToken(ctx, binding) } };
}

export async function frameOfLogin(
  ctx: Ctx,
  request: FastifyRequest,
  login: LoginRequest,
): Promise<Frame> {
  return await frameOf(ctx, request, login.details.uiLocales);
}

/** The answer to a form that is stale: the hub. */
export function toHub(reply: FastifyReply, login: LoginRequest): FastifyReply {
  return reply
    .code(303)
    .headers({ location: loginPath(login.id), 'cache-control': 'no-store' })
    .send();
}

function bindingOf(login: LoginRequest, { current }: BrowserSessions): FormBinding {
  return {
    browserHash: login.browserHash,
    sessionId: current?.id,
    userId: current?.userId,
    loginRequestId: login.id,
  };
}

function loginIdOf(request: FastifyRequest): string {
  const params: unknown = request.params;
  const id: unknown = Reflect.get(Object(params), 'id');
  return typeof id === 'string' ? id : '';
}
