import { PermissionType, type RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import { checkText, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { countPermissions, findPermission, listPermissionPage } from './permissions.store.ts';
import {
  createPermission,
  deletePermission,
  describePermission,
  type Permission,
} from './permissions.ts';

/** Permissions of the environment, which are also what MCP servers have as scopes. */
export const permissionsRpc: Slice<typeof RolesService> = {
  async createPermission(ctx, { permission }) {
    const { name, description } = required(permission);
    const created = await createPermission(ctx, { name, description });
    if (!created)
      throw invalidField(
        'permission.name',
        'there is a permission of this name already, and a duplicate is not allowed',
        'unique',
      );
    return { permission: messageOf(created) };
  },

  async getPermission(ctx, { permissionName }) {
    const { environmentId } = ctx;
    const found = await findPermission(ctx.db, { environmentId, name: permissionName });
    if (!found) throw noSuchPermission();
    return { permission: messageOf(found) };
  },

  async updatePermission(ctx, { permissionName, permission }) {
    const { name, description } = required(permission);
    if (name !== permissionName)
      throw invalidField('permission.name', 'the name of a permission cannot be changed');
    const changed = await describePermission(ctx, { name, description });
    if (!changed) throw noSuchPermission();
    return { permission: messageOf(changed) };
  },

  async listPermissions(ctx, request) {
    // There are no built-in ones.
    if (request.type === PermissionType.SCALEKIT) return {};
    const { environmentId } = ctx;
    const page = readPage(ctx, 'permissions', request);
    const rows = await listPermissionPage(ctx.db, { environmentId, page });
    const { items, ...tokens } = pageOf(ctx, 'permissions', page, rows);
    return {
      ...tokens,
      totalSize: await countPermissions(ctx.db, environmentId),
      permissions: items.map(messageOf),
    };
  },

  async deletePermission(ctx, { permissionName }) {
    const outcome = await deletePermission(ctx, permissionName);
    switch (outcome.kind) {
      case 'deleted':
        return {};
      case 'unknown':
        throw noSuchPermission();
      case 'in-use': {
        const users = outcome.by.map(({ id, name }) => `${name} (${id})`).join(', ');
        throw new ApiError(
          'failed_precondition',
          'PERMISSION_IN_USE',
          `permission cannot be deleted as it is a scope of MCP servers: ${users}`,
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

function messageOf(permission: Permission) {
  const { id, name, description, createdAt, updatedAt } = permission;
  return {
    id,
    name,
    description,
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
  };
}

function noSuchPermission(): ApiError {
  return new ApiError('not_found', 'PERMISSION_NOT_FOUND', 'there is no such permission');
}
