import type {
  AuditLogsService,
  ListAuthLogRequest,
} from '@gatewarden/contract/scalekit/v1/auditlogs/auditlogs_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import { momentOf, timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type AuthRequest,
  type AuthRequestFilter,
  type AuthRequestState,
  countAuthRequests,
  type LoggedClient,
  listAuthRequestPage,
} from './auth-requests.store.ts';
import { firstAuthRequestId } from './auth-requests.ts';

const STATES: readonly AuthRequestState[] = ['INITIATED', 'PENDING', 'SUCCESS', 'FAILED'];
const LARGEST_PAGE = 100;

/** What became of authorization requests: one line each, newest first (FSA-89). */
export const authRequestsRpc: Slice<typeof AuditLogsService> = {
  async listAuthRequests(ctx, request) {
    const filter = readFilter(ctx, request);
    const list = `auth requests ${JSON.stringify(filter)}`;
    const { pageToken, pageSize, connectedAccountIdentifier } = request;
    const page = readPage(ctx, list, { pageToken, pageSize: Math.min(pageSize, LARGEST_PAGE) });
    // Nothing here is ever about a connected account.
    if (connectedAccountIdentifier !== '') return {};
    const rows = await listAuthRequestPage(ctx.db, { ...filter, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countAuthRequests(ctx.db, filter),
      authRequests: items.map((item) => messageOf(ctx, item)),
    };
  },
};

function readFilter(ctx: Ctx, request: ListAuthLogRequest): AuthRequestFilter {
  const { email, resourceId, clientId, startTime, endTime } = request;
  checkText('', { email, resource_id: resourceId, client_id: clientId });
  const from = startTime && momentOf('start_time', startTime);
  const until = endTime && momentOf('end_time', endTime);
  if (from && until && from > until)
    throw invalidField('end_time', 'must not be before start_time', 'range');
  const states = request.status.map((word) => {
    const state = STATES.find((known) => known === word.toUpperCase());
    if (!state) throw invalidField('status', `must be one of ${STATES.join(', ')}`, 'string.in');
    return state;
  });
  return {
    environmentId: ctx.environmentId,
    emailKey: email === '' ? undefined : email.toLowerCase(),
    states: [...new Set(states)].sort(),
    fromId: from && firstAuthRequestId(from),
    untilId: until && firstAuthRequestId(until),
    mcpServerId: resourceId || undefined,
    clientId: clientId || undefined,
  };
}

function messageOf(ctx: Ctx, request: AuthRequest) {
  const { connection, server, client } = request;
  const shown = connection && {
    connectionId: connection.id,
    connectionType: connection.type ?? '',
    connectionProvider: connection.provider ?? '',
  };
  return {
    environmentId: ctx.environmentId,
    authRequestId: request.id,
    email: request.email ?? '',
    organizationId: request.organizationId ?? '',
    status: request.state,
    timestamp: timestampOf(request.createdAt),
    workflow: request.workflow,
    ...(shown && {
      ...shown,
      connectionDetails: [{ ...shown, organizationId: connection?.organizationId ?? '' }],
    }),
    ...(server && {
      resourceId: server.id,
      resourceName: server.name,
      resourceType: 'MCP_SERVER',
    }),
    ...(client && {
      clientId: client.id,
      clientName: client.name,
      clientType: clientTypeOf(client),
    }),
  };
}

/** The contract's words: the environment, machines, and applications by how they can keep secrets and where they get answers. */
function clientTypeOf({ kind, isPublic, redirectUris }: LoggedClient): string {
  if (kind === undefined) return '';
  if (kind === 'environment') return 'ENV';
  if (kind === 'organization') return 'M2M';
  if (!isPublic) return 'WEB_APP';
  return redirectUris.every((uri) => uri.startsWith('https:')) ? 'SPA' : 'NTV';
}
