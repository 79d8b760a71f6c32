import { eventOf, record, recordEach } from '../events/events.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import { organizationFacts } from '../organizations/organizations.ts';
import type { Ctx } from '../runtime/context.ts';
import { userFacts } from '../users/user-facts.ts';
import { findUserRow, type User } from '../users/users.store.ts';
import { deviceOf } from './device.ts';
import { findSessionRecord, type SessionRecord } from './session-records.store.ts';
import { standingOf } from './session-status.ts';

/** What events say of a session: the `user_session` object of webhooks. Nothing here looks up where an address is. */
function sessionFacts(session: SessionRecord, now: Date): Readonly<Record<string, unknown>> {
  const { status, endedAt } = standingOf(session, now);
  const device = deviceOf(session.userAgent);
  return {
    session_id: session.id,
    user_id: session.userId,
    organization_id: session.organizationId,
    authenticated_organizations: session.authenticatedOrganizations,
    created_at: session.createdAt.toISOString(),
    updated_at: (session.endedAt ?? session.lastActiveAt).toISOString(),
    last_active_at: session.lastActiveAt.toISOString(),
    idle_expires_at: session.idleExpiresAt.toISOString(),
    absolute_expires_at: session.absoluteExpiresAt.toISOString(),
    expired_at: endedAt?.toISOString(),
    logout_at: status === 'logout' ? endedAt?.toISOString() : undefined,
    status: status.toUpperCase(),
    device: {
      browser: device.browser,
      browser_version: device.browserVersion,
      os: device.os,
      os_version: device.osVersion,
      device_type: device.deviceType,
      ip: session.address,
      user_agent: session.userAgent,
    },
  };
}

/**
 * Writes down that a person signed in, and, if this sign-in made the person, that they signed up (FSA-82). Call it with the
 * context of the transaction that began or renewed the session.
 */
export async function recordLogin(
  ctx: Ctx,
  by: { readonly user: User; readonly sessionId: string; readonly isNew: boolean },
): Promise<void> {
  const { environmentId, db } = ctx;
  const session = await findSessionRecord(db, { environmentId, id: by.sessionId });
  if (!session) throw new Error('the session was not written');
  const { organizationId } = session;
  const of = { userId: by.user.id, organizationId };
  const user = userFacts(by.user);
  if (by.isNew) {
    const organization =
      organizationId === undefined
        ? undefined
        : await findOrganization(db, { environmentId, key: { id: organizationId } });
    const data = { user, organization: organization && organizationFacts(organization) };
    await record(db, eventOf(ctx, { ...of, type: 'user.signup', data }));
  }
  const data = { user, user_session: sessionFacts(session, ctx.now()) };
  await record(db, eventOf(ctx, { ...of, type: 'user.login', data }));
}

/** Of sessions that one statement writes down. */
const AT_ONCE = 200;

/**
 * Writes down that sessions ended: for the audit trail, as a sign-out of their people, and where it was not the person, as a
 * revocation. Call it with the context of the transaction that ended them. The statements are not more with more sessions of
 * one person in one organization.
 */
export async function recordEndings(ctx: Ctx, sessions: readonly SessionRecord[]): Promise<void> {
  const groups = Map.groupBy(sessions, ({ userId, organizationId, endedBecause }) =>
    JSON.stringify([userId, organizationId, endedBecause]),
  );
  for (const group of groups.values())
    for (let from = 0; from < group.length; from += AT_ONCE)
      await recordGroup(ctx, group.slice(from, from + AT_ONCE));
}

async function recordGroup(ctx: Ctx, sessions: readonly SessionRecord[]): Promise<void> {
  const [first] = sessions;
  if (!first) return;
  const { environmentId, db } = ctx;
  const { userId, organizationId, endedBecause: reason } = first;
  const person = await findUserRow(db, { environmentId, id: userId });
  const now = ctx.now();
  const event = (type: string) => eventOf(ctx, { type, reason, userId, organizationId });
  await recordEach(
    db,
    event('session.ended'),
    sessions.map(({ id }) => ({ sessionId: id })),
  );
  if (!person) return;
  const user = userFacts(person);
  const data = sessions.map((session) => ({ user, user_session: sessionFacts(session, now) }));
  await recordEach(db, event('user.logout'), data);
  if (standingOf(first, now).status === 'revoked')
    await recordEach(db, event('session.revoked'), data);
}
