import { ApiError } from '../http/api-error.ts';
import { timestampOf } from '../http/timestamps.ts';
import { deviceOf } from './device.ts';
import type { SessionRecord } from './session-records.store.ts';
import { standingOf } from './session-status.ts';

/** Which session a call may have meant is not said. */
export function noSuchSession(): ApiError {
  return new ApiError('not_found', 'SESSION_NOT_FOUND', 'session not found');
}

export function noSuchUser(): ApiError {
  return new ApiError('not_found', 'USER_NOT_FOUND', 'user not found');
}

/** What all answers about a session have. */
export function sessionTimes(session: SessionRecord, now: Date) {
  const { status, endedAt } = standingOf(session, now);
  return {
    sessionId: session.id,
    userId: session.userId,
    createdAt: timestampOf(session.createdAt),
    updatedAt: timestampOf(session.endedAt ?? session.lastActiveAt),
    lastActiveAt: timestampOf(session.lastActiveAt),
    idleExpiresAt: timestampOf(session.idleExpiresAt),
    absoluteExpiresAt: timestampOf(session.absoluteExpiresAt),
    ...(endedAt && { expiredAt: timestampOf(endedAt) }),
    ...(status === 'logout' && endedAt && { logoutAt: timestampOf(endedAt) }),
    status,
  };
}

/** A session with where it was used. No place on earth: nothing here looks addresses up. */
export function sessionMessage(session: SessionRecord, now: Date) {
  const { model: _, ...device } = deviceOf(session.userAgent);
  return {
    ...sessionTimes(session, now),
    organizationId: session.organizationId ?? '',
    authenticatedOrganizations: [...session.authenticatedOrganizations],
    authenticatedClients: session.authenticatedClients.map((client) => ({
      clientId: client.client_id,
      organizationId: client.organization_id ?? '',
    })),
    device: { ...device, userAgent: session.userAgent, ip: session.address },
  };
}
