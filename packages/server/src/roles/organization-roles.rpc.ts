import type { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { Slice } from '../http/calls.ts';
import { checkId, checkText } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { countRoleUsers } from './assignments.store.ts';
import { changeOrganizationDefault } from './default-roles.ts';
import { removeRole, successorOf } from './role-deletion.ts';
import { changedMessage, requiredRole, roleMessage, roleMessages } from './role-message.ts';
import { findOwnOrShared, listRoles } from './roles.store.ts';
import {
  changeRole,
  createRole,
  noSuchRole,
  type OrganizationScope,
  organizationScope,
  removeBase,
  roleOf,
} from './roles.ts';

/** Roles of single organizations, in a name space of their own. */
export const organizationRolesRpc: Slice<typeof RolesService> = {
  async createOrganizationRole(ctx, { orgId, role }) {
    const { name, displayName, description = '', ...rest } = requiredRole(role);
    checkText('role.', { display_name: displayName, description });
    const created = await createRole(ctx, await scopeOf(ctx, orgId), {
      name,
      displayName,
      description,
      extends: rest.extends,
      permissions: rest.permissions,
    });
    return { role: await changedMessage(ctx, created) };
  },

  async updateOrganizationRole(ctx, { orgId, roleName, role }) {
    const change = requiredRole(role);
    const { displayName = '', description = '' } = change;
    checkText('role.', { display_name: displayName, description });
    const changed = await changeRole(ctx, await scopeOf(ctx, orgId), roleName, change);
    return { role: await changedMessage(ctx, changed) };
  },

  async getOrganizationRole(ctx, { orgId, roleName, include }) {
    const found = await roleOf(ctx.db, await scopeOf(ctx, orgId), roleName);
    const [role] = await roleMessages(ctx, [found], include);
    return role ? { role } : {};
  },

  async listOrganizationRoles(ctx, { orgId, include }) {
    const roles = await listRoles(ctx.db, await scopeOf(ctx, orgId));
    return { roles: await roleMessages(ctx, roles, include) };
  },

  async deleteOrganizationRole(ctx, { orgId, roleName, reassignRoleName }) {
    await removeRole(ctx, await scopeOf(ctx, orgId), roleName, successorOf(reassignRoleName));
    return {};
  },

  /** Of the organization's own role or, where it has none of that name, of the environment's among its members. */
  async getOrganizationRoleUsersCount(ctx, { orgId, roleName }) {
    const scope = await scopeOf(ctx, orgId);
    const role = await findOwnOrShared(ctx.db, scope, roleName);
    if (!role) throw noSuchRole(roleName);
    return { count: await countRoleUsers(ctx.db, scope, role.id) };
  },

  async deleteOrganizationRoleBase(ctx, { orgId, roleName }) {
    await removeBase(ctx, await scopeOf(ctx, orgId), roleName);
    return {};
  },

  async updateDefaultOrganizationRoles(ctx, { orgId, defaultMemberRole: name }) {
    const field = 'default_member_role';
    const member = await changeOrganizationDefault(ctx, await scopeOf(ctx, orgId), { field, name });
    return { defaultMember: roleMessage(member) };
  },
};

async function scopeOf(ctx: Ctx, orgId: string): Promise<OrganizationScope> {
  checkId('org_id', orgId, 'org');
  return await organizationScope(ctx, orgId);
}
