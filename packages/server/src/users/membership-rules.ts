import { environmentOf } from '../environments/environments.ts';
import { blockedDomain } from '../environments/sign-up-rules.ts';
import { ApiError } from '../http/api-error.ts';
import { invalidField } from '../http/request-checks.ts';
import { holdOrganization } from '../organizations/organizations.store.ts';
import type { Organization } from '../organizations/organizations.ts';
import { takeMemberRole, takeRoles, type WantedRole } from '../roles/assignments.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { countMembers, hasOtherAdministrator, hasOtherMembership } from './memberships.store.ts';
import { noSuchOrganization } from './user-errors.ts';

/**
 * The organization, whose members nobody else adds until the transaction ends.
 *
 * @throws {ApiError} not_found
 */
export async function heldOrganization(ctx: Ctx, organizationId: string): Promise<Organization> {
  const { db, environmentId } = ctx;
  const found = await holdOrganization(db, { environmentId, id: organizationId });
  if (!found) throw noSuchOrganization();
  return found;
}

/**
 * Whether one more may belong to an organization that is held (FSA-56): members and living invitations count.
 *
 * @throws {ApiError} failed_precondition
 */
export async function checkSeat(ctx: Ctx, organization: Organization): Promise<void> {
  const most = organization.maxAllowedUsers ?? (await usualLimit(ctx));
  if (most === 0) return;
  const { db, environmentId } = ctx;
  const by = { environmentId, organizationId: organization.id, now: ctx.now(), most };
  if ((await countMembers(db, by)) < most) return;
  throw new ApiError(
    'failed_precondition',
    'USER_LIMIT_REACHED',
    `the organization has its ${most} users, and no more are allowed`,
  );
}

/** Of organizations that say nothing themselves. */
async function usualLimit(ctx: Ctx): Promise<number> {
  const { maxUsersEnabled, maxUsers } = (await environmentOf(ctx)).settings;
  return maxUsersEnabled ? maxUsers : 0;
}

/**
 * Whether a person who is locked may belong to one more organization. Invitations that are over do not count.
 *
 * @throws {ApiError} failed_precondition
 */
export async function checkOtherMemberships(
  ctx: Ctx,
  by: { readonly organizationId: string; readonly userId: string },
): Promise<void> {
  if ((await environmentOf(ctx)).settings.multipleMemberships) return;
  const { db, environmentId } = ctx;
  if (!(await hasOtherMembership(db, { ...by, environmentId, now: ctx.now() }))) return;
  throw new ApiError(
    'failed_precondition',
    'SINGLE_ORGANIZATION',
    'the user belongs to another organization, and the environment allows one',
  );
}

/**
 * Whether somebody who is new may be invited with this address (FSA-61).
 *
 * @throws {ApiError} invalid_argument
 */
export async function checkInvitedDomain(ctx: Ctx, emailKey: string): Promise<void> {
  const kind = blockedDomain((await environmentOf(ctx)).settings, emailKey);
  if (kind === undefined) return;
  throw invalidField(
    'user.email',
    kind === 'public'
      ? 'is an address that anybody can get, and the environment does not accept those'
      : 'is an address that is thrown away, and the environment does not accept those',
    'email_domain_blocked',
  );
}

/**
 * Ids of the roles that a request names, as the organization means them. They cannot be deleted until the transaction ends.
 *
 * @throws {ApiError} invalid_argument: there is no such role
 */
export async function roleIdsOf(
  ctx: Ctx,
  organizationId: string,
  wanted: readonly WantedRole[],
  field: string,
): Promise<string[]> {
  const scope = { environmentId: ctx.environmentId, organizationId };
  const ids = await takeRoles(ctx.db, scope, wanted);
  return ids.map((id, index) => {
    if (id === undefined)
      throw invalidField(`${field}[${index}]`, 'there is no such role', 'exists');
    return id;
  });
}

/** The same for a new member: without any wanted role it is the one that new members get. */
export async function firstRoleIds(
  ctx: Ctx,
  organizationId: string,
  wanted: readonly WantedRole[],
  field: string,
): Promise<string[]> {
  if (wanted.length > 0) return await roleIdsOf(ctx, organizationId, wanted, field);
  return [await takeMemberRole(ctx.db, { environmentId: ctx.environmentId, organizationId })];
}

/**
 * Whether a member may lose all roles but some, or with none kept the membership: with the environment's setting somebody must
 * have the role of creators afterwards.
 * Holds the organization, so that two who leave at once see one another.
 *
 * @throws {ApiError} failed_precondition: the last administrator; not_found: there is no such organization
 */
export async function checkLastAdministrator(
  ctx: Ctx,
  by: { readonly organizationId: string; readonly userId: string },
  keptRoleIds: readonly string[],
): Promise<void> {
  const { settings } = await environmentOf(ctx);
  if (!settings.keepLastAdministrator) return;
  await heldOrganization(ctx, by.organizationId);
  if (await hasOtherAdministrator(ctx.db, { ...by, environmentId: ctx.environmentId, keptRoleIds }))
    return;
  throw new ApiError(
    'failed_precondition',
    'LAST_ADMIN',
    'the user is the last administrator of the organization',
  );
}
