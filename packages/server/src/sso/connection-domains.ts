import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Connection } from './connection.ts';
import { replaceAssignedDomains } from './connection-domains.store.ts';
import { lockConnection } from './connections.store.ts';
import { listDomainsByIds } from './domains.store.ts';

export type Assigned =
  | { readonly kind: 'assigned'; readonly connection: Connection }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unknown-domain' }
  | { readonly kind: 'not-for-sign-in' };

/** The domains that a connection is for from now on; none of them: all of its organization's. */
export async function assignDomains(
  ctx: Ctx,
  key: { readonly organizationId: string; readonly id: string },
  domainIds: readonly string[],
): Promise<Assigned> {
  const { environmentId } = ctx;
  const { organizationId, id: connectionId } = key;
  return await ctx.db.transaction(async (tx) => {
    const connection = await lockConnection(tx, { environmentId, ...key });
    if (!connection) return { kind: 'unknown' };
    const domains = await listDomainsByIds(tx, { environmentId, organizationId, ids: domainIds });
    if (domains.length !== domainIds.length) return { kind: 'unknown-domain' };
    if (domains.some(({ domainType }) => domainType !== 'ORGANIZATION_DOMAIN'))
      return { kind: 'not-for-sign-in' };
    await replaceAssignedDomains(tx, { environmentId, organizationId, connectionId, domainIds });
    const data = { id: connectionId, organization_id: organizationId, domain_ids: domainIds };
    const event = { type: 'connection.domains_assigned', organizationId, connectionId, data };
    await record(tx, eventOf(ctx, event));
    return { kind: 'assigned', connection };
  });
}
