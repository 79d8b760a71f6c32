import type { Caller } from '../http/callers.ts';
import { timestampOf } from '../http/timestamps.ts';
import { permissionsOfRoles } from '../roles/role-permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import {
  type MemberRole,
  type Membership,
  membershipsOfUsers,
  statusOf,
} from './memberships.store.ts';
import { profileId } from './user-facts.ts';
import type { User } from './users.store.ts';

/** Numbers of `scalekit.v1.commons.MembershipStatus`. */
const STATUS = { ACTIVE: 1, INACTIVE: 2, PENDING_INVITE: 3, INVITE_EXPIRED: 4 } as const;

/**
 * Where callers see memberships of others: people on the pages in the organization that the call is about and nowhere else, as
 * the other ones are other customers; absent: everywhere.
 */
export function viewOf(caller: Caller, organizationId: string): string | undefined {
  return caller.kind === 'session' ? organizationId : undefined;
}

/**
 * People as the contract has them, with their memberships: two statements, however many people.
 *
 * @param view the only organization whose membership is shown; absent: all are
 */
export async function userMessages(ctx: Ctx, users: readonly User[], view?: string) {
  const { db, environmentId } = ctx;
  const userIds = users.map(({ id }) => id);
  const all = await membershipsOfUsers(db, { environmentId, userIds });
  const memberships = all.filter((one) => view === undefined || one.organizationId === view);
  const active = memberships.filter(({ status }) => status === 'ACTIVE');
  const roleIds = [...new Set(active.flatMap(({ roles }) => roles.map(({ id }) => id)))];
  const granted =
    roleIds.length === 0
      ? []
      : await permissionsOfRoles(db, { environmentId, roleIds, inherited: true });
  const names = new Map<string, string[]>();
  for (const { roleId, name } of granted) names.set(roleId, [...(names.get(roleId) ?? []), name]);
  const byUser = Map.groupBy(memberships, ({ userId }) => userId);
  return users.map((user) => ({
    ...userMessage(ctx, user),
    memberships: (byUser.get(user.id) ?? []).map((membership) =>
      membershipMessage(membership, names, ctx.now()),
    ),
  }));
}

/** One person as the contract has them. */
export async function userWithMemberships(ctx: Ctx, user: User, view?: string) {
  const [message] = await userMessages(ctx, [user], view);
  return message ?? userMessage(ctx, user);
}

function userMessage({ environmentId }: Ctx, user: User) {
  const { givenName, familyName, name, locale, phoneNumber, preferredUsername, picture } = user;
  return {
    id: user.id,
    environmentId,
    createTime: timestampOf(user.createdAt),
    updateTime: timestampOf(user.updatedAt),
    email: user.email,
    ...(user.externalId !== undefined && { externalId: user.externalId }),
    metadata: user.metadata,
    ...(user.lastLoginAt && { lastLoginTime: timestampOf(user.lastLoginAt) }),
    userProfile: {
      id: profileId(user.id),
      givenName,
      familyName,
      // The older names of the two, which clients write and read back.
      firstName: givenName,
      lastName: familyName,
      name,
      locale,
      emailVerified: user.emailVerified,
      phoneNumber,
      phoneNumberVerified: user.phoneNumberVerified,
      metadata: user.profileMetadata,
      customAttributes: user.customAttributes,
      preferredUsername,
      picture,
      groups: [...user.groups],
      gender: user.gender,
    },
  };
}

function membershipMessage(
  membership: Membership,
  permissions: ReadonlyMap<string, readonly string[]>,
  now: Date,
) {
  const { status, roles, acceptedAt, inviterEmail, invitationExpiresAt } = membership;
  // Nobody may do anything in an organization before they belong to it.
  const effective = status === 'ACTIVE' ? roles.flatMap(({ id }) => permissions.get(id) ?? []) : [];
  return {
    organizationId: membership.organizationId,
    joinTime: timestampOf(acceptedAt ?? membership.createdAt),
    membershipStatus: STATUS[statusOf(membership, now)],
    roles: roles.map(memberRoleMessage),
    name: membership.organizationName,
    displayName: membership.organizationName,
    metadata: membership.metadata,
    createdAt: timestampOf(membership.createdAt),
    provisioningMethod: membership.provisioningMethod,
    permissions: [...new Set(effective)].sort(),
    ...(inviterEmail !== undefined && { inviterEmail }),
    ...(acceptedAt && { acceptedAt: timestampOf(acceptedAt) }),
    ...(invitationExpiresAt && { expiresAt: timestampOf(invitationExpiresAt) }),
  };
}

/** A role of a member as the contract has it. */
export function memberRoleMessage({ id, name, displayName }: MemberRole) {
  return { id, name, displayName };
}
