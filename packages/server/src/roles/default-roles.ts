import { eventOf, record } from '../events/events.ts';
import { invalidField } from '../http/request-checks.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Db } from '../storage/db.ts';
import {
  listRoles,
  lockBases,
  resolveRole,
  setOrganizationDefault,
  updateDefaultRoles,
} from './roles.store.ts';
import {
  factsOf,
  noSuchOrganization,
  type OrganizationScope,
  type Role,
  type RoleScope,
} from './roles.ts';

/** A role by name or, as older clients have it, by id, and the field of the request that says so. */
export type DefaultRole = { readonly field: string } & (
  | { readonly name: string }
  | { readonly id: string }
);

export type DefaultRoles = { readonly creator: Role; readonly member: Role };

/**
 * Says which roles of the environment the creators and the other members of organizations get; what is absent stays.
 *
 * @throws {ApiError} invalid_argument: there is no such role
 */
export async function changeDefaults(
  ctx: Ctx,
  given: { readonly creator?: DefaultRole | undefined; readonly member?: DefaultRole | undefined },
): Promise<DefaultRoles> {
  const scope = { environmentId: ctx.environmentId };
  return await ctx.db.transaction(async (tx) => {
    await lockBases(tx, scope);
    const creatorId = given.creator && (await take(tx, scope, given.creator));
    const memberId = given.member && (await take(tx, scope, given.member));
    await updateDefaultRoles(tx, scope, { creatorId, memberId });
    const roles = await listRoles(tx, scope);
    for (const role of roles.filter(({ id }) => id === creatorId || id === memberId))
      await record(tx, eventOf(ctx, { type: 'role.updated', data: factsOf(role) }));
    const creator = roles.find((role) => role.defaultCreator);
    const member = roles.find((role) => role.defaultMember);
    if (!creator || !member) throw new Error('an environment has no default roles');
    return { creator, member };
  });
}

/**
 * Says which role new members of one organization get: one of its own or of the environment.
 *
 * @throws {ApiError} invalid_argument: there is no such role; not_found: the organization is gone
 */
export async function changeOrganizationDefault(
  ctx: Ctx,
  scope: OrganizationScope,
  member: DefaultRole,
): Promise<Role> {
  const { environmentId, organizationId } = scope;
  return await ctx.db.transaction(async (tx) => {
    const memberId = await take(tx, scope, member);
    const known = await setOrganizationDefault(tx, { environmentId, organizationId, memberId });
    if (!known) throw noSuchOrganization();
    const role = await resolveRole(tx, scope, { id: memberId });
    if (!role) throw new Error('the default role is gone');
    const data = factsOf(role);
    await record(tx, eventOf(ctx, { type: 'role.updated', organizationId, data }));
    return role;
  });
}

async function take(tx: Db, scope: RoleScope, role: DefaultRole): Promise<string> {
  const found = await resolveRole(tx, scope, role);
  if (!found) throw invalidField(role.field, 'there is no such role', 'exists');
  return found.id;
}
