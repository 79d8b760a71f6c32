import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Client, isOfEnvironment } from '../../clients/client.ts';
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
import { redirectKind } from '../redirect-uri.ts';
import { answerUri, environmentName, mayRedirectError } from './answer.ts';
import { boxesOf, chosenScopes, consentModel, shownOf } from './consent-model.ts';
import { type DecisionOutcome, decide, mayBeRemembered, type StandingConsent } from './decide.ts';
import { openPendingConsent, type PendingConsent } from './pending-consent.ts';
import { sendError } from './send-error.ts';

type SignedIn = NonNullable<PendingConsent['signedIn']>;

/** Hidden fields: a digest of what the page said, and the names of the scopes that had a box. */
const SHOWN_FIELD = 'shown';
const BOXES_FIELD = 'boxes';

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
  if (standing) {
    if (isAhead(request)) return later(reply);
    const decision = { kind: 'allow', scopes: allScopes(pending) } as const;
    const outcome = await decide(ctx, pending, pending.signedIn, decision, standing);
    return await sendOutcome(ctx, request, reply, pending, outcome);
  }
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
  if (decision === 'deny') {
    const outcome = await decide(ctx, pending, signedIn, { kind: 'deny' });
    return await sendOutcome(ctx, request, reply, pending, outcome);
  }
  const ticked = form.lists['scope'] ?? [];
  if (form.params['confirm'] !== 'yes')
    return await sendConsent(ctx, request, reply, pending, signedIn, { kind: 'no-tick', ticked }); // AS-153
  const model = await consentModel(ctx, pending, signedIn);
  if (form.params[SHOWN_FIELD] !== shownOf(model) && !login.decision)
    return await sendConsent(ctx, request, reply, pending, signedIn, { kind: 'changed' });
  const boxes = [...(form.params[BOXES_FIELD] ?? '').split(' '), ...boxesOf(model.scopes)];
  const scopes = chosenScopes(pending, ticked, boxes);
  const outcome = await decide(ctx, pending, signedIn, { kind: 'allow', scopes });
  return await sendOutcome(ctx, request, reply, pending, outcome);
}

/**
 * A consent that already stands for exactly this request: remembered (AS-131), or the administrator's for an application of the
 * operator's (AS-132). `prompt=consent` asks whatever stands (AS-28).
 */
async function standingConsent(
  ctx: Ctx,
  pending: PendingConsent,
  signedIn: SignedIn,
): Promise<StandingConsent | undefined> {
  const { client, login, mcpServer, request } = pending;
  if (request.prompt.includes('consent')) return undefined;
  if (!mcpServer && isOperators(client, login.redirectUri)) return { kind: 'operator' };
  if (!mayBeRemembered(pending)) return undefined;
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
  return consent && { kind: 'remembered', consentId: consent.id };
}

/**
 * Whether an administrator's word is enough. Not where any program of the device could be the client: no secret proves who it
 * is, and no host who receives the code (RFC 8252 section 8.6).
 */
function isOperators(client: Client, redirectUri: string): boolean {
  return (
    isOfEnvironment(client) &&
    client.registration === 'admin' &&
    (client.tokenEndpointAuthMethod !== 'none' || redirectKind(redirectUri) === 'https')
  );
}

/** A page that a browser loads before anybody wants it, and HEAD, must change nothing. */
function isAhead(request: FastifyRequest): boolean {
  const { 'sec-purpose': purpose, purpose: older } = request.headers;
  return request.method !== 'GET' || purpose !== undefined || older === 'prefetch';
}

/** Browsers drop what they loaded ahead, and ask again when the person goes there. */
function later(reply: FastifyReply): FastifyReply {
  return reply.code(503).headers({ 'cache-control': 'no-store', 'retry-after': '1' }).send();
}

/** Why the page is shown once more. */
type Again =
  | { readonly kind: 'no-tick'; readonly ticked: readonly string[] }
  /** What it said is not so any more. Nothing of the first answer is kept. */
  | { readonly kind: 'changed' };

async function sendConsent(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  pending: PendingConsent,
  signedIn: SignedIn,
  again?: Again,
): Promise<FastifyReply> {
  const model = await consentModel(ctx, pending, signedIn);
  const page = consentPage(await frameOf(ctx, request, pending.request.uiLocales), {
    ...model,
    form: {
      action: continuePath(pending.login),
      hidden: {
        [CSRF_FIELD]: csrfToken(ctx, bindingOf(pending)),
        [SHOWN_FIELD]: shownOf(model),
        [BOXES_FIELD]: boxesOf(model.scopes).join(' '),
      },
    },
    ...(again?.kind === 'no-tick' ? { tickMissing: true, selectedScopes: again.ticked } : {}),
    hasChanged: again?.kind === 'changed',
  });
  const status = again === undefined ? 200 : again.kind === 'changed' ? 409 : 400;
  return sendPage(ctx, reply, page, { formAction: 'absent', status });
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
