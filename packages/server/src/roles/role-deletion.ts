import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { reassignRole } from './assignments.store.ts';
import { isInUse } from './permissions.store.ts';
import { findRole, lockRole, type RoleScope, resolveRole, usesOfRole } from './roles.store.ts';
import { deleteLocked, noSuchRole } from './roles.ts';

/** The role whose place another one takes, by name or, as older clients have it, by id. */
export type Successor = { readonly name: string } | { readonly id: string };

/** The name counts; an id is what older clients send. */
export function successorOf(
  name: string | undefined,
  id: string | undefined = undefined,
): Successor | undefined {
  if (name) return { name };
  return id ? { id } : undefined;
}

/**
 * Deletes a role that nothing refers to; whoever has it gets the successor first, which must be a role of the same scope. The
 * database decides, whatever races.
 *
 * @throws {ApiError} not_found: no such role; invalid_argument: no such successor; failed_precondition: somebody has it, others
 * extend it, or new members get it
 */
export async function removeRole(
  ctx: Ctx,
  scope: RoleScope,
  name: string,
  successor: Successor | undefined,
): Promise<void> {
  try {
    await ctx.db.transaction(async (tx) => {
      const role = await lockRole(tx, scope, name);
      if (!role) throw noSuchRole(name);
      if (successor) {
        const next = await resolveRole(tx, scope, successor);
        if (!next || next.id === role.id)
          throw invalidField(
            'id' in successor ? 'reassign_role_id' : 'reassign_role_name',
            next ? 'is the role that is deleted' : 'there is no such role',
            'exists',
          );
        const { environmentId } = scope;
        await reassignRole(tx, { environmentId, fromId: role.id, toId: next.id });
      }
      await deleteLocked(ctx, tx, scope, role);
    });
  } catch (error) {
    if (!isInUse(error)) throw error;
    throw await refusal(ctx, scope, name);
  }
}

async function refusal(ctx: Ctx, scope: RoleScope, name: string): Promise<ApiError> {
  const role = await findRole(ctx.db, scope, name);
  if (!role) return noSuchRole(name);
  const { dependents, isDefault } = await usesOfRole(ctx.db, scope, role.id);
  if (dependents > 0n)
    return new ApiError(
      'failed_precondition',
      'ROLE_HAS_DEPENDENTS',
      'role cannot be deleted as other roles extend it',
    );
  if (isDefault)
    return new ApiError(
      'failed_precondition',
      'DEFAULT_ROLE',
      'role cannot be deleted as it is a default role',
    );
  return new ApiError(
    'failed_precondition',
    'ROLE_IN_USE',
    'role cannot be deleted as it is assigned to users',
  );
}
