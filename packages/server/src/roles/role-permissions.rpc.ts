import type { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { Slice } from '../http/calls.ts';
import type { Ctx } from '../runtime/context.ts';
import { noSuchPermission, permissionMessage } from './permission-message.ts';
import { findPermission } from './permissions.store.ts';
import { permissionsOfRoles } from './role-permissions.store.ts';
import { grantPermissions, roleOf, withdrawPermission } from './roles.ts';

/** What roles of the environment permit. */
export const rolePermissionsRpc: Slice<typeof RolesService> = {
  async listRolePermissions(ctx, { roleName }) {
    const { id } = await roleOf(ctx.db, { environmentId: ctx.environmentId }, roleName);
    return { permissions: await permissionsOf(ctx, id, false) };
  },

  async listEffectiveRolePermissions(ctx, { roleName }) {
    const { id } = await roleOf(ctx.db, { environmentId: ctx.environmentId }, roleName);
    return { permissions: await permissionsOf(ctx, id, true) };
  },

  async addPermissionsToRole(ctx, { roleName, permissionNames }) {
    const { environmentId } = ctx;
    const { id } = await grantPermissions(ctx, { environmentId }, roleName, permissionNames);
    return { permissions: await permissionsOf(ctx, id, false) };
  },

  async removePermissionFromRole(ctx, { roleName, permissionName: name }) {
    const { environmentId } = ctx;
    if (!(await findPermission(ctx.db, { environmentId, name }))) throw noSuchPermission();
    await withdrawPermission(ctx, { environmentId }, roleName, name);
    return {};
  },
};

async function permissionsOf(ctx: Ctx, roleId: string, inherited: boolean) {
  const { environmentId } = ctx;
  const found = await permissionsOfRoles(ctx.db, { environmentId, roleIds: [roleId], inherited });
  return found.map(permissionMessage);
}
