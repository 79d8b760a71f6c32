import { RegionCode } from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import type {
  GetOrganizationRequest,
  OrganizationService,
} from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { featuresOf } from './features.ts';
import { changesOf, featureChanges, keyOf, newOrganization } from './organization-input.ts';
import { noSuchOrganization, writtenOrganization } from './organization-outcome.ts';
import {
  countOrganizations,
  findOrganization,
  listOrganizationPage,
  type Organization,
  type OrganizationFilter,
} from './organizations.store.ts';
import { changeOrganization, createOrganization } from './organizations.ts';

const MOST_LISTED = 100;

/** Organizations: the customers of the application. `grants/deletions.rpc.ts` deletes them. */
export const organizationsRpc: Slice<typeof OrganizationService> = {
  async createOrganization(ctx, { organization }) {
    if (!organization) throw invalidField('organization', 'is missing', 'required');
    const regionCode = regionOf(organization.regionCode);
    const outcome = await createOrganization(ctx, { ...newOrganization(organization), regionCode });
    return { organization: messageOf(writtenOrganization(outcome)) };
  },

  getOrganization,

  async getOrganizationByExternalId(ctx, request) {
    if (request.identities.case !== 'externalId')
      throw invalidField('external_id', 'is missing', 'required');
    return await getOrganization(ctx, request);
  },

  async updateOrganization(ctx, { identities, organization, updateMask }) {
    const key = keyOf(identities);
    const changes = changesOf(organization, updateMask);
    const outcome = await changeOrganization(ctx, key, () => changes);
    return { organization: messageOf(writtenOrganization(outcome)) };
  },

  async listOrganization(ctx, request) {
    if (request.pageSize > MOST_LISTED)
      throw invalidField('page_size', `must be at most ${MOST_LISTED}`, 'uint32.lte');
    const externalId = request.externalId || undefined;
    checkText('', { external_id: externalId ?? '' });
    return await part(ctx, request, { externalId });
  },

  async searchOrganization(ctx, request) {
    checkText('', { query: request.query });
    return await part(ctx, request, { text: request.query });
  },

  async updateOrganizationSettings(ctx, { id, settings }) {
    const key = keyOf({ case: 'id', value: id });
    const changes = featureChanges(settings);
    const outcome = await changeOrganization(ctx, key, ({ features }) =>
      Object.keys(changes).length === 0 ? {} : { features: { ...features, ...changes } },
    );
    return { organization: messageOf(writtenOrganization(outcome)) };
  },
};

async function getOrganization(ctx: Ctx, { identities }: GetOrganizationRequest) {
  const { environmentId } = ctx;
  const found = await findOrganization(ctx.db, { environmentId, key: keyOf(identities) });
  if (!found) throw noSuchOrganization();
  return { organization: messageOf(found) };
}

async function part(
  ctx: Ctx,
  asked: { readonly pageToken: string; readonly pageSize: number },
  filter: OrganizationFilter,
) {
  const { db, environmentId } = ctx;
  const list = `organizations ${JSON.stringify(filter)}`;
  const page = readPage(ctx, list, asked);
  const rows = await listOrganizationPage(db, { environmentId, filter, page });
  const { items, ...tokens } = pageOf(ctx, list, page, rows);
  return {
    ...tokens,
    totalSize: await countOrganizations(db, { environmentId, filter }),
    organizations: items.map(messageOf),
  };
}

function regionOf(code: RegionCode): 'US' | 'EU' {
  switch (code) {
    case RegionCode.REGION_CODE_UNSPECIFIED:
    case RegionCode.US:
      return 'US';
    case RegionCode.EU:
      return 'EU';
    default:
      throw invalidField('organization.region_code', 'is not a region', 'enum.defined_only');
  }
}

/** An organization as the contract has it. Members without a value are absent. */
function messageOf(organization: Organization) {
  const { id, displayName, metadata, regionCode, createdAt, updatedAt } = organization;
  const { externalId, slug, logoUrl } = organization;
  return {
    id,
    displayName,
    metadata,
    regionCode: RegionCode[regionCode],
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
    settings: { features: featuresOf(organization.features) },
    ...(externalId !== undefined && { externalId }),
    ...(slug !== undefined && { slug }),
    ...(logoUrl !== undefined && { logoUrl }),
  };
}
