import { environmentOf } from '../environments/environments.ts';
import { eventOf, record, recordAbout } from '../events/events.ts';
import {
  deleteOrganization,
  findOrganizations,
  lockOrganization,
  type OrganizationKey,
} from '../organizations/organizations.store.ts';
import { organizationFacts } from '../organizations/organizations.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { checkLastAdministrator, heldOrganization } from '../users/membership-rules.ts';
import { findMembership, membershipsOfUser } from '../users/memberships.store.ts';
import { type Ceiling, checkCeiling } from '../users/privilege-ceiling.ts';
import { noSuchMember, noSuchUser } from '../users/user-errors.ts';
import { membershipFacts } from '../users/user-facts.ts';
import { findUserBy, type User, type UserKey } from '../users/users.store.ts';
import {
  deleteMembershipRow,
  deletePeople,
  endSessionsInOrganization,
  lockMembers,
  lockPeople,
  withoutOtherMembership,
} from './deletions.store.ts';
import { endGrantRowsInOrganization, endGrantRowsOfUsers } from './grants.store.ts';

const DELETED = 'user-deleted';
const LEFT = 'membership-deleted';
const CLOSED = 'organization-deleted';

/**
 * Deletes a person with everything they hold (FSA-67): sessions, what they allowed to clients, access tokens included, and
 * memberships with their API keys. What is left is the id, in the audit log and in grants that have ended.
 *
 * @throws {ApiError} not_found
 */
export async function deleteUser(ctx: Ctx, key: UserKey): Promise<void> {
  const { environmentId } = ctx;
  await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const user = await lockedUser(inside, key);
    const memberships = await membershipsOfUser(tx, { environmentId, userId: user.id });
    const ids = memberships.map(({ organizationId }) => organizationId);
    const organizations = await findOrganizations(tx, { environmentId, ids });
    await recordAbout(
      tx,
      eventOf(ctx, { type: 'user.organization_membership_deleted' }),
      organizations.map((organization) => ({
        userId: user.id,
        organizationId: organization.id,
        data: membershipFacts(organization, user),
      })),
    );
    await forget(inside, [user.id], DELETED);
  });
}

/**
 * Ends a membership: its roles, sessions, grants and API keys in that organization. Whoever has no other one is deleted, unless
 * the environment keeps such people or the call says not to (FSA-66).
 *
 * @throws {ApiError} not_found: no such organization, person or membership; failed_precondition: the last administrator;
 * permission_denied: see `checkCeiling`
 */
export async function removeMember(
  ctx: Ctx,
  organizationId: string,
  key: UserKey,
  { cascade, ceiling }: { readonly cascade: boolean; readonly ceiling: Ceiling },
): Promise<void> {
  const { environmentId } = ctx;
  await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const organization = await heldOrganization(inside, organizationId);
    const user = await lockedUser(inside, key);
    const userIds = [user.id];
    const member = { environmentId, organizationId, userId: user.id };
    const roles = ceiling ? ((await findMembership(tx, member))?.roles ?? []) : [];
    await checkCeiling(
      inside,
      ceiling,
      roles.map(({ id }) => id),
    );
    await checkLastAdministrator(inside, member, []);
    if (!(await deleteMembershipRow(tx, member))) throw noSuchMember();
    const type = 'user.organization_membership_deleted';
    const data = membershipFacts(organization, user);
    await record(tx, eventOf(ctx, { type, organizationId, userId: user.id, data }));
    const orphans = await orphansOf(inside, organizationId, cascade ? userIds : []);
    if (orphans.length > 0) {
      await forget(inside, orphans, LEFT);
      return;
    }
    const by = { environmentId, organizationId, userIds, because: LEFT, now: ctx.now() };
    await endSessionsInOrganization(tx, by);
    await endGrantRowsInOrganization(tx, by);
  });
}

/**
 * Deletes an organization with all that is its own, which goes by foreign keys, and the people who have no other one (FSA-59).
 * The number of statements does not depend on how many people there are.
 *
 * @returns false when there is none
 */
export async function removeOrganization(ctx: Ctx, key: OrganizationKey): Promise<boolean> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const organization = await lockOrganization(tx, { environmentId, key });
    if (!organization) return false;
    const organizationId = organization.id;
    const userIds = await lockMembers(tx, { environmentId, organizationId });
    if (userIds.length > 0) {
      const by = { environmentId, organizationId, userIds, because: CLOSED, now: ctx.now() };
      await endSessionsInOrganization(tx, by);
      await endGrantRowsInOrganization(tx, by);
      await forget(inside, await orphansOf(inside, organizationId, userIds), CLOSED);
    }
    await deleteOrganization(tx, { environmentId, key: { id: organizationId } });
    const data = { ...organizationFacts(organization), deleted_at: ctx.now().toISOString() };
    await record(tx, eventOf(ctx, { type: 'organization.deleted', organizationId, data }));
    return true;
  });
}

/** The person, whom nobody else gives or takes anything until the transaction ends. */
async function lockedUser(ctx: Ctx, key: UserKey): Promise<User> {
  const { db, environmentId } = ctx;
  const found = await findUserBy(db, { environmentId, key });
  if (!found) throw noSuchUser();
  await lockPeople(db, { environmentId, userIds: [found.id] });
  const user = await findUserBy(db, { environmentId, key: { id: found.id } });
  if (!user) throw noSuchUser();
  return user;
}

async function orphansOf(
  ctx: Ctx,
  organizationId: string,
  userIds: readonly string[],
): Promise<string[]> {
  const { settings } = await environmentOf(ctx);
  if (!settings.deleteOrphanUsers || userIds.length === 0) return [];
  const { db, environmentId } = ctx;
  return await withoutOtherMembership(db, { environmentId, organizationId, userIds });
}

/** Ends what locked people hold, deletes them and says so; of who they were the event says nothing. */
async function forget(ctx: Ctx, userIds: readonly string[], because: string): Promise<void> {
  if (userIds.length === 0) return;
  const by = { environmentId: ctx.environmentId, userIds, because, now: ctx.now() };
  await endGrantRowsOfUsers(ctx.db, by);
  await deletePeople(ctx.db, by);
  const event = eventOf(ctx, { type: 'user.deleted', reason: because });
  await recordAbout(
    ctx.db,
    event,
    userIds.map((userId) => ({ userId, data: { id: userId } })),
  );
}
