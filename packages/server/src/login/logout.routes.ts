import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readForm } from '../http/forms.ts';
import { signedOutPage, signOutPage } from '../pages/sign-out.ts';
import type { App, Ctx } from '../runtime/context.ts';
import type { Session } from '../sessions/sessions.ts';
import { anybodyHere, type Browser, browserIfAny } from './browser.ts';
import { CSRF_FIELD, checkPost, csrfToken, type FormBinding } from './csrf.ts';
import { namesSession } from './logout-hint.ts';
import { PageError } from './page-error.ts';
import { frameOf, pageHandler, seeOther, sendPage } from './page-reply.ts';
import { countSignInPost } from './sign-in-limits.ts';
import { endBrowserSessions } from './sign-out.ts';

const PATH = '/logout';

/**
 * Signing out of this browser (OpenID Connect RP-Initiated Logout 1.0; FSA-51). A request, whoever sent the browser here, only
 * asks, unless its ID token is that of the very session that is to end. Nobody is ever sent elsewhere from here.
 */
export function mountLogout(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const ask = pageHandler(contextOf, askToSignOut);
  http.get(PATH, { config: { page: true } }, ask);
  http.get('/oidc/logout', { config: { page: true } }, ask);
  http.post(PATH, { config: { page: true } }, pageHandler(contextOf, signOut));
  // A relying party's POST comes from another site and so without cookies: the browser asks again by GET, with them.
  const again = pageHandler(contextOf, async (_ctx, _request, reply) => seeOther(reply, PATH));
  http.post('/oidc/logout', { config: { page: true } }, again);
}

async function askToSignOut(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const destination = request.headers['sec-fetch-dest'];
  if (destination !== undefined && destination !== 'document') {
    throw new PageError(
      { kind: 'no-context' },
      { detail: `logout loaded as ${destination.slice(0, 40)}` },
    );
  }
  const frame = await frameOf(ctx, request);
  const browser = browserIfAny(request);
  const current = await anybodyHere(ctx, request);
  if (!browser || !current) {
    return sendPage(ctx, reply, signedOutPage(frame, {}), { formAction: 'self' });
  }
  if (await namesSession(ctx, request, current)) {
    await endBrowserSessions(ctx, request, reply, browser);
    return seeOther(reply, PATH);
  }
  const page = signOutPage(frame, {
    form: { action: PATH, hidden: { [CSRF_FIELD]: csrfToken(ctx, bindingOf(browser, current)) } },
    app: frame.brand.name,
    email: current.email,
  });
  return sendPage(ctx, reply, page, { formAction: 'absent' });
}

async function signOut(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const form = readForm(request);
  const browser = browserIfAny(request);
  const current = await anybodyHere(ctx, request);
  // Signed out meanwhile, in another tab: there is nothing left to protect or to change.
  if (!browser || !current) return seeOther(reply, PATH);
  checkPost(ctx, request, { form: bindingOf(browser, current), token: form.params[CSRF_FIELD] });
  await countSignInPost(ctx);
  if (form.params['action'] !== 'sign-out') return seeOther(reply, PATH);
  await endBrowserSessions(ctx, request, reply, browser);
  return seeOther(reply, PATH);
}

function bindingOf(browser: Browser, current: Session): FormBinding {
  return {
    browserHash: browser.hash,
    sessionId: current.id,
    userId: current.userId,
    loginRequestId: 'logout',
  };
}
