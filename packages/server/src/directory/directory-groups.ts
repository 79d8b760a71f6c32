import { isDeepStrictEqual } from 'node:util';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import type { DirectoryKey } from './directories.store.ts';
import {
  byProvider,
  type Change,
  type DirectoryOff,
  type Invalid,
  jsonFault,
  type NoDirectory,
  noteEvent,
  noteSync,
  stored,
  textFault,
  withBelonging,
} from './directory-changes.ts';
import { groupFacts } from './directory-facts.ts';
import {
  type DirectoryGroup,
  type DirectoryGroupMembers,
  deleteDirectoryGroup as deleteRow,
  findDirectoryGroup,
  findDirectoryGroupByName,
  insertDirectoryGroup,
  knownMembers,
  listMemberIds,
  peopleBelow,
  updateDirectoryGroup,
  writeMembers,
} from './directory-groups.store.ts';

/** A directory has so many groups, and each of them so many members. */
export const MOST_DIRECTORY_GROUPS = 100_000;
export const MOST_GROUP_MEMBERS = 100_000;

const ID_ATTEMPTS = 5;
const LONGEST_NAME = 256;

/** A group as the provider has it now. With an id it is a change of that one, without one it is new. */
export type DirectoryGroupWrite = DirectoryGroupMembers & { readonly id?: string | undefined };

export type DirectoryGroupOutcome =
  | { readonly kind: 'created' | 'updated' | 'unchanged'; readonly group: DirectoryGroup }
  /** There is no group of this id. */
  | { readonly kind: 'unknown' }
  /** This one has the name already. */
  | { readonly kind: 'taken'; readonly group: DirectoryGroup }
  | { readonly kind: 'too-many' }
  | Invalid
  | NoDirectory
  | DirectoryOff;

/**
 * Writes a group of a directory, without its members, and the event about it in the same transaction; none when nothing
 * changed. Of two calls at once for the same name one finds it taken.
 */
export async function upsertDirectoryGroup(
  ctx: Ctx,
  key: DirectoryKey,
  write: DirectoryGroupWrite,
): Promise<DirectoryGroupOutcome> {
  const invalid = faultOf(write);
  if (invalid) return invalid;
  const { id, ...given } = write;
  const members = { ...given, raw: stored(given.raw) };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await byProvider(ctx, key, (change) =>
        id === undefined ? add(change, members) : replace(change, id, members),
      );
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

async function add(change: Change, members: DirectoryGroupMembers): Promise<DirectoryGroupOutcome> {
  const { ctx, tx, directory } = change;
  const { displayName } = members;
  const existing = await findDirectoryGroupByName(tx, { ...change, displayName });
  if (existing) return { kind: 'taken', group: existing };
  if (directory.totalGroups >= MOST_DIRECTORY_GROUPS) return { kind: 'too-many' };
  const group = await insertDirectoryGroup(tx, { ...change, id: newId(ctx, 'dirgroup'), members });
  await noteSync(change, { groups: { added: 1 } });
  await noteEvent(change, 'group_created', groupFacts(directory.organizationId, group));
  return { kind: 'created', group };
}

async function replace(
  change: Change,
  id: string,
  members: DirectoryGroupMembers,
): Promise<DirectoryGroupOutcome> {
  const { tx, directory, environmentId } = change;
  const current = await findDirectoryGroup(tx, { ...change, id });
  if (!current) return { kind: 'unknown' };
  const { displayName, externalId, raw } = current;
  if (
    isDeepStrictEqual(
      { displayName, externalId, raw },
      { ...members, externalId: members.externalId },
    )
  ) {
    await noteSync(change, {});
    return { kind: 'unchanged', group: current };
  }
  const namesake = await findDirectoryGroupByName(tx, {
    ...change,
    displayName: members.displayName,
  });
  if (namesake && namesake.id !== id) return { kind: 'taken', group: namesake };
  let group = current;
  const write = async (): Promise<void> => {
    group = await updateDirectoryGroup(tx, { ...change, id, members });
    await noteEvent(change, 'group_updated', groupFacts(directory.organizationId, group));
  };
  // Another name shows in what is said of each member, another id may make the group count or not.
  const people = await peopleBelow(tx, { environmentId, groupIds: [id] });
  const changed = await withBelonging(change, people, write);
  await noteSync(change, { groups: { added: 0 }, ...(changed > 0 && { users: { added: 0 } }) });
  return { kind: 'updated', group };
}

/** Deletes a group of a directory; its people lose what they had by it. */
export async function deleteDirectoryGroup(
  ctx: Ctx,
  key: DirectoryKey,
  id: string,
): Promise<
  | { readonly kind: 'deleted'; readonly group: DirectoryGroup }
  | { readonly kind: 'unknown' }
  | NoDirectory
  | DirectoryOff
> {
  return await byProvider(ctx, key, async (change) => {
    const { tx, environmentId, directory } = change;
    const group = await findDirectoryGroup(tx, { ...change, id });
    if (!group) return { kind: 'unknown' };
    const people = await peopleBelow(tx, { environmentId, groupIds: [id] });
    const changed = await withBelonging(change, people, async () => {
      await deleteRow(tx, { ...change, id });
      await noteEvent(change, 'group_deleted', groupFacts(directory.organizationId, group, true));
    });
    await noteSync(change, { groups: { added: -1 }, ...(changed > 0 && { users: { added: 0 } }) });
    return { kind: 'deleted', group };
  });
}

/** Exactly these members, or some more and some fewer. Ids of people and groups of the same directory. */
export type MemberChange =
  | { readonly set: readonly string[] }
  | { readonly add: readonly string[]; readonly remove: readonly string[] };

export type MemberOutcome =
  | { readonly kind: 'updated' | 'unchanged'; readonly group: DirectoryGroup }
  /** There is no group of this id. */
  | { readonly kind: 'unknown' }
  /** The directory has none of these. */
  | { readonly kind: 'unknown-members'; readonly ids: readonly string[] }
  | { readonly kind: 'too-many' }
  | NoDirectory
  | DirectoryOff;

/**
 * Changes who is in a group. Who is in already, or was not, changes nothing. Everybody whose groups or roles are others now has
 * an event of their own; two changes at once come one after the other.
 */
export async function setGroupMembers(
  ctx: Ctx,
  key: DirectoryKey,
  id: string,
  members: MemberChange,
): Promise<MemberOutcome> {
  return await byProvider(ctx, key, async (change) => {
    const { tx, environmentId } = change;
    const group = await findDirectoryGroup(tx, { ...change, id });
    if (!group) return { kind: 'unknown' };
    const current = new Set(await listMemberIds(tx, { environmentId, groupId: id }));
    const wanted = new Set('set' in members ? members.set : members.add);
    const added = [...wanted].filter((member) => !current.has(member));
    const known = await knownMembers(tx, { ...change, ids: added });
    const unknown = added.filter((member) => !known.has(member));
    if (unknown.length > 0) return { kind: 'unknown-members', ids: unknown };
    const removed =
      'set' in members
        ? [...current].filter((member) => !wanted.has(member))
        : [...new Set(members.remove)].filter(
            (member) => current.has(member) && !wanted.has(member),
          );
    if (current.size + added.length - removed.length > MOST_GROUP_MEMBERS)
      return { kind: 'too-many' };
    if (added.length === 0 && removed.length === 0) {
      await noteSync(change, {});
      return { kind: 'unchanged', group };
    }
    const touched = [...added, ...removed];
    const below = await peopleBelow(tx, {
      environmentId,
      groupIds: touched.filter((member) => member.startsWith('dirgroup_')),
    });
    const people = touched.filter((member) => member.startsWith('diruser_'));
    let written = group;
    const changed = await withBelonging(change, [...new Set([...people, ...below])], async () => {
      written = await writeMembers(tx, { ...change, id, added, removed });
    });
    await noteSync(change, { groups: { added: 0 }, ...(changed > 0 && { users: { added: 0 } }) });
    return { kind: 'updated', group: written };
  });
}

function faultOf(write: DirectoryGroupWrite): Invalid | undefined {
  const faults: readonly (readonly [string, string | undefined])[] = [
    ['displayName', textFault(write.displayName, LONGEST_NAME, 1)],
    ['externalId', textFault(write.externalId ?? '', LONGEST_NAME)],
    ['raw', jsonFault(write.raw)],
  ];
  const found = faults.find(([, detail]) => detail !== undefined);
  return found && { kind: 'invalid', field: found[0], detail: found[1] ?? '' };
}
