import type { FastifyReply, FastifyRequest } from 'fastify';
import { recordFor } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import { signInTo } from '../pages/purpose.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { recordLogin } from '../sessions/session-events.ts';
import { setCustomClaims } from '../sessions/sessions.store.ts';
import { type SignInMethod, startSession } from '../sessions/sessions.ts';
import { addMember } from '../users/memberships.ts';
import { provenUser, type User } from '../users/users.ts';
import { askApplication, type WantedMembership } from './ask-application.ts';
import { logFailure } from './auth-requests.ts';
import { sessionCookie, setSessionCookie } from './browser.ts';
import { type LoginRequest, setPromptDone } from './login-requests.store.ts';
import { factsOf } from './login-requests.ts';
import { PageError } from './page-error.ts';
import { type SignInCode, useCode } from './sign-in-codes.store.ts';
import { eventFacts } from './sign-in-codes.ts';

type Completed =
  | { readonly kind: 'signed-in'; readonly cookie: string }
  | { readonly kind: 'denied'; readonly reason: string; readonly message: string | undefined }
  | { readonly kind: 'disabled'; readonly userId: string }
  | { readonly kind: 'gone' };

/**
 * Signs in the person who proved an address, in the browser that sent the request and nowhere else (AS-30). One conditional
 * UPDATE uses the proof up; person, session and event are in its transaction.
 *
 * @returns false when the proof was used up or ended meanwhile: nobody was signed in
 * @throws {PageError} suspended: the person is switched off, which only they learn, after the proof
 * @throws {PageError} denied: the application refuses (FSA-87); the proof is used up
 */
export async function completeSignIn(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  proof: { login: LoginRequest; code: SignInCode; method: SignInMethod },
): Promise<boolean> {
  const { login, code, method } = proof;
  const cookie = sessionCookie(request);
  const wish = await askApplication(ctx, login, code);
  const completed = await ctx.db.transaction(async (tx): Promise<Completed> => {
    const inside = withDb(ctx, tx);
    const { environmentId } = ctx;
    const now = ctx.now();
    if (!(await useCode(tx, { environmentId, id: code.id, now }))) return { kind: 'gone' };
    if (wish.kind === 'deny') {
      await logFailure(inside, login, { type: 'sign_in.failed', reason: wish.reason });
      return { kind: 'denied', reason: wish.reason, message: wish.message };
    }
    const person = { email: code.email, key: code.emailKey, name: code.displayName };
    const user = await provenUser(inside, person);
    if (!user.enabled) {
      await logFailure(inside, login, {
        type: 'sign_in.failed',
        reason: 'user-disabled',
        userId: user.id,
      });
      return { kind: 'disabled', userId: user.id };
    }
    // Deleted since the application was asked: it knew nothing of a sign-up. Nothing of this stays.
    if (isNew(user) && wish.asked === 'sign-in')
      throw new PageError({ kind: 'expired' }, factsOf(login));
    if (wish.membership && isNew(user)) await join(inside, login, user, wish.membership);
    const { browserHash } = login;
    const session = await startSession(inside, { userId: user.id, browserHash, method, cookie });
    if (Object.keys(wish.claims).length > 0)
      await setCustomClaims(tx, { environmentId, id: session.sessionId, claims: wish.claims });
    await recordLogin(inside, { user, sessionId: session.sessionId, isNew: isNew(user) });
    await setPromptDone(tx, { environmentId, id: login.id, now });
    await recordFor(inside, {
      type: 'sign_in.succeeded',
      userId: user.id,
      ...eventFacts(login),
      data: { method, sessionId: session.sessionId },
    });
    return { kind: 'signed-in', cookie: session.cookie };
  });
  if (completed.kind === 'gone') return false;
  const app = signInTo(login.details.purpose);
  if (completed.kind === 'denied') {
    const { message, reason } = completed;
    throw new PageError({ kind: 'denied', app, message }, { ...factsOf(login), detail: reason });
  }
  if (completed.kind === 'disabled') {
    throw new PageError(
      { kind: 'suspended', app },
      { ...factsOf(login), userId: completed.userId },
    );
  }
  await setSessionCookie(ctx, request, reply, completed.cookie);
  return true;
}

/** Makes somebody new a member of the organization that the application named; its words about roles are checked like all others. */
async function join(
  ctx: Ctx,
  login: LoginRequest,
  user: User,
  wanted: WantedMembership,
): Promise<void> {
  const member = { roles: wanted.roles, metadata: {}, inviterEmail: undefined, invite: false };
  try {
    await addMember(ctx, wanted.organizationId, { id: user.id }, member);
  } catch (error) {
    // No such role, or no room for one more: what the application decided cannot be, so nobody goes on.
    if (!(error instanceof ApiError)) throw error;
    const app = signInTo(login.details.purpose);
    throw new PageError(
      { kind: 'denied', app },
      { ...factsOf(login), detail: `interceptor: ${error.message}` },
    );
  }
}

/** Who exists since their last proof was made by it: all others existed before. */
function isNew({ createdAt, lastLoginAt }: User): boolean {
  return lastLoginAt?.getTime() === createdAt.getTime();
}
