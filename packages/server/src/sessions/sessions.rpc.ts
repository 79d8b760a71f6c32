import type {
  SessionService,
  UserSessionFilter,
} from '@gatewarden/contract/scalekit/v1/sessions/sessions_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { momentOf } from '../http/timestamps.ts';
import { noSuchSession, noSuchUser, sessionMessage } from './session-message.ts';
import {
  countSessions,
  findSessionRecord,
  listSessionPage,
  type SessionStatus,
} from './session-records.store.ts';

const STATUSES: readonly SessionStatus[] = ['active', 'expired', 'revoked', 'logout'];
const LARGEST_PAGE = 100;

/** What there is to know of sessions; ending them is another slice. */
export const sessionsRpc: Slice<typeof SessionService> = {
  async getSession(ctx, { sessionId }) {
    checkId('session_id', sessionId, 'ses');
    const { environmentId } = ctx;
    const found = await findSessionRecord(ctx.db, { environmentId, id: sessionId });
    if (!found) throw noSuchSession();
    return sessionMessage(found, ctx.now());
  },

  async getUserSessions(ctx, { userId, filter, pageSize, pageToken }) {
    checkId('user_id', userId, 'usr');
    const wanted = readFilter(filter);
    const list = `sessions ${JSON.stringify([userId, wanted])}`;
    const asked = { pageToken, pageSize: Math.min(pageSize, LARGEST_PAGE) };
    const page = readPage(ctx, list, asked);
    const { environmentId, db } = ctx;
    const by = { environmentId, userId, ...wanted, now: ctx.now() };
    const totalSize = await countSessions(db, by);
    if (totalSize === undefined) throw noSuchUser();
    const { items, ...tokens } = pageOf(
      ctx,
      list,
      page,
      await listSessionPage(db, { ...by, page }),
    );
    return {
      ...tokens,
      totalSize,
      sessions: items.map((session) => sessionMessage(session, by.now)),
    };
  },
};

type Filter = {
  readonly statuses: readonly SessionStatus[];
  readonly from: Date | undefined;
  readonly until: Date | undefined;
};

function readFilter(filter: UserSessionFilter | undefined): Filter {
  const statuses = (filter?.status ?? []).map((word) => {
    const status = STATUSES.find((known) => known === word.toLowerCase());
    if (!status)
      throw invalidField('filter.status', `must be one of ${STATUSES.join(', ')}`, 'string.in');
    return status;
  });
  const from = filter?.startTime && momentOf('filter.start_time', filter.startTime);
  const until = filter?.endTime && momentOf('filter.end_time', filter.endTime);
  if (from && until && from > until)
    throw invalidField('filter.end_time', 'must not be before start_time', 'range');
  return { statuses: [...new Set(statuses)].sort(), from, until };
}
