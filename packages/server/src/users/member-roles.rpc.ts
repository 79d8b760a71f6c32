import type { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText, invalidField } from '../http/request-checks.ts';
import { permissionsOfRoles } from '../roles/role-permissions.store.ts';
import { organizationExists } from '../roles/roles.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { findMembership, type Membership } from './memberships.store.ts';
import { assignRoles, withdrawRole } from './memberships.ts';
import { ceilingOf } from './privilege-ceiling.ts';
import { noSuchMember, noSuchOrganization, noSuchUser } from './user-errors.ts';
import { wantedRoles } from './user-input.ts';
import { memberRoleMessage } from './user-message.ts';
import { findUser } from './users.ts';

/** The roles of members, and what they permit. */
export const memberRolesRpc: Slice<typeof UserService> = {
  async listUserRoles(ctx, { organizationId, userId }) {
    const { roles } = await memberOf(ctx, organizationId, userId);
    return { roles: roles.map(memberRoleMessage) };
  },

  async assignUserRoles(ctx, { organizationId, userId, roles }, { caller }) {
    checkKey(organizationId, userId);
    if (roles.length === 0) throw invalidField('roles', 'is missing', 'required');
    const wanted = wantedRoles(
      'roles',
      roles.map(({ id, roleName }) => ({ id, name: roleName })),
    );
    await assignRoles(ctx, organizationId, userId, wanted, ceilingOf(caller));
    const member = await memberOf(ctx, organizationId, userId);
    return { roles: member.roles.map(memberRoleMessage) };
  },

  async removeUserRole(ctx, { organizationId, userId, roleName }, { caller }) {
    checkKey(organizationId, userId);
    checkText('', { role_name: roleName });
    if (roleName === '') throw invalidField('role_name', 'is missing', 'required');
    await withdrawRole(ctx, organizationId, userId, roleName, ceilingOf(caller));
    return {};
  },

  async listUserPermissions(ctx, { organizationId, userId }) {
    const { roles, status } = await memberOf(ctx, organizationId, userId);
    // Nobody may do anything in an organization that they do not belong to, yet or any more.
    const roleIds = status === 'ACTIVE' ? roles.map(({ id }) => id) : [];
    const { environmentId, db } = ctx;
    const granted = await permissionsOfRoles(db, { environmentId, roleIds, inherited: true });
    const once = new Map(granted.map((permission) => [permission.name, permission]));
    const permissions = [...once.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      permissions: permissions.map(({ id, name, description }) => ({ id, name, description })),
    };
  },
};

function checkKey(organizationId: string, userId: string): void {
  checkId('organization_id', organizationId, 'org');
  checkId('user_id', userId, 'usr');
}

/** @throws {ApiError} not_found: no such organization, person, or membership */
async function memberOf(ctx: Ctx, organizationId: string, userId: string): Promise<Membership> {
  checkKey(organizationId, userId);
  const { db, environmentId } = ctx;
  const found = await findMembership(db, { environmentId, organizationId, userId });
  if (found) return found;
  if (!(await organizationExists(db, environmentId, organizationId))) throw noSuchOrganization();
  throw (await findUser(db, { environmentId, id: userId })) ? noSuchMember() : noSuchUser();
}
