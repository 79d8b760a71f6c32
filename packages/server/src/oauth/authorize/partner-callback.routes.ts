import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readQuery } from '../../http/forms.ts';
import { sessionCookie, setSessionCookie } from '../../login/browser.ts';
import { continuePath, factsOf, openLogin } from '../../login/login-requests.ts';
import { completeOwnSignIn, ownLoginPage } from '../../login/own-sign-in.ts';
import { PageError } from '../../login/page-error.ts';
import { pageHandler, seeOther } from '../../login/page-reply.ts';
import { findPartnerLogin, type PartnerLogin } from '../../login/partner-logins.store.ts';
import { signInTo } from '../../pages/purpose.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { sha256 } from '../../runtime/hash.ts';
import { openPendingConsent } from './pending-consent.ts';
import { sendError } from './send-error.ts';

const STATE = /^[A-Za-z0-9_-]{43}$/;
const CONNECTION = /^conn_[0-9]{15,19}$/;

/** Where the application's own login page sends the browser back to (SSO-68). */
export function mountPartnerCallback(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  // Routers take a colon for the beginning of a parameter; doubled it is one.
  http.get(
    '/sso/v1/connections/:connection_id/partner::callback',
    { config: { page: true } },
    pageHandler(contextOf, comeBack),
  );
}

/**
 * Who brings the state has to be the browser that left with it: somebody who signs in as themselves and gets another to open
 * the address signs nobody in (AS-30). Only then is looked at what the application's backend said.
 */
async function comeBack(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const partner = await partnerOf(ctx, request);
  const login = await openLogin(ctx, request, partner?.loginRequestId ?? '');
  const facts = factsOf(login);
  // Coming back once more, or by the back button: the authorization says where it stands.
  if (partner?.completedAt) return seeOther(reply, continuePath(login));
  if (!partner || login.details.ownSignIn !== partner.connectionId)
    throw new PageError({ kind: 'other-browser' }, facts);
  await ownLoginPage(ctx, login, partner.connectionId);
  if (!partner.person && !partner.failed)
    throw new PageError(
      { kind: 'sign-in-unfinished', app: signInTo(login.details.purpose) },
      facts,
    );
  const returned = await completeOwnSignIn(ctx, { login, partner, cookie: sessionCookie(request) });
  switch (returned.kind) {
    case 'signed-in':
      await setSessionCookie(ctx, request, reply, returned.cookie);
      return seeOther(reply, continuePath(login));
    case 'gone':
      return seeOther(reply, continuePath(login));
    case 'disabled':
      throw new PageError({ kind: 'suspended', app: signInTo(login.details.purpose) }, facts);
    case 'failed': {
      const pending = await openPendingConsent(ctx, request, login.id);
      return await sendError(ctx, reply, pending, 'access_denied', 'the sign-in failed');
    }
  }
}

async function partnerOf(ctx: Ctx, request: FastifyRequest): Promise<PartnerLogin | undefined> {
  const { connection_id: connectionId } = request.params as { connection_id: string }; // declared by the route's own template
  const { params, duplicates } = readQuery(request);
  const { state = '' } = params;
  if (duplicates.includes('state') || !STATE.test(state) || !CONNECTION.test(connectionId))
    return undefined;
  const { environmentId } = ctx;
  return await findPartnerLogin(ctx.db, { environmentId, connectionId, stateHash: sha256(state) });
}
