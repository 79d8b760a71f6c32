import { eventOf, record, recordFor } from '../events/events.ts';
import { ApiError } from '../http/api-error.ts';
import type { Organization } from '../organizations/organizations.ts';
import type { WantedRole } from '../roles/assignments.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import type { EmailAddress } from './email-address.ts';
import { invite } from './invitations.ts';
import {
  checkInvitedDomain,
  checkLastAdministrator,
  checkOtherMemberships,
  checkSeat,
  firstRoleIds,
  heldOrganization,
  roleIdsOf,
} from './membership-rules.ts';
import {
  addMemberRoles,
  findMembership,
  insertMembership,
  keepMemberRoles,
  lockMembership,
  type Membership,
  removeMemberRole,
  updateMembershipRow,
} from './memberships.store.ts';
import { type Ceiling, checkCeiling } from './privilege-ceiling.ts';
import { duplicateOf, noSuchMember, noSuchUser, signsInElsewhereOnly } from './user-errors.ts';
import { membershipFacts, userFacts } from './user-facts.ts';
import {
  findUserBy,
  insertTold,
  lockUser,
  signsInElsewhere,
  type User,
  type UserKey,
  type UserMembers,
  verifyEmail,
} from './users.store.ts';

const ID_ATTEMPTS = 5;

/** How somebody becomes a member. */
export type NewMember = {
  /** None: the role that new members get. */
  readonly roles: readonly WantedRole[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly inviterEmail: string | undefined;
  /** With a mail that the person has to answer; otherwise a member at once, with an address that the application vouches for. */
  readonly invite: boolean;
};

/**
 * Adds a person who is a member of an organization from the beginning.
 *
 * @throws {ApiError} not_found: no such organization; invalid_argument: address or external id are taken, or a role does not
 * exist; failed_precondition: one member too many
 */
export async function createUserAndMembership(
  ctx: Ctx,
  organizationId: string,
  person: { readonly address: EmailAddress; readonly members: UserMembers },
  member: NewMember,
): Promise<User> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx) => {
        const inside = withDb(ctx, tx);
        const organization = await heldOrganization(inside, organizationId);
        await checkSeat(inside, organization);
        if (member.invite) await checkInvitedDomain(inside, person.address.key);
        const roleIds = await firstRoleIds(
          inside,
          organizationId,
          member.roles,
          'user.membership.roles',
        );
        const user = await insertTold(tx, {
          environmentId: ctx.environmentId,
          id: newId(ctx, 'usr'),
          email: person.address.email,
          emailKey: person.address.key,
          verified: !member.invite,
          members: person.members,
          revocationSecret: ctx.random(32),
          now: ctx.now(),
        });
        await recordFor(inside, { type: 'user.created', userId: user.id, data: userFacts(user) });
        await enroll(inside, { organization, user, roleIds, member });
        return user;
      });
    } catch (error) {
      const duplicate = duplicateOf(error);
      if (duplicate) throw duplicate;
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/**
 * Makes a person whom the environment knows a member of an organization.
 *
 * @throws {ApiError} not_found: no such organization or person; invalid_argument: is a member already, or a role does not
 * exist; failed_precondition: one member too many
 */
export async function addMember(
  ctx: Ctx,
  organizationId: string,
  key: UserKey,
  member: NewMember,
): Promise<User> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const inside = withDb(ctx, tx);
      const organization = await heldOrganization(inside, organizationId);
      const roleIds = await firstRoleIds(inside, organizationId, member.roles, 'membership.roles');
      const found = await lockUser(tx, { environmentId, key });
      if (!found) throw noSuchUser();
      if (signsInElsewhere(found)) throw signsInElsewhereOnly();
      const known = await findMembership(tx, { environmentId, organizationId, userId: found.id });
      // Who is a member already is told so, also where there is no room for others.
      if (!known) {
        await checkSeat(inside, organization);
        await checkOtherMemberships(inside, { organizationId, userId: found.id });
      }
      const verified = member.invite || found.emailVerified;
      const by = { environmentId, id: found.id, now: ctx.now(), signedIn: false };
      const user = (verified ? undefined : await verifyEmail(tx, by)) ?? found;
      await enroll(inside, { organization, user, roleIds, member });
      return user;
    });
  } catch (error) {
    throw duplicateOf(error) ?? error;
  }
}

type Enrolment = {
  readonly organization: Organization;
  readonly user: User;
  readonly roleIds: readonly string[];
  readonly member: NewMember;
};

/** Membership with its roles, and what follows from it, in the transaction of the context. */
async function enroll(ctx: Ctx, { organization, user, roleIds, member }: Enrolment): Promise<void> {
  const { db, environmentId } = ctx;
  const key = { environmentId, organizationId: organization.id, userId: user.id };
  await insertMembership(db, {
    ...key,
    status: member.invite ? 'PENDING_INVITE' : 'ACTIVE',
    metadata: member.metadata,
    provisioningMethod: member.invite ? 'invitation' : 'api',
    now: ctx.now(),
  });
  await addMemberRoles(db, { ...key, roleIds });
  if (member.invite) {
    await invite(ctx, { organization, user, inviterEmail: member.inviterEmail });
    return;
  }
  const type = 'user.organization_membership_created';
  const data = membershipFacts(organization, user);
  await record(db, eventOf(ctx, { type, organizationId: organization.id, userId: user.id, data }));
}

/**
 * Changes a membership: the roles become those that are named, unless none is, and the metadata those that are sent, unless
 * none are.
 *
 * @throws {ApiError} not_found: no such organization, person or membership; invalid_argument: a role does not exist;
 * failed_precondition: the last administrator; permission_denied: see `checkCeiling`
 */
export async function changeMembership(
  ctx: Ctx,
  organizationId: string,
  key: UserKey,
  change: {
    readonly roles: readonly WantedRole[];
    readonly metadata: Readonly<Record<string, string>>;
  },
  ceiling: Ceiling,
): Promise<User> {
  const metadata = Object.keys(change.metadata).length > 0 ? change.metadata : undefined;
  const whose = { organizationId, key, ceiling };
  return await withMember(ctx, whose, async (inside, member) => {
    const { db } = inside;
    if (change.roles.length > 0) {
      const roleIds = await roleIdsOf(inside, organizationId, change.roles, 'membership.roles');
      await checkCeiling(inside, ceiling, roleIds);
      await addMemberRoles(db, { ...member.key, roleIds });
      await guardAdministrator(inside, member, roleIds);
      await keepMemberRoles(db, { ...member.key, roleIds });
    }
    if (change.roles.length === 0 && metadata === undefined) return false;
    await updateMembershipRow(db, { ...member.key, metadata, now: ctx.now() });
    return true;
  });
}

/**
 * Adds roles to those that a member has.
 *
 * @throws {ApiError} not_found: no such organization, person or membership; invalid_argument: a role does not exist;
 * permission_denied: see `checkCeiling`
 */
export async function assignRoles(
  ctx: Ctx,
  organizationId: string,
  userId: string,
  roles: readonly WantedRole[],
  ceiling: Ceiling,
): Promise<void> {
  const whose = { organizationId, key: { id: userId }, ceiling };
  await withMember(ctx, whose, async (inside, { key }) => {
    const roleIds = await roleIdsOf(inside, organizationId, roles, 'roles');
    await checkCeiling(inside, ceiling, roleIds);
    await addMemberRoles(inside.db, { ...key, roleIds });
    await updateMembershipRow(inside.db, { ...key, now: ctx.now() });
    return true;
  });
}

/**
 * Takes a role from a member, who must have it directly.
 *
 * @throws {ApiError} not_found: no such organization, person or membership, or the member does not have the role;
 * failed_precondition: the last administrator; permission_denied: see `checkCeiling`
 */
export async function withdrawRole(
  ctx: Ctx,
  organizationId: string,
  userId: string,
  roleName: string,
  ceiling: Ceiling,
): Promise<void> {
  const whose = { organizationId, key: { id: userId }, ceiling };
  await withMember(ctx, whose, async (inside, member) => {
    const name = roleName.toLowerCase();
    const role = member.membership.roles.find((one) => one.name.toLowerCase() === name);
    const left = member.membership.roles.flatMap(({ id }) => (id === role?.id ? [] : [id]));
    if (role) await guardAdministrator(inside, member, left);
    if (!role || !(await removeMemberRole(inside.db, { ...member.key, roleId: role.id })))
      throw new ApiError(
        'not_found',
        'ROLE_NOT_FOUND',
        `the user does not have the role "${roleName}"`,
      );
    await updateMembershipRow(inside.db, { ...member.key, now: ctx.now() });
    return true;
  });
}

type Member = {
  readonly key: {
    readonly environmentId: string;
    readonly organizationId: string;
    readonly userId: string;
  };
  readonly membership: Membership;
};

/** Runs a change of one membership, which nobody else changes meanwhile, and says so unless it was none. */
async function withMember(
  ctx: Ctx,
  whose: { readonly organizationId: string; readonly key: UserKey; readonly ceiling: Ceiling },
  change: (inside: Ctx, member: Member) => Promise<boolean>,
): Promise<User> {
  const { environmentId } = ctx;
  const { organizationId, ceiling } = whose;
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const organization = await heldOrganization(inside, organizationId);
    const user = await findUserBy(tx, { environmentId, key: whose.key });
    if (!user) throw noSuchUser();
    const key = { environmentId, organizationId, userId: user.id };
    if (!(await lockMembership(tx, key))) throw noSuchMember();
    const membership = await findMembership(tx, key);
    if (!membership) throw noSuchMember();
    const roleIds = membership.roles.map(({ id }) => id);
    await checkCeiling(inside, ceiling, roleIds);
    if (!(await change(inside, { key, membership }))) return user;
    const type = 'user.organization_membership_updated';
    const data = membershipFacts(organization, user);
    await record(tx, eventOf(ctx, { type, organizationId, userId: user.id, data }));
    return user;
  });
}

/** Asks only about members who lose a role. */
async function guardAdministrator(
  ctx: Ctx,
  { key, membership }: Member,
  kept: readonly string[],
): Promise<void> {
  const loses = membership.roles.some(({ id }) => !kept.includes(id));
  if (loses) await checkLastAdministrator(ctx, key, kept);
}
