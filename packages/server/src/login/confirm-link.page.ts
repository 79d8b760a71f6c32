import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readForm } from '../http/forms.ts';
import { confirmLinkPage, linkCodePage } from '../pages/confirm-link.ts';
import type { FormTarget } from '../pages/parts.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { equalBytes, sha256 } from '../runtime/hash.ts';
import { logFailure } from './auth-requests.ts';
import { browserIfAny, browserOf, sessionsOfRequest } from './browser.ts';
import { completeSignIn } from './complete-sign-in.ts';
import { CSRF_FIELD, checkPost, csrfToken, type FormBinding } from './csrf.ts';
import { deviceName } from './device-name.ts';
import { endLoginRequest, findLoginRequest, type LoginRequest } from './login-requests.store.ts';
import { factsOf, isOver, loginPath } from './login-requests.ts';
import { PageError } from './page-error.ts';
import { frameOf, pageHandler, seeOther, sendPage } from './page-reply.ts';
import { findCodeByLink, refuseCode, type SignInCode } from './sign-in-codes.store.ts';
import { pairingCode } from './sign-in-codes.ts';
import { countSignInPost } from './sign-in-limits.ts';
import { frameOfLogin } from './visit.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * The link of a sign-in mail. Opening it, by whomever and however often, consumes nothing (FSA-30). In the browser that asked,
 * a button finishes the sign-in; in any other it signs nobody in and shows a code for the first one (AS-30).
 */
export function mountConfirmLink(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const path = '/login/link/:token';
  http.get(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const link = await openLink(ctx, request);
      const browser = browserOf(ctx, request, reply);
      const form = await formOf(ctx, request, { link, browserHash: browser.hash });
      return link.isOwn
        ? await showConfirm(ctx, request, reply, { link, form })
        : await showPairing(ctx, request, reply, { link, form });
    }),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => {
      const link = await openLink(ctx, request);
      const { login, code } = link;
      const facts = factsOf(login);
      const form = readForm(request);
      const notMe = form.params['action'] === 'not-me';
      const browser = browserIfAny(request);
      if (!browser || (!link.isOwn && !notMe))
        throw new PageError({ kind: 'other-browser' }, facts);
      const binding = await bindingOf(ctx, request, { link, browserHash: browser.hash });
      checkPost(ctx, request, { form: binding, token: form.params[CSRF_FIELD], facts });
      await countSignInPost(ctx, facts);
      if (notMe) return await refuse(ctx, reply, link);
      const method = 'email-link';
      if (await completeSignIn(ctx, request, reply, { login, code, method })) {
        return seeOther(reply, loginPath(login.id));
      }
      throw over(link);
    }),
  );
}

type Link = { code: SignInCode; login: LoginRequest; token: string; isOwn: boolean };

/** @throws {PageError} expired: unknown, used, replaced, refused or too old; only its own browser is told whose it was */
async function openLink(ctx: Ctx, request: FastifyRequest): Promise<Link> {
  const { environmentId, db } = ctx;
  const params: unknown = request.params;
  const token: unknown = Reflect.get(Object(params), 'token');
  if (typeof token !== 'string' || !TOKEN.test(token)) throw new PageError({ kind: 'expired' });
  const code = await findCodeByLink(db, { environmentId, linkHash: sha256(token) });
  const login = code && (await findLoginRequest(db, { environmentId, id: code.loginRequestId }));
  if (!code || !login) throw new PageError({ kind: 'expired' });
  const browser = browserIfAny(request);
  const isOwn = browser !== undefined && equalBytes(browser.hash, code.browserHash);
  const link = { code, login, token, isOwn };
  const isDead = code.over || code.expiresAt.getTime() <= ctx.now().getTime();
  if (isDead || isOver(ctx, login)) throw over(link);
  return link;
}

function over({ login, isOwn }: Link): PageError {
  const { startAgainUrl } = login.details;
  return new PageError(
    isOwn ? { kind: 'expired', startAgainUrl } : { kind: 'expired' },
    factsOf(login),
  );
}

type Opened = { link: Link; browserHash: Uint8Array };

async function bindingOf(
  ctx: Ctx,
  request: FastifyRequest,
  { link, browserHash }: Opened,
): Promise<FormBinding> {
  const { current } = await sessionsOfRequest(ctx, request);
  return {
    browserHash,
    sessionId: current?.id,
    userId: current?.userId,
    loginRequestId: `link ${link.code.id}`,
  };
}

async function formOf(ctx: Ctx, request: FastifyRequest, opened: Opened): Promise<FormTarget> {
  const token = csrfToken(ctx, await bindingOf(ctx, request, opened));
  return { action: `/login/link/${opened.link.token}`, hidden: { [CSRF_FIELD]: token } };
}

type Shown = { link: Link; form: FormTarget };

async function showConfirm(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { link, form }: Shown,
): Promise<FastifyReply> {
  const { login, code } = link;
  const page = confirmLinkPage(await frameOfLogin(ctx, request, login), {
    form,
    purpose: login.details.purpose,
    email: code.email,
    requester: { device: deviceName(code.userAgent) },
  });
  return sendPage(ctx, reply, page, { formAction: 'absent' });
}

async function showPairing(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  { link, form }: Shown,
): Promise<FastifyReply> {
  const code = pairingCode(ctx, link.code);
  if (code === undefined) throw over(link);
  const requester = { device: deviceName(link.code.userAgent) };
  const page = linkCodePage(await frameOf(ctx, request), { form, code, requester });
  return sendPage(ctx, reply, page, { formAction: 'self' });
}

/** "I didn't ask for this": the code, the link and the whole request end, wherever the button was pressed. */
async function refuse(ctx: Ctx, reply: FastifyReply, link: Link): Promise<FastifyReply> {
  const { login, code } = link;
  const { environmentId } = ctx;
  const now = ctx.now();
  await ctx.db.transaction(async (tx) => {
    if (!(await refuseCode(tx, { environmentId, id: code.id, now }))) return;
    await endLoginRequest(tx, { environmentId, id: login.id, now });
    await logFailure(withDb(ctx, tx), login, {
      type: 'sign_in.refused_by_person',
      reason: 'not-asked-for',
      data: { sameBrowser: link.isOwn },
    });
  });
  return seeOther(reply, `/login/link/${link.token}`);
}
