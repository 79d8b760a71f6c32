import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  type ConnectionService,
  ListConnectionSchema,
  SearchOrganizationConnectionsRequestSchema,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { entryAnswer } from './connection-answer.ts';
import {
  type ConnectionEntry,
  countOrganizationConnections,
  listConnections,
  listOrganizationConnectionPage,
  type SearchFilter,
} from './connection-lists.store.ts';
import { canonicalDomain } from './domain-name.ts';

const SHORTEST_QUERY = 3;

/** Lists of connections, and the empty one of connections that agents would have. */
export const connectionListsRpc: Slice<typeof ConnectionService> = {
  async listConnections(ctx, { organizationId, domain, include }) {
    const { db, environmentId } = ctx;
    if (organizationId !== undefined) {
      checkId('organization_id', organizationId, 'org');
      const organization = await findOrganization(db, {
        environmentId,
        key: { id: organizationId },
      });
      if (!organization) throw noSuchOrganization();
    }
    const asked = domain === undefined ? undefined : canonicalDomain(domain);
    // A name that cannot be a domain leads nowhere; that is no error, as people type it.
    if (domain !== undefined && asked === undefined) return { connections: [] };
    const all = include === 'all';
    const filter = { environmentId, organizationId, domain: asked, all };
    return { connections: (await listConnections(db, filter)).map(messageOf) };
  },

  async listOrganizationConnections(ctx, request) {
    return await part(ctx, request, {});
  },

  async searchOrganizationConnections(ctx, request) {
    const { query, provider, enabled } = request;
    checkText('', { query: query ?? '', provider: provider ?? '' });
    const text = query?.trim() || undefined;
    if (text !== undefined && text.length < SHORTEST_QUERY)
      throw invalidField('query', `must have at least ${SHORTEST_QUERY} characters`, 'min_len');
    const named = namesOf(request);
    return await part(ctx, request, {
      query: text,
      provider: provider?.toUpperCase() || undefined,
      enabled,
      ...named,
    });
  },

  async listAppConnections(ctx, request) {
    readPage(ctx, 'app-connections', request);
    return { connections: [], nextPageToken: '', prevPageToken: '', totalSize: 0 };
  },
};

type SearchRequest = Parameters<
  NonNullable<(typeof connectionListsRpc)['searchOrganizationConnections']>
>[1];

/** The enums of a search by the names that are stored. */
function namesOf(request: SearchRequest): Pick<SearchFilter, 'status' | 'type'> {
  const { status, connectionType } = Object(
    toJson(SearchOrganizationConnectionsRequestSchema, request),
  );
  const isSet = (name: unknown) => typeof name === 'string' && !/UNSPECIFIED$|^INVALID$/.test(name);
  return {
    status: isSet(status) ? status : undefined,
    type: isSet(connectionType) ? connectionType : undefined,
  };
}

async function part(
  ctx: Ctx,
  asked: { readonly pageToken: string; readonly pageSize: number },
  search: Omit<SearchFilter, 'environmentId'>,
) {
  const { db, environmentId } = ctx;
  const list = `connections ${JSON.stringify(search)}`;
  const page = readPage(ctx, list, asked);
  const filter = { ...search, environmentId };
  const rows = await listOrganizationConnectionPage(db, { ...filter, page });
  const { items, ...tokens } = pageOf(ctx, list, page, rows);
  return {
    ...tokens,
    totalSize: await countOrganizationConnections(db, filter),
    connections: items.map(messageOf),
  };
}

function messageOf(entry: ConnectionEntry) {
  return fromJson(ListConnectionSchema, entryAnswer(entry) as JsonValue); // made of texts and lists of them
}
