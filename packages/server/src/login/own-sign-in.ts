import { recordFor } from '../events/events.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { recordLogin } from '../sessions/session-events.ts';
import { startSession } from '../sessions/sessions.ts';
import { findConnection } from '../sso/connections.store.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  insertTold,
  lockUser,
  noteSignIn,
  partnerKey,
  type User,
  updateUser,
} from '../users/users.store.ts';
import { type LoginRequest, setPromptDone } from './login-requests.store.ts';
import { factsOf } from './login-requests.ts';
import { PageError } from './page-error.ts';
import {
  completePartnerLogin,
  lockPartnerPerson,
  type PartnerLogin,
  type PartnerPerson,
  putPartnerLogin,
  putPartnerPerson,
} from './partner-logins.store.ts';

const ID_ATTEMPTS = 5;

/**
 * Sends the browser to the application's own login page (SSO-66): with a name for its backend to report the sign-in under, and a
 * state that only this browser can bring back to any use.
 *
 * @returns the address to go to
 * @throws {PageError} unavailable: see `ownLoginPage`
 */
export async function leaveForOwnSignIn(
  ctx: Ctx,
  login: LoginRequest,
  connectionId: string,
): Promise<string> {
  const { environmentId } = ctx;
  const page = await ownLoginPage(ctx, login, connectionId);
  const state = newSecret(ctx);
  const id = newId(ctx, 'lri');
  await putPartnerLogin(ctx.db, {
    environmentId,
    id,
    loginRequestId: login.id,
    connectionId,
    stateHash: sha256(state),
    now: ctx.now(),
    expiresAt: login.expiresAt,
  });
  const url = new URL(page);
  url.searchParams.set('login_request_id', id);
  url.searchParams.set('state', state);
  return url.href;
}

/**
 * The application's own login page.
 *
 * @throws {PageError} unavailable: the connection does not know it, or is switched off, also for those who are on their way
 */
export async function ownLoginPage(
  ctx: Ctx,
  login: LoginRequest,
  connectionId: string,
): Promise<string> {
  const { environmentId } = ctx;
  const key = { environmentId, organizationId: undefined, id: connectionId };
  const connection = await findConnection(ctx.db, key);
  const page = connection?.settings.authorizeUri;
  if (connection?.enabled && page !== undefined) return page;
  throw new PageError(
    { kind: 'unavailable', component: 'sign-in' },
    { ...factsOf(login), detail: 'the connection has no login page, or is disabled' },
  );
}

export type Returned =
  | { readonly kind: 'signed-in'; readonly cookie: string }
  | { readonly kind: 'failed' }
  | { readonly kind: 'disabled' }
  /** Nobody reported yet, or another request with this state was faster. */
  | { readonly kind: 'gone' };

/**
 * Signs in whom the application's backend named, in the browser that came back and nowhere else (SSO-68, AS-30). The caller has
 * compared the browser. Person, session and events are in the transaction that closes the sign-in.
 */
export async function completeOwnSignIn(
  ctx: Ctx,
  by: { login: LoginRequest; partner: PartnerLogin; cookie: string | undefined },
): Promise<Returned> {
  const { environmentId } = ctx;
  const { login } = by;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx): Promise<Returned> => {
        const inside = withDb(ctx, tx);
        const now = ctx.now();
        const done = await completePartnerLogin(tx, { environmentId, id: by.partner.id, now });
        if (!done) return { kind: 'gone' };
        const { person, connectionId } = done;
        if (!person) return { kind: 'failed' };
        const { user, isNew } = await personOf(inside, connectionId, person);
        if (!user.enabled) return { kind: 'disabled' };
        const session = await startSession(inside, {
          userId: user.id,
          browserHash: login.browserHash,
          method: 'own-sign-in',
          cookie: by.cookie,
          connectionId,
        });
        await recordLogin(inside, { user, sessionId: session.sessionId, isNew });
        await setPromptDone(tx, { environmentId, id: login.id, now });
        await recordFor(inside, {
          type: 'sign_in.succeeded',
          userId: user.id,
          connectionId,
          flowId: login.flowId,
          clientId: login.clientId,
          mcpServerId: login.mcpServerId,
          data: { method: 'own-sign-in', sessionId: session.sessionId },
        });
        return { kind: 'signed-in', cookie: session.cookie };
      });
    } catch (error) {
      // The same person at the same time in another browser, or an id that is taken: then they are known now.
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/** The person behind a subject of a connection, made now if there is none; what is known of them is what was just said (SSO-69). */
async function personOf(
  ctx: Ctx,
  connectionId: string,
  said: PartnerPerson,
): Promise<{ readonly user: User; readonly isNew: boolean }> {
  const { db, environmentId } = ctx;
  const now = ctx.now();
  const { subject, claims } = said;
  const known = await lockPartnerPerson(db, { environmentId, connectionId, subject });
  const found = known && (await lockUser(db, { environmentId, key: { id: known } }));
  if (found && !found.enabled) return { user: found, isNew: false };
  const { name, givenName, familyName, phoneNumber, picture, gender, locale } = said;
  const members = { name, givenName, familyName, phoneNumber, picture, gender, locale };
  const { preferredUsername } = said;
  const user = found
    ? await updateUser(db, {
        environmentId,
        id: found.id,
        members: { ...found, ...members, preferredUsername },
        now,
      })
    : await insertTold(db, {
        environmentId,
        id: newId(ctx, 'usr'),
        email: said.email,
        emailKey: partnerKey(connectionId, sha256(subject)),
        verified: said.emailVerified,
        members: {
          ...members,
          preferredUsername,
          externalId: undefined,
          metadata: {},
          groups: [],
          customAttributes: {},
          profileMetadata: {},
        },
        revocationSecret: ctx.random(32),
        now,
      });
  await putPartnerPerson(db, {
    environmentId,
    connectionId,
    subject,
    userId: user.id,
    claims,
    now,
  });
  const { email, emailVerified } = said;
  await noteSignIn(db, { environmentId, id: user.id, email, emailVerified, now });
  if (!found) await recordFor(ctx, { type: 'user.created', userId: user.id, connectionId });
  return { user: { ...user, email, emailVerified }, isNew: !found };
}
