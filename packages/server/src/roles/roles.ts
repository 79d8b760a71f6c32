import { eventOf, record } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { type Db, isUniqueViolation } from '../storage/db.ts';
import { isInUse } from './permissions.store.ts';
import { addPermissions, keepPermissions, removePermission } from './role-permissions.store.ts';
import {
  deleteRole as deleteRow,
  findRole,
  insertRole,
  lockBases,
  lockRole,
  measureBases,
  organizationExists,
  type Role,
  type RoleScope,
  resolveRole,
  updateRole,
} from './roles.store.ts';

export type { Role, RoleScope } from './roles.store.ts';

const ID_ATTEMPTS = 5;
/** How many roles above it a role may have permissions from. */
const MOST_STEPS = 10;

export function noSuchRole(name: string): ApiError {
  return new ApiError('not_found', 'ROLE_NOT_FOUND', `there is no role "${name}"`);
}

export function noSuchOrganization(): ApiError {
  return new ApiError('not_found', 'ORGANIZATION_NOT_FOUND', 'there is no such organization');
}

export type OrganizationScope = RoleScope & { readonly organizationId: string };

/**
 * The roles of one organization.
 *
 * @throws {ApiError} not_found: there is no such organization
 */
export async function organizationScope(
  ctx: Ctx,
  organizationId: string,
): Promise<OrganizationScope> {
  if (!(await organizationExists(ctx.db, ctx.environmentId, organizationId)))
    throw noSuchOrganization();
  return { environmentId: ctx.environmentId, organizationId };
}

/** @throws {ApiError} not_found */
export async function roleOf(db: Db, scope: RoleScope, name: string): Promise<Role> {
  const found = await findRole(db, scope, name);
  if (!found) throw noSuchRole(name);
  return found;
}

export type NewRole = {
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** The name of its base. */
  readonly extends: string | undefined;
  readonly permissions: readonly string[];
};

/**
 * Adds a role.
 *
 * @throws {ApiError} invalid_argument: the name is taken, or a permission does not exist; not_found: the base does not exist
 */
export async function createRole(ctx: Ctx, scope: RoleScope, given: NewRole): Promise<Role> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx) => {
        const id = newId(ctx, 'role');
        const baseId = given.extends && (await takeBase(tx, scope, given.extends, undefined));
        await insertRole(tx, scope, { ...given, id, baseId, now: ctx.now() });
        await addAll(tx, scope, id, given.permissions, 'role.permissions');
        return await written(ctx, tx, scope, given.name, 'role.created');
      });
    } catch (error) {
      if (isUniqueViolation(error) && !isUniqueViolation(error, 'roles_pkey'))
        throw invalidField(
          'role.name',
          'there is a role of this name already, and a duplicate key is not allowed',
          'unique',
        );
      // Base and permissions are held: what can go away meanwhile is the organization.
      if (isInUse(error)) throw noSuchOrganization();
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

export type RoleUpdate = {
  readonly displayName?: string | undefined;
  readonly description?: string | undefined;
  readonly extends?: string | undefined;
  /** The role's own permissions from now on; an empty list leaves them as they are. */
  readonly permissions: readonly string[];
};

/**
 * Changes what is given.
 *
 * @throws {ApiError} not_found: no such role or base; invalid_argument: the bases would make a circle or too long a line, or a
 * permission does not exist
 */
export async function changeRole(
  ctx: Ctx,
  scope: RoleScope,
  name: string,
  change: RoleUpdate,
): Promise<Role> {
  return await ctx.db.transaction(async (tx) => {
    if (change.extends !== undefined) await lockBases(tx, scope);
    const role = await lockRole(tx, scope, name);
    if (!role) throw noSuchRole(name);
    const base =
      change.extends === undefined
        ? undefined
        : { id: await takeBase(tx, scope, change.extends, role.id) };
    await updateRole(tx, scope, role.id, { ...change, base, now: ctx.now() });
    if (change.permissions.length > 0) {
      await addAll(tx, scope, role.id, change.permissions, 'role.permissions');
      await keepPermissions(tx, {
        environmentId: scope.environmentId,
        roleId: role.id,
        names: change.permissions,
      });
    }
    return await written(ctx, tx, scope, role.name, 'role.updated');
  });
}

/**
 * Ends the inheritance; the role's own permissions stay.
 *
 * @throws {ApiError} not_found: no such role, or it has no base
 */
export async function removeBase(ctx: Ctx, scope: RoleScope, name: string): Promise<void> {
  await ctx.db.transaction(async (tx) => {
    const role = await lockRole(tx, scope, name);
    if (!role) throw noSuchRole(name);
    if (role.extends === undefined)
      throw new ApiError(
        'not_found',
        'ROLE_BASE_NOT_FOUND',
        `role "${role.name}" extends no other`,
      );
    await updateRole(tx, scope, role.id, { base: { id: undefined }, now: ctx.now() });
    await written(ctx, tx, scope, role.name, 'role.updated');
  });
}

/**
 * Adds permissions to a role; what it has already it keeps.
 *
 * @throws {ApiError} not_found: no such role; invalid_argument: a permission does not exist
 */
export async function grantPermissions(
  ctx: Ctx,
  scope: RoleScope,
  name: string,
  permissions: readonly string[],
): Promise<Role> {
  return await ctx.db.transaction(async (tx) => {
    const role = await lockRole(tx, scope, name);
    if (!role) throw noSuchRole(name);
    await addAll(tx, scope, role.id, permissions, 'permission_names');
    return await written(ctx, tx, scope, role.name, 'role.updated');
  });
}

/** @throws {ApiError} not_found: no such role, or it does not have the permission by itself */
export async function withdrawPermission(
  ctx: Ctx,
  scope: RoleScope,
  name: string,
  permission: string,
): Promise<void> {
  const { environmentId } = scope;
  await ctx.db.transaction(async (tx) => {
    const role = await lockRole(tx, scope, name);
    if (!role) throw noSuchRole(name);
    if (!(await removePermission(tx, { environmentId, roleId: role.id, name: permission })))
      throw new ApiError(
        'not_found',
        'PERMISSION_NOT_FOUND',
        `role "${role.name}" does not have the permission "${permission}" by itself`,
      );
    await written(ctx, tx, scope, role.name, 'role.updated');
  });
}

/** Deletes the row and says so; `deletion.ts` knows when that may be. */
export async function deleteLocked(ctx: Ctx, tx: Db, scope: RoleScope, role: Role): Promise<void> {
  await deleteRow(tx, scope, role.id);
  const { organizationId } = scope;
  await record(tx, eventOf(ctx, { type: 'role.deleted', organizationId, data: factsOf(role) }));
}

/** The role as it is now, after its event was written. */
async function written(
  ctx: Ctx,
  tx: Db,
  scope: RoleScope,
  name: string,
  type: 'role.created' | 'role.updated',
): Promise<Role> {
  const role = await roleOf(tx, scope, name);
  const { organizationId } = scope;
  await record(tx, eventOf(ctx, { type, organizationId, data: factsOf(role) }));
  return role;
}

/** The id of the role that a name means as a base, which no circle and no line of more than ten steps comes of. */
async function takeBase(
  tx: Db,
  scope: RoleScope,
  name: string,
  id: string | undefined,
): Promise<string> {
  await lockBases(tx, scope);
  const base = await resolveRole(tx, scope, { name, except: id });
  // Without the exception there is one: the role itself.
  if (!base && id !== undefined && (await resolveRole(tx, scope, { name })))
    throw invalidField('role.extends', 'a role cannot extend itself', 'cycle');
  if (!base) throw noSuchRole(name);
  const { steps, circle } = await measureBases(tx, scope, {
    id,
    baseId: base.id,
    most: MOST_STEPS,
  });
  if (circle)
    throw invalidField('role.extends', `role "${base.name}" extends this role already`, 'cycle');
  if (steps > MOST_STEPS)
    throw invalidField('role.extends', `a role has at most ${MOST_STEPS} others above it`, 'depth');
  return base.id;
}

async function addAll(
  tx: Db,
  { environmentId }: RoleScope,
  roleId: string,
  names: readonly string[],
  field: string,
): Promise<void> {
  if (names.length === 0) return;
  const known = new Set(await addPermissions(tx, { environmentId, roleId, names }));
  const unknown = names.findIndex((name) => !known.has(name));
  if (unknown >= 0)
    throw invalidField(
      `${field}[${unknown}]`,
      `there is no permission "${names[unknown]}"`,
      'exists',
    );
}

/** What events say of a role. */
export function factsOf(role: Role): Readonly<Record<string, string | undefined>> {
  const { id, name, displayName, description } = role;
  return { id, name, display_name: displayName, description, extends: role.extends };
}
