import {
  Feature,
  type OrganizationService,
} from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { listPortalLinks, type PortalLink } from './portal-links.store.ts';
import { createPortalLink, revokePortalLinks } from './portal-links.ts';

const MOST_LISTED = 100;

/** Links to the administration portals of organizations. */
export const portalLinksRpc: Slice<typeof OrganizationService> = {
  async generatePortalLink(ctx, request) {
    checkId('id', request.id, 'org');
    const features = featuresOf(request);
    const outcome = await createPortalLink(ctx, { organizationId: request.id, features });
    switch (outcome.kind) {
      case 'created':
        return { link: { ...messageOf(outcome.link), location: outcome.location } };
      case 'unknown':
        throw noSuchOrganization();
      case 'feature-off':
        throw new ApiError(
          'failed_precondition',
          'FEATURE_DISABLED',
          `${outcome.feature} is not switched on for this organization`,
        );
    }
  },

  async getPortalLinks(ctx, { id }) {
    const { db, environmentId } = ctx;
    await checkOrganization(ctx, id);
    const asked = { environmentId, organizationId: id, now: ctx.now(), limit: MOST_LISTED };
    return { links: (await listPortalLinks(db, asked)).map(messageOf) };
  },

  async deletePortalLink(ctx, { id }) {
    await checkOrganization(ctx, id);
    await revokePortalLinks(ctx, { organizationId: id });
    return {};
  },

  async deletePortalLinkByID(ctx, { id, linkId }) {
    checkId('id', id, 'org');
    checkId('link_id', linkId, 'lnk');
    const deleted = await revokePortalLinks(ctx, { organizationId: id, linkId });
    if (deleted === 0)
      throw new ApiError('not_found', 'PORTAL_LINK_NOT_FOUND', 'there is no such portal link');
    return {};
  },
};

async function checkOrganization(ctx: Ctx, id: string): Promise<void> {
  checkId('id', id, 'org');
  const { db, environmentId } = ctx;
  if (!(await findOrganization(db, { environmentId, key: { id } }))) throw noSuchOrganization();
}

/** Each name once; the two deprecated switches mean the same. */
function featuresOf(asked: {
  readonly features: readonly Feature[];
  readonly sso?: boolean | undefined;
  readonly directorySync?: boolean | undefined;
}): string[] {
  const names = new Set<string>();
  for (const feature of asked.features) {
    if (feature !== Feature.sso && feature !== Feature.dir_sync)
      throw invalidField('features', 'has a name that is not a feature', 'enum.defined_only');
    names.add(feature === Feature.sso ? 'sso' : 'dir_sync');
  }
  if (asked.sso) names.add('sso');
  if (asked.directorySync) names.add('dir_sync');
  return [...names];
}

/** Without its address, which is told once. */
function messageOf({ id, expiresAt }: PortalLink) {
  return { id, expireTime: timestampOf(expiresAt) };
}
