import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readCookie, setCookie } from '../http/cookies.ts';
import { readForm } from '../http/forms.ts';
import { browserIfAny, browserOf } from '../login/browser.ts';
import { CSRF_FIELD, checkPost, csrfToken } from '../login/csrf.ts';
import { PageError } from '../login/page-error.ts';
import { frameOf, pageHandler, seeOther, sendPage } from '../login/page-reply.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import { portalPage, portalStartPage } from '../pages/portal.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { findPortalLink } from './portal-links.store.ts';
import { keyHashOf } from './portal-links.ts';
import {
  PORTAL_COOKIE,
  PORTAL_SESSION_SECONDS,
  portalSessionOf,
  startPortalSession,
} from './portal-sessions.ts';

/**
 * The administration portal of an organization. Opening its link consumes nothing, by whomever and however often; the button
 * does, once, in the browser that was shown it (SSO-55).
 */
export function mountPortal(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const path = '/magicLink/:key';
  http.get(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => await showStart(ctx, request, reply)),
  );
  http.post(
    path,
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => await start(ctx, request, reply)),
  );
  http.get(
    '/portal',
    { config: { page: true } },
    pageHandler(contextOf, async (ctx, request, reply) => await showPortal(ctx, request, reply)),
  );
}

async function showStart(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { db, environmentId } = ctx;
  const { key, keyHash } = keyOf(request);
  const link = await findPortalLink(db, { environmentId, keyHash, now: ctx.now() });
  const organization =
    link && (await findOrganization(db, { environmentId, key: { id: link.organizationId } }));
  if (!organization) throw ended();
  const browserHash = browserOf(ctx, request, reply).hash;
  const token = csrfToken(ctx, { browserHash, loginRequestId: formName(key) });
  const form = { action: `/magicLink/${key}`, hidden: { [CSRF_FIELD]: token } };
  const page = portalStartPage(await frameOf(ctx, request), {
    form,
    organization: organization.displayName,
  });
  return sendPage(ctx, reply, page, { formAction: 'self' });
}

async function start(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { key, keyHash } = keyOf(request);
  const browser = browserIfAny(request);
  if (!browser) throw new PageError({ kind: 'other-browser' });
  const token = readForm(request).params[CSRF_FIELD];
  const form = { browserHash: browser.hash, loginRequestId: formName(key) };
  checkPost(ctx, request, { form, token });
  const started = await startPortalSession(ctx, keyHash);
  if (!started) throw ended();
  setCookie(request, reply, PORTAL_COOKIE, started.cookie, { maxAge: PORTAL_SESSION_SECONDS });
  return seeOther(reply, '/portal');
}

async function showPortal(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const session = await portalSessionOf(ctx, readCookie(request, PORTAL_COOKIE));
  if (!session) throw ended();
  const left = session.expiresAt.getTime() - ctx.now().getTime();
  const page = portalPage(await frameOf(ctx, request), {
    organization: session.organizationName,
    features: session.features,
    minutesLeft: Math.max(1, Math.floor(left / 60_000)),
  });
  return sendPage(ctx, reply, page, { formAction: 'self' });
}

/** @throws {PageError} setup-link-ended: not the form of a key */
function keyOf(request: FastifyRequest): { key: string; keyHash: Uint8Array } {
  const params: unknown = request.params;
  const key: unknown = Reflect.get(Object(params), 'key');
  const keyHash = keyHashOf(key);
  if (!keyHash) throw ended();
  return { key: String(key), keyHash };
}

function formName(key: string): string {
  return `portal ${key}`;
}

function ended(): PageError {
  return new PageError({ kind: 'setup-link-ended' });
}
