import type { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { Slice } from '../http/calls.ts';
import { checkText } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { countRoleUsers } from './assignments.store.ts';
import { changeDefaults, type DefaultRole } from './default-roles.ts';
import { removeRole, successorOf } from './role-deletion.ts';
import { changedMessage, requiredRole, roleMessage, roleMessages } from './role-message.ts';
import { listDependents, listRoles, type RoleScope } from './roles.store.ts';
import { changeRole, createRole, removeBase, roleOf } from './roles.ts';

/** Roles of the environment: every organization has them. */
export const rolesRpc: Slice<typeof RolesService> = {
  async createRole(ctx, request) {
    const { name, displayName, description = '', ...rest } = requiredRole(request.role);
    checkText('role.', { display_name: displayName, description });
    const created = await createRole(ctx, scopeOf(ctx), {
      name,
      displayName,
      description,
      extends: rest.extends,
      permissions: rest.permissions,
    });
    return { role: await changedMessage(ctx, created) };
  },

  async updateRole(ctx, { roleName, role }) {
    const change = requiredRole(role);
    const { displayName = '', description = '' } = change;
    checkText('role.', { display_name: displayName, description });
    const changed = await changeRole(ctx, scopeOf(ctx), roleName, change);
    return { role: await changedMessage(ctx, changed) };
  },

  async getRole(ctx, { roleName, include }) {
    const found = await roleOf(ctx.db, scopeOf(ctx), roleName);
    const [role] = await roleMessages(ctx, [found], include);
    return role ? { role } : {};
  },

  async listRoles(ctx, { include }) {
    return { roles: await roleMessages(ctx, await listRoles(ctx.db, scopeOf(ctx)), include) };
  },

  async deleteRole(ctx, { roleName, reassignRoleName, reassignRoleId }) {
    await removeRole(ctx, scopeOf(ctx), roleName, successorOf(reassignRoleName, reassignRoleId));
    return {};
  },

  async getRoleUsersCount(ctx, { roleName }) {
    const scope = scopeOf(ctx);
    const { id } = await roleOf(ctx.db, scope, roleName);
    return { count: await countRoleUsers(ctx.db, scope, id) };
  },

  async deleteRoleBase(ctx, { roleName }) {
    await removeBase(ctx, scopeOf(ctx), roleName);
    return {};
  },

  async listDependentRoles(ctx, { roleName }) {
    const scope = scopeOf(ctx);
    const { id } = await roleOf(ctx.db, scope, roleName);
    return { roles: (await listDependents(ctx.db, scope, id)).map(roleMessage) };
  },

  async updateDefaultRoles(ctx, request) {
    const { creator, member } = await changeDefaults(ctx, {
      creator: defaultOf('default_creator', request.defaultCreatorRole, request.defaultCreator),
      member: defaultOf('default_member', request.defaultMemberRole, request.defaultMember),
    });
    return { defaultCreator: roleMessage(creator), defaultMember: roleMessage(member) };
  },
};

const scopeOf = ({ environmentId }: Ctx): RoleScope => ({ environmentId });

function defaultOf(
  field: string,
  name: string | undefined,
  former: { readonly id: string } | undefined,
): DefaultRole | undefined {
  if (name) return { field: `${field}_role`, name };
  return former && { field: `${field}.id`, id: former.id };
}
