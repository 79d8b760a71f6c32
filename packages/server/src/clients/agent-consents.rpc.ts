import type { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { revokeConsent } from '../grants/grants.ts';
import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/callers.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId } from '../http/request-checks.ts';
import { consentMessage } from './client-message.ts';
import { countConsentsOfPerson, listConsentsOfPerson } from './resource-clients.store.ts';

/** What a person has allowed, for that person alone (AS-134). */
export const agentConsentsRpc: Slice<typeof ClientService> = {
  async listCurrentAgentConsents(ctx, request, { caller }) {
    const by = { environmentId: ctx.environmentId, userId: personOf(caller) };
    const list = JSON.stringify(['own-consents', by.userId]);
    const page = readPage(ctx, list, request);
    const rows = await listConsentsOfPerson(ctx.db, { ...by, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countConsentsOfPerson(ctx.db, by),
      consents: items.map(consentMessage),
    };
  },

  /** Ends the refresh family and the access tokens too (AS-124). */
  async revokeCurrentAgentConsent(ctx, { consentId }, { caller }) {
    const userId = personOf(caller);
    checkId('consent_id', consentId, 'usrcnst');
    if (!(await revokeConsent(ctx, { consentId, userId, because: 'user' })))
      throw new ApiError('not_found', 'CONSENT_NOT_FOUND', 'there is no such consent');
    return {};
  },
};

function personOf(caller: Caller): string {
  if (caller.kind === 'session') return caller.userId;
  throw new ApiError(
    'permission_denied',
    'PERMISSION_DENIED',
    'only a person who is signed in has consents of their own',
  );
}
