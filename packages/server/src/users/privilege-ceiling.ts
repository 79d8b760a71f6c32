import { ApiError } from '../http/api-error.ts';
import type { Caller } from '../http/callers.ts';
import { permissionsOfRoles } from '../roles/role-permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';

/** The permissions of whoever changes members. Undefined: an application or its operators, who may give anything. */
export type Ceiling = ReadonlySet<string> | undefined;

export function ceilingOf(caller: Caller): Ceiling {
  return caller.kind === 'session' ? caller.permissions : undefined;
}

/**
 * Nobody gives a role that permits more than they may do themselves, and nobody changes a member who has such a one (FSA-100).
 *
 * @throws {ApiError} permission_denied
 */
export async function checkCeiling(
  ctx: Ctx,
  ceiling: Ceiling,
  roleIds: readonly string[],
): Promise<void> {
  if (!ceiling || roleIds.length === 0) return;
  const { db, environmentId } = ctx;
  const permitted = await permissionsOfRoles(db, { environmentId, roleIds, inherited: true });
  if (permitted.every(({ name }) => ceiling.has(name))) return;
  throw new ApiError(
    'permission_denied',
    'ROLE_ABOVE_CALLER',
    'this caller may neither give a role that permits more than they may do, nor change a member who has one',
  );
}
