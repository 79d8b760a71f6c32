import { PermissionType, type RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { noSuchPermission, permissionMessage } from './permission-message.ts';
import { countPermissions, findPermission, listPermissionPage } from './permissions.store.ts';
import { createPermission, deletePermission, describePermission } from './permissions.ts';

const BUILT_IN_PREFIX = 'sk_';

/** Permissions of the environment, which are also what MCP servers have as scopes. */
export const permissionsRpc: Slice<typeof RolesService> = {
  async createPermission(ctx, { permission }) {
    const { name, description } = required(permission);
    if (name.startsWith(BUILT_IN_PREFIX))
      throw invalidField(
        'permission.name',
        `names that begin with ${BUILT_IN_PREFIX} are those of built-in permissions`,
        'reserved',
      );
    const created = await createPermission(ctx, { name, description });
    if (!created)
      throw invalidField(
        'permission.name',
        'there is a permission of this name already, and a duplicate is not allowed',
        'unique',
      );
    return { permission: permissionMessage(created) };
  },

  async getPermission(ctx, { permissionName }) {
    const { environmentId } = ctx;
    const found = await findPermission(ctx.db, { environmentId, name: permissionName });
    if (!found) throw noSuchPermission();
    return { permission: permissionMessage(found) };
  },

  async updatePermission(ctx, { permissionName, permission }) {
    const { name, description } = required(permission);
    if (name !== permissionName)
      throw invalidField('permission.name', 'the name of a permission cannot be changed');
    const changed = await describePermission(ctx, { name, description });
    if (!changed) throw await untouchable(ctx, name);
    return { permission: permissionMessage(changed) };
  },

  async listPermissions(ctx, request) {
    const { environmentId } = ctx;
    const builtIn =
      request.type === PermissionType.ALL ? undefined : request.type === PermissionType.SCALEKIT;
    const list = `permissions ${builtIn ?? ''}`;
    const page = readPage(ctx, list, request);
    const rows = await listPermissionPage(ctx.db, { environmentId, builtIn, page });
    const { items, ...tokens } = pageOf(ctx, list, page, rows);
    return {
      ...tokens,
      totalSize: await countPermissions(ctx.db, { environmentId, builtIn }),
      permissions: items.map(permissionMessage),
    };
  },

  async deletePermission(ctx, { permissionName }) {
    const outcome = await deletePermission(ctx, permissionName);
    switch (outcome.kind) {
      case 'deleted':
        return {};
      case 'unknown':
        throw await untouchable(ctx, permissionName);
      case 'in-use': {
        const users = outcome.by.map(({ id, name }) => `${name} (${id})`).join(', ');
        throw new ApiError(
          'failed_precondition',
          'PERMISSION_IN_USE',
          `permission cannot be deleted as MCP servers or roles have it: ${users}`,
        );
      }
    }
  },
};

type Sent = { readonly name: string; readonly description: string };

function required(permission: Sent | undefined): Sent {
  if (!permission) throw invalidField('permission', 'is missing', 'required');
  checkText('permission.', { description: permission.description });
  return permission;
}

/** Why a permission was neither changed nor deleted. */
async function untouchable(ctx: Ctx, name: string): Promise<ApiError> {
  const found = await findPermission(ctx.db, { environmentId: ctx.environmentId, name });
  return found?.builtIn
    ? invalidField('permission_name', 'a built-in permission is as it is', 'reserved')
    : noSuchPermission();
}
