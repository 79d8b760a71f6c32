import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  deletePermission as deleteRow,
  insertPermission,
  isInUse,
  type Permission,
  type PermissionUse,
  updatePermission,
  usesOfPermission,
} from './permissions.store.ts';

export type { Permission } from './permissions.store.ts';

const ID_ATTEMPTS = 5;

/** Adds a permission; undefined when there is one of this name. */
export async function createPermission(
  ctx: Ctx,
  by: { readonly name: string; readonly description: string },
): Promise<Permission | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx) => {
        const added = await insertPermission(tx, {
          ...by,
          environmentId: ctx.environmentId,
          id: newId(ctx, 'perm'),
          now: ctx.now(),
        });
        await record(tx, eventOf(ctx, { type: 'permission.created', data: factsOf(added) }));
        return added;
      });
    } catch (error) {
      if (isUniqueViolation(error, 'permissions_by_name')) return undefined;
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/** Changes what people read; consent pages show it for scopes without words of their own. Undefined when there is none. */
export async function describePermission(
  ctx: Ctx,
  by: { readonly name: string; readonly description: string },
): Promise<Permission | undefined> {
  return await ctx.db.transaction(async (tx) => {
    const changed = await updatePermission(tx, {
      ...by,
      environmentId: ctx.environmentId,
      now: ctx.now(),
    });
    if (changed)
      await record(tx, eventOf(ctx, { type: 'permission.updated', data: factsOf(changed) }));
    return changed;
  });
}

export type PermissionDeletion =
  | { readonly kind: 'deleted' }
  | { readonly kind: 'unknown' }
  /** By these MCP servers and roles, at most ten of each. */
  | { readonly kind: 'in-use'; readonly by: readonly PermissionUse[] };

/** Removes a permission that nothing uses; the database decides, whatever races. */
export async function deletePermission(ctx: Ctx, name: string): Promise<PermissionDeletion> {
  const by = { environmentId: ctx.environmentId, name };
  try {
    return await ctx.db.transaction(async (tx) => {
      const deleted = await deleteRow(tx, by);
      if (!deleted) return { kind: 'unknown' };
      await record(tx, eventOf(ctx, { type: 'permission.deleted', data: factsOf(deleted) }));
      return { kind: 'deleted' };
    });
  } catch (error) {
    if (!isInUse(error)) throw error;
    return { kind: 'in-use', by: await usesOfPermission(ctx.db, by) };
  }
}

function factsOf({ id, name, description }: Permission): Readonly<Record<string, string>> {
  return { id, name, description };
}
