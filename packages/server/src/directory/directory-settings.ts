import { isStandardAttribute } from '../environments/user-attributes-standard.ts';
import { eventOf, record } from '../events/events.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import type { Db } from '../storage/db.ts';
import { type Ceiling, checkCeiling } from '../users/privilege-ceiling.ts';
import {
  type DirectoryKey,
  type LockedDirectory,
  lockDirectory,
  noteChange,
} from './directories.store.ts';
import { type Change, changeOf, withBelonging } from './directory-changes.ts';
import { groupsToRetrack, peopleBelow, retrackGroups } from './directory-groups.store.ts';
import {
  type AttributeMapping,
  knownAttributes,
  knownGroups,
  listRoleAssignments,
  type RoleAssignment,
  replaceAttributeMappings,
  replaceRoleAssignments,
  resolveRoles,
  selectGroups,
} from './directory-settings.store.ts';

/** A directory has so many of each. */
export const MOST_ASSIGNMENTS = 1000;
export const MOST_MAPPINGS = 100;
export const MOST_EXTERNAL_GROUPS = 10_000;

/** What is wrong with an entry of a list. */
export type EntryFault = {
  readonly kind: 'invalid';
  readonly index: number;
  readonly member: string;
  readonly detail: string;
};

/** A role for a group, by its name or by its id. */
export type RoleRequest = {
  readonly groupId: string;
  readonly roleName: string;
  readonly roleId: string | undefined;
};

/**
 * Says which roles groups have; all earlier assignments of the directory go. Everybody whose roles are others now is stamped and
 * has an event.
 *
 * @param ceiling what the caller may do, and so may give and take away; absent: everything
 * @throws {ApiError} permission_denied: a role that comes or goes permits more
 */
export async function assignRoles(
  ctx: Ctx,
  key: DirectoryKey,
  requests: readonly RoleRequest[],
  ceiling?: Ceiling,
): Promise<
  | { readonly kind: 'assigned'; readonly assignments: readonly RoleAssignment[] }
  | { readonly kind: 'unknown' }
  | EntryFault
> {
  return await changeSettings(ctx, key, 'directory.roles_assigned', async (change) => {
    const { tx, environmentId, directoryId, directory } = change;
    const ids = requests.map(({ groupId }) => groupId);
    const groups = await knownGroups(tx, { environmentId, directoryId, ids });
    const roles = await resolveRoles(tx, {
      environmentId,
      organizationId: directory.organizationId,
      names: requests.map(({ roleName }) => roleName),
      ids: requests.flatMap(({ roleId }) => roleId ?? []),
    });
    // An organization's own role comes last, and so takes the place of the environment's of the same name.
    const byName = new Map(roles.map((role) => [role.name.toLowerCase(), role]));
    const byId = new Map(roles.map((role) => [role.id, role]));
    const wanted = new Map<string, RoleAssignment>();
    for (const [index, { groupId, roleName, roleId }] of requests.entries()) {
      const role = roleId === undefined ? byName.get(roleName.toLowerCase()) : byId.get(roleId);
      if (!groups.has(groupId)) return fault(index, 'group_id', 'is no group of this directory');
      if (!role || role.name.toLowerCase() !== roleName.toLowerCase())
        return fault(index, 'role_name', 'is no role of the organization or the environment');
      wanted.set(`${groupId} ${role.id}`, { groupId, roleId: role.id, roleName: role.name });
    }
    const assignments = [...wanted.values()];
    const current = await listRoleAssignments(tx, { environmentId, directoryIds: [directoryId] });
    const had = new Set(current.map(({ groupId, roleId }) => `${groupId} ${roleId}`));
    const changed = [
      ...assignments.filter(({ groupId, roleId }) => !had.has(`${groupId} ${roleId}`)),
      ...current.filter(({ groupId, roleId }) => !wanted.has(`${groupId} ${roleId}`)),
    ];
    const roleIds = [...new Set(changed.map(({ roleId }) => roleId))];
    await checkCeiling(withDb(ctx, tx), ceiling, roleIds);
    const touched = changed.map(({ groupId }) => groupId);
    await forPeopleOf(change, touched, () =>
      replaceRoleAssignments(tx, { environmentId, directoryId, assignments }),
    );
    return { kind: 'assigned', assignments };
  });
}

/** Says which attributes of the provider fill which of ours; all earlier mappings of the directory go. */
export async function mapAttributes(
  ctx: Ctx,
  key: DirectoryKey,
  mappings: readonly AttributeMapping[],
): Promise<
  | { readonly kind: 'mapped'; readonly mappings: readonly AttributeMapping[] }
  | { readonly kind: 'unknown' }
  | EntryFault
> {
  return await changeSettings(
    ctx,
    key,
    'directory.attributes_mapped',
    async ({ tx, directory }) => await writeMappings(ctx, tx, directory, mappings),
  );
}

/** The same as a part of another change of a directory that is locked. */
export async function writeMappings(
  ctx: Ctx,
  tx: Db,
  { id: directoryId }: { readonly id: string },
  mappings: readonly AttributeMapping[],
): Promise<
  { readonly kind: 'mapped'; readonly mappings: readonly AttributeMapping[] } | EntryFault
> {
  const { environmentId } = ctx;
  const own = await knownAttributes(tx, {
    environmentId,
    keys: mappings.map(({ mapTo }) => mapTo),
  });
  const keys = new Map(own.map((key) => [key.toLowerCase(), key]));
  const written: (AttributeMapping & { own: boolean })[] = [];
  for (const [index, mapping] of mappings.entries()) {
    const standard = isStandardAttribute('directory', mapping.mapTo);
    const mapTo = standard ? mapping.mapTo : keys.get(mapping.mapTo.toLowerCase());
    if (mapTo === undefined) return fault(index, 'map_to', 'is no attribute of directory users');
    if (written.some((other) => other.mapTo === mapTo))
      return fault(index, 'map_to', 'is filled by another entry already');
    written.push({ ...mapping, mapTo, own: !standard });
  }
  await replaceAttributeMappings(tx, { environmentId, directoryId, mappings: written });
  return { kind: 'mapped', mappings: written };
}

/** Makes exactly these groups of the provider count, whether or not it has sent them yet. */
export async function trackGroups(
  ctx: Ctx,
  key: DirectoryKey,
  externalIds: readonly string[],
): Promise<{ readonly kind: 'tracked' } | { readonly kind: 'unknown' }> {
  return await changeSettings(ctx, key, 'directory.groups_selected', async (change) => {
    const { tx, environmentId, directoryId, stamp } = change;
    const groupIds = await groupsToRetrack(tx, { environmentId, directoryId, externalIds });
    await forPeopleOf(change, groupIds, async () => {
      await selectGroups(tx, { environmentId, directoryId, externalIds });
      await retrackGroups(tx, { environmentId, directoryId, stamp, ids: groupIds });
    });
    return { kind: 'tracked' };
  });
}

async function forPeopleOf(
  change: Change,
  groupIds: readonly string[],
  work: () => Promise<void>,
): Promise<void> {
  const { tx, environmentId, directoryId, stamp } = change;
  const people = await peopleBelow(tx, { environmentId, groupIds: [...new Set(groupIds)] });
  const changed = await withBelonging(change, people, work);
  const users = changed > 0 ? { added: 0 } : undefined;
  await noteChange(tx, {
    environmentId,
    id: directoryId,
    synced: { stamp, users, byProvider: false },
  });
}

/** Runs a change of a directory's settings in its turn; a refusal undoes what it did, as nothing was written before it. */
async function changeSettings<T extends { readonly kind: string }>(
  ctx: Ctx,
  key: DirectoryKey,
  type: string,
  work: (change: Change & { readonly directory: LockedDirectory }) => Promise<T>,
): Promise<T | { readonly kind: 'unknown' }> {
  return await ctx.db.transaction(async (tx) => {
    const directory = await lockDirectory(tx, key, ctx.now());
    if (!directory) return { kind: 'unknown' };
    const outcome = await work(changeOf(ctx, tx, directory));
    if (outcome.kind !== 'invalid') {
      const { organizationId } = directory;
      const data = { directory_id: directory.id };
      await record(tx, eventOf(ctx, { type, organizationId, data }));
    }
    return outcome;
  });
}

function fault(index: number, member: string, detail: string): EntryFault {
  return { kind: 'invalid', index, member, detail };
}
