import { invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { permissionsOfRoles, type RolePermission } from './role-permissions.store.ts';
import type { Role } from './roles.store.ts';

/** Roles as the contract has them, with the permissions that `include` asks for: one statement for all roles. */
export async function roleMessages(ctx: Ctx, roles: readonly Role[], include?: string) {
  const granted = include
    ? await permissionsOfRoles(ctx.db, {
        environmentId: ctx.environmentId,
        roleIds: roles.map(({ id }) => id),
        inherited: include === 'permissions:all',
      })
    : [];
  const byRole = Map.groupBy(granted, ({ roleId }) => roleId);
  return roles.map((role) => ({
    ...roleMessage(role),
    permissions: (byRole.get(role.id) ?? []).map(grantedMessage),
  }));
}

/** What a changed role permits by itself is a part of the answer. */
export async function changedMessage(ctx: Ctx, role: Role) {
  const [message] = await roleMessages(ctx, [role], 'permissions');
  return message ?? roleMessage(role);
}

/** A role as the contract has it, without permissions. */
export function roleMessage(role: Role) {
  const { id, name, displayName, description, defaultCreator, defaultMember } = role;
  return {
    id,
    name,
    displayName,
    description,
    defaultCreator,
    defaultMember,
    ...(role.extends === undefined ? {} : { extends: role.extends }),
    dependentRolesCount: role.dependentRoles,
    isOrgRole: role.organizationId !== undefined,
  };
}

function grantedMessage(permission: RolePermission) {
  const { id, name, description, createdAt, updatedAt, fromRole } = permission;
  return {
    id,
    name,
    description,
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
    roleName: fromRole,
  };
}

/** @throws {ApiError} invalid_argument: the message is missing */
export function requiredRole<T>(role: T | undefined): T {
  if (role === undefined) throw invalidField('role', 'is missing', 'required');
  return role;
}
