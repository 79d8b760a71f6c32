import { ApiError } from '../http/api-error.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Permission } from './permissions.store.ts';

/** A permission as the contract has it. */
export function permissionMessage(permission: Permission) {
  const { id, name, description, builtIn, createdAt, updatedAt } = permission;
  return {
    id,
    name,
    description,
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
    isScalekitPermission: builtIn,
  };
}

export function noSuchPermission(): ApiError {
  return new ApiError('not_found', 'PERMISSION_NOT_FOUND', 'there is no such permission');
}
