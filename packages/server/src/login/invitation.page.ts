import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { recordFor } from '../events/events.ts';
import { readForm } from '../http/forms.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Organization } from '../organizations/organizations.ts';
import { invitationPage, joinedPage } from '../pages/invitation.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { recordLogin } from '../sessions/session-events.ts';
import { setCustomClaims } from '../sessions/sessions.store.ts';
import { type Session, startSession } from '../sessions/sessions.ts';
import type { LinkedInvitation } from '../users/invitations.store.ts';
import { acceptInvitation, INVITATION_PATH, invitationOf } from '../users/invitations.ts';
import { findUser, type User } from '../users/users.ts';
import { askAboutInvited } from './ask-application.ts';
import {
  browserIfAny,
  browserOf,
  sessionCookie,
  sessionsOfRequest,
  setSessionCookie,
} from './browser.ts';
import { CSRF_FIELD, checkPost, csrfToken, type FormBinding } from './csrf.ts';
import { findInitiateLogin } from './invitation.store.ts';
import { PageError } from './page-error.ts';
import { frameOf, pageHandler, seeOther, sendPage } from './page-reply.ts';
import { countSignInPost } from './sign-in-limits.ts';

const TOKEN = /^[A-Za-z0-9_-]{43}$/;

/**
 * The link of an invitation. Opening it, by whomever and however often, accepts nothing: programs that look through mail open
 * links too. The button does, and signs the person in in the browser that sent it: the link was in their mail (FSA-64).
 */
export function mountInvitation(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const path = `${INVITATION_PATH}/:token`;
  const config = { page: true };
  http.get(path, { config }, pageHandler(contextOf, show));
  http.post(path, { config }, pageHandler(contextOf, accept));
  http.get(`${path}/joined`, { config }, pageHandler(contextOf, showJoined));
}

type Opened = {
  readonly token: string;
  readonly invitation: LinkedInvitation;
  readonly organization: Organization;
  readonly user: User;
};

/** @throws {PageError} invitation-over: there is no such link */
async function open(ctx: Ctx, request: FastifyRequest): Promise<Opened> {
  const { db, environmentId } = ctx;
  const params: unknown = request.params;
  const token: unknown = Reflect.get(Object(params), 'token');
  if (typeof token !== 'string' || !TOKEN.test(token)) throw over();
  const invitation = await invitationOf(ctx, token);
  if (!invitation) throw over();
  const key = { id: invitation.organizationId };
  const organization = await findOrganization(db, { environmentId, key });
  const user = await findUser(db, { environmentId, id: invitation.userId });
  if (!organization || !user) throw over();
  return { token, invitation, organization, user };
}

/** @throws {PageError} invitation-over: accepted, or its time is up; suspended: the person is switched off */
function checkPending(ctx: Ctx, { invitation, organization, user }: Opened): void {
  const lives = invitation.expiresAt.getTime() > ctx.now().getTime();
  if (invitation.status !== 'PENDING_INVITE' || invitation.acceptedAt || !lives) throw over(user);
  if (user.enabled) return;
  throw new PageError({ kind: 'suspended', app: organization.displayName }, { userId: user.id });
}

async function show(ctx: Ctx, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const opened = await open(ctx, request);
  checkPending(ctx, opened);
  const { hash } = browserOf(ctx, request, reply);
  const { current } = await sessionsOfRequest(ctx, request);
  const { invitation, organization, user, token } = opened;
  const csrf = csrfToken(ctx, bindingOf(opened, hash, current));
  const page = invitationPage(await frameOf(ctx, request), {
    form: { action: `${INVITATION_PATH}/${token}`, hidden: { [CSRF_FIELD]: csrf } },
    organization: organization.displayName,
    inviter: invitation.inviterEmail,
    email: user.email,
    signedInAs: current && current.userId !== user.id ? current.email : undefined,
  });
  return sendPage(ctx, reply, page, { formAction: 'absent' });
}

async function accept(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const opened = await open(ctx, request);
  const facts = { userId: opened.user.id };
  const browser = browserIfAny(request);
  if (!browser) throw new PageError({ kind: 'other-browser' }, facts);
  const { current } = await sessionsOfRequest(ctx, request);
  const form = bindingOf(opened, browser.hash, current);
  checkPost(ctx, request, { form, token: readForm(request).params[CSRF_FIELD], facts });
  await countSignInPost(ctx, facts);
  checkPending(ctx, opened);
  const cookie = sessionCookie(request);
  const { organization, user, token } = opened;
  const { id: userId } = user;
  const wish = await askAboutInvited(ctx, user);
  if (wish.kind === 'deny') throw await denied(ctx, opened, wish.message);
  const session = await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const joined = await acceptInvitation(inside, { organization, userId });
    if (!joined?.enabled) throw over(user);
    const { hash: browserHash } = browser;
    const method = 'email-link';
    const started = await startSession(inside, { userId, browserHash, method, cookie });
    const { sessionId } = started;
    if (Object.keys(wish.claims).length > 0)
      await setCustomClaims(tx, {
        environmentId: ctx.environmentId,
        id: sessionId,
        claims: wish.claims,
      });
    await recordLogin(inside, { user: joined, sessionId, isNew: false });
    await recordFor(inside, {
      type: 'sign_in.succeeded',
      userId,
      organizationId: organization.id,
      data: { method: 'invitation', sessionId },
    });
    return started;
  });
  await setSessionCookie(ctx, request, reply, session.cookie);
  const next = await findInitiateLogin(ctx.db, ctx.environmentId);
  return seeOther(reply, next ?? `${INVITATION_PATH}/${token}/joined`);
}

/** Only the person who has accepted is told, in the browser where they did. */
async function showJoined(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { invitation, organization, user } = await open(ctx, request);
  const { current } = await sessionsOfRequest(ctx, request);
  if (current?.userId !== user.id || invitation.status !== 'ACTIVE') throw over(user);
  const page = joinedPage(await frameOf(ctx, request), { organization: organization.displayName });
  return sendPage(ctx, reply, page, { formAction: 'self' });
}

function bindingOf(
  { invitation }: Opened,
  browserHash: Uint8Array,
  current: Session | undefined,
): FormBinding {
  const { organizationId, userId } = invitation;
  return {
    browserHash,
    sessionId: current?.id,
    userId: current?.userId,
    loginRequestId: `invitation ${organizationId} ${userId}`,
  };
}

/** The application refuses (FSA-87): nobody is a member or signed in, and the invitation is still there. */
async function denied(
  ctx: Ctx,
  { organization, user }: Opened,
  message: string | undefined,
): Promise<PageError> {
  await recordFor(ctx, {
    type: 'sign_in.failed',
    outcome: 'failure',
    reason: 'interceptor-denied',
    userId: user.id,
    organizationId: organization.id,
    data: { method: 'invitation' },
  });
  const problem = { kind: 'denied', app: organization.displayName, message } as const;
  return new PageError(problem, { userId: user.id, detail: 'interceptor-denied' });
}

function over(user?: User): PageError {
  return new PageError({ kind: 'invitation-over' }, { userId: user?.id });
}
