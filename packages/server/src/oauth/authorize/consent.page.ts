import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { rememberedConsent } from '../../grants/grants.ts';
import { readForm } from '../../http/forms.ts';
import { CSRF_FIELD, checkPost, csrfToken, type FormBinding } from '../../login/csrf.ts';
import { continuePath, factsOf, loginPath, ownLogin } from '../../login/login-requests.ts';
import { PageError } from '../../login/page-error.ts';
import { frameOf, pageHandler, seeOther, sendPage } from '../../login/page-reply.ts';
import { consentPage } from '../../pages/consent.ts';
import { nothingAllowedPage } from '../../pages/nothing-allowed.ts';
import { redirectTarget } from '../../pages/redirect-target.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import type { OAuthErrorCode } from '../oauth-error.ts';
import { answerUri, environmentName, mayRedirectError } from './answer.ts';
import { chosenScopes, consentModel } from './consent-model.ts';
import { type DecisionOutcome, decide, mayBeRemembered } from './decide.ts';
import { openPendingConsent, type PendingConsent } from './pending-consent.ts';

type SignedIn = NonNullable<PendingConsent['signedIn']>;

/** Where a frozen authorization request goes on: sign-in first, then consent, then the code. Only this module issues codes. */
export function mountConsent(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  for (const path of ['/oauth/authorize/:id', '/resources/:resource_id/oauth/authorize/:id']) {
    http.get(path, { config: { page: true } }, pageHandler(contextOf, show));
    http.post(path, { config: { page: true } }, pageHandler(contextOf, post));
  }
}

async function show(ctx: Ctx, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const pending = await openPendingConsent(ctx, request, idOf(request));
  await checkPath(ctx, request, pending);
  const silent = pending.request.prompt.includes('none');
  if (!pending.signedIn) {
    return silent
      ? await sendError(ctx, reply, pending, 'login_required', 'nobody is signed in')
      : seeOther(reply, loginPath(pending.login.id));
  }
  const standing = await standingConsent(ctx, pending, pending.signedIn);
  if (standing)
    return await sendOutcome(
      ctx,
      request,
      reply,
      pending,
      await decide(
        ctx,
        pending,
        pending.signedIn,
        { kind: 'allow', scopes: allScopes(pending) },
        standing.consentId,
      ),
    );
  if (pending.login.decision) throw alreadyDecided(pending);
  if (silent)
    return await sendError(
      ctx,
      reply,
      pending,
      'consent_required',
      'the person has not allowed this yet',
    );
  return await sendConsent(ctx, request, reply, pending, pending.signedIn);
}

async function post(ctx: Ctx, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  // The browser first (AS-30), then what it says about where the form came from, then everything else.
  const login = await ownLogin(ctx, request, idOf(request));
  const form = readForm(request, { lists: ['scope'] });
  const pending = await openPendingConsent(ctx, request, login.id);
  await checkPath(ctx, request, pending);
  const { signedIn } = pending;
  checkPost(ctx, request, {
    form: bindingOf(pending),
    token: form.params[CSRF_FIELD],
    facts: factsOf(login),
  });
  if (!signedIn) return seeOther(reply, loginPath(login.id));
  const decision = form.params['decision'];
  if (form.duplicates.length > 0 || (decision !== 'allow' && decision !== 'deny'))
    throw new PageError({ kind: 'no-context', missing: ['decision'] }, factsOf(login));
  if (decision === 'deny')
    return await sendOutcome(
      ctx,
      request,
      reply,
      pending,
      await decide(ctx, pending, signedIn, { kind: 'deny' }),
    );
  const ticked = form.lists['scope'] ?? [];
  if (form.params['confirm'] !== 'yes')
    return await sendConsent(ctx, request, reply, pending, signedIn, ticked); // AS-153
  const { scopes: shown } = await consentModel(ctx, pending, signedIn);
  return await sendOutcome(
    ctx,
    request,
    reply,
    pending,
    await decide(ctx, pending, signedIn, {
      kind: 'allow',
      scopes: chosenScopes(pending, ticked, shown),
    }),
  );
}

/** A consent that already stands for exactly this request: remembered (AS-131), or the administrator's for an application (AS-132). */
async function standingConsent(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: SignedIn,
): Promise<{ consentId: string | undefined } | undefined> {
  const { client, login, mcpServer, request } = pending;
  if (!mcpServer && client.kind === 'application' && client.registration === 'admin')
    return { consentId: undefined };
  if (request.prompt.includes('consent') || !mayBeRemembered(pending)) return undefined;
  const consent = await rememberedConsent(ctx, {
    userId: signedIn.user.id,
    clientId: client.id,
    mcpServerId: mcpServer?.id,
    redirectUri: login.redirectUri,
    resource: request.resource,
    scopes: allScopes(pending),
    clientDigest: client.digest,
    rememberNative: mcpServer?.settings.rememberNativeConsent === true,
  });
  return consent && { consentId: consent.id };
}

async function sendConsent(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  pending: PendingConsent,
  signedIn: SignedIn,
  ticked?: readonly string[],
): Promise<FastifyReply> {
  const model = await consentModel(ctx, pending, signedIn);
  const page = consentPage(await frameOf(ctx, request, pending.request.uiLocales), {
    ...model,
    form: {
      action: continuePath(pending.login),
      hidden: { [CSRF_FIELD]: csrfToken(ctx, bindingOf(pending)) },
    },
    ...(ticked === undefined ? {} : { tickMissing: true, selectedScopes: ticked }),
  });
  return sendPage(ctx, reply, page, {
    formAction: 'absent',
    status: ticked === undefined ? 200 : 400,
  });
}

/** 303 to the client with code or denial; an untrusted client's denial is a page with a link instead (AS-133, AS-144). */
async function sendOutcome(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  pending: PendingConsent,
  outcome: DecisionOutcome,
): Promise<FastifyReply> {
  if (outcome.kind === 'already-decided') throw alreadyDecided(pending);
  if (outcome.kind === 'code')
    return seeOther(reply, answerUri(ctx, pending.to, { code: outcome.code }));
  const returnUrl = answerUri(ctx, pending.to, {
    error: 'access_denied',
    error_description: 'the person did not allow this',
  });
  if (await mayRedirectError(ctx, pending.to, pending.signedIn?.user.id))
    return seeOther(reply, returnUrl);
  const page = nothingAllowedPage(await frameOf(ctx, request, pending.request.uiLocales), {
    clientName: pending.client.name,
    server: pending.mcpServer?.name ?? (await environmentName(ctx)),
    redirect: redirectTarget(pending.login.redirectUri),
    returnUrl,
  });
  return sendPage(ctx, reply, page, { formAction: 'self' });
}

/** An answer without the person, for `prompt=none` (AS-28). */
async function sendError(
  ctx: Ctx,
  reply: FastifyReply,
  pending: PendingConsent,
  code: OAuthErrorCode,
  description: string,
): Promise<FastifyReply> {
  const returnUrl = answerUri(ctx, pending.to, { error: code, error_description: description });
  if (await mayRedirectError(ctx, pending.to, pending.signedIn?.user.id))
    return seeOther(reply, returnUrl);
  const redirect = redirectTarget(pending.login.redirectUri);
  throw new PageError(
    {
      kind: 'untrusted-client',
      clientName: pending.client.name,
      redirect,
      code,
      description,
      ...(redirect.kind === 'web' ? { returnUrl } : {}),
    },
    factsOf(pending.login),
  );
}

/** A request that began at one issuer does not go on at another one's address (AS-7). */
async function checkPath(
  ctx: Ctx,
  request: FastifyRequest,
  pending: PendingConsent,
): Promise<void> {
  const path = (request.raw.url ?? '').split('?')[0]?.replace(/^\/+/, '/');
  if (path !== continuePath(pending.login))
    throw new PageError(
      { kind: 'other-browser' },
      {
        ...factsOf(pending.login),
        detail: `address of another issuer, environment ${ctx.environmentId}`,
      },
    );
}

/** The form belongs to this browser, this session, this person and this request (AS-30, AS-128). */
function bindingOf({ login, signedIn }: PendingConsent): FormBinding {
  return {
    browserHash: login.browserHash,
    sessionId: signedIn?.session.id,
    userId: signedIn?.user.id,
    loginRequestId: `consent ${login.id}`,
  };
}

function allScopes({ request }: PendingConsent): string[] {
  return [...request.scopes, ...request.openIdScopes];
}

function alreadyDecided(pending: PendingConsent): PageError {
  return new PageError(
    { kind: 'already-decided', clientName: pending.client.name },
    factsOf(pending.login),
  );
}

function idOf(request: FastifyRequest): string {
  const { id } = request.params as { id: string }; // declared by the route's own template
  return id;
}
