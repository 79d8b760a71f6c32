import type { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import type { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import type { Slice } from '../http/calls.ts';
import { checkId } from '../http/request-checks.ts';
import { keyOf as organizationKeyOf } from '../organizations/organization-input.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { ceilingOf } from '../users/privilege-ceiling.ts';
import { keyOf } from '../users/user-input.ts';
import { deleteUser, removeMember, removeOrganization } from './deletions.ts';

/** Deletions of people and memberships; what people hold ends with them, which only this folder knows of. */
export const userDeletionsRpc: Slice<typeof UserService> = {
  async deleteUser(ctx, { identities }) {
    await deleteUser(ctx, keyOf(identities));
    return {};
  },

  async deleteMembership(ctx, { organizationId, identities, cascade }, { caller }) {
    checkId('organization_id', organizationId, 'org');
    const how = { cascade: cascade ?? true, ceiling: ceilingOf(caller) };
    await removeMember(ctx, organizationId, keyOf(identities), how);
    return {};
  },
};

/** The deletion of an organization, which may be the last one of its people. */
export const organizationDeletionRpc: Slice<typeof OrganizationService> = {
  async deleteOrganization(ctx, { identities }) {
    if (!(await removeOrganization(ctx, organizationKeyOf(identities)))) throw noSuchOrganization();
    return {};
  },
};
