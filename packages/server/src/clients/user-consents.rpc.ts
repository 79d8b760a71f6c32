import type { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { findConsent } from '../grants/consents.store.ts';
import { revokeConsent } from '../grants/grants.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText } from '../http/request-checks.ts';
import { consentMessage } from './client-message.ts';
import { countResourceConsents, listResourceConsents } from './resource-clients.store.ts';
import { liveServer, namedRecord } from './resource-clients.ts';

/** What people have allowed, for administrators (AS-134). */
export const userConsentsRpc: Slice<typeof ClientService> = {
  async listResourceUserConsents(ctx, request) {
    const { resourceId, search } = request;
    checkId('resource_id', resourceId, 'res');
    checkText('', { search });
    if (!(await liveServer(ctx, resourceId)))
      throw new ApiError('not_found', 'RESOURCE_NOT_FOUND', 'there is no such resource');
    const list = JSON.stringify(['consents', resourceId, search]);
    const page = readPage(ctx, list, request);
    const by = { environmentId: ctx.environmentId, mcpServerId: resourceId, search };
    const rows = await listResourceConsents(ctx.db, { ...by, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countResourceConsents(ctx.db, by),
      consents: items.map(consentMessage),
    };
  },

  /** Ends the refresh family and the access tokens too (AS-124). */
  async revokeUserConsent(ctx, { clientId, consentId }) {
    checkId('client_id', clientId, 'm2m');
    checkId('consent_id', consentId, 'usrcnst');
    const named = await namedRecord(ctx, clientId);
    const consent =
      named && (await findConsent(ctx.db, { environmentId: ctx.environmentId, id: consentId }));
    const isOfClient = consent !== undefined && consent.clientId === named?.client.id;
    if (!isOfClient || !(await revokeConsent(ctx, { consentId, because: 'admin' })))
      throw new ApiError('not_found', 'CONSENT_NOT_FOUND', 'there is no such consent');
    return {};
  },
};
