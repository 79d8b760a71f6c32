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
  NOTHING,
  type NoDirectory,
  noteEvent,
  noteSync,
  stored,
  textFault,
} from './directory-changes.ts';
import { deletedUserFacts, directoryUserFacts } from './directory-facts.ts';
import {
  belongingOf,
  type DirectoryUser,
  type DirectoryUserMembers,
  deleteDirectoryUser as deleteRow,
  findDirectoryUser,
  findDirectoryUserByName,
  insertDirectoryUser,
  updateDirectoryUser,
} from './directory-users.store.ts';

/** A directory has so many people. */
export const MOST_DIRECTORY_USERS = 1_000_000;

const ID_ATTEMPTS = 5;
const LONGEST_NAME = 256;
const MOST_EMAILS = 20;
const MOST_CUSTOM = 100;

/** A person as the provider has them now. With an id it is a change of that one, without one it is somebody new. */
export type DirectoryUserWrite = DirectoryUserMembers & { readonly id?: string | undefined };

export type DirectoryUserOutcome =
  | { readonly kind: 'created' | 'updated' | 'unchanged'; readonly user: DirectoryUser }
  /** There is no person of this id. */
  | { readonly kind: 'unknown' }
  /** This one has the user name already. */
  | { readonly kind: 'taken'; readonly user: DirectoryUser }
  | { readonly kind: 'too-many' }
  | Invalid
  | NoDirectory
  | DirectoryOff;

/**
 * Writes a person of a directory, and the event about it in the same transaction; none when nothing changed. Of two calls at
 * once for the same user name one finds it taken.
 */
export async function upsertDirectoryUser(
  ctx: Ctx,
  key: DirectoryKey,
  write: DirectoryUserWrite,
): Promise<DirectoryUserOutcome> {
  const invalid = faultOf(write);
  if (invalid) return invalid;
  const { id, ...given } = write;
  const members = { ...given, attributes: stored(given.attributes), raw: stored(given.raw) };
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

async function add(change: Change, members: DirectoryUserMembers): Promise<DirectoryUserOutcome> {
  const { ctx, tx, directory } = change;
  const existing = await findDirectoryUserByName(tx, { ...change, userName: members.userName });
  if (existing) return { kind: 'taken', user: existing };
  if (directory.totalUsers >= MOST_DIRECTORY_USERS) return { kind: 'too-many' };
  const user = await insertDirectoryUser(tx, { ...change, id: newId(ctx, 'diruser'), members });
  await noteSync(change, { users: { added: 1 } });
  await noteEvent(
    change,
    'user_created',
    directoryUserFacts(directory.organizationId, user, NOTHING),
  );
  return { kind: 'created', user };
}

async function replace(
  change: Change,
  id: string,
  members: DirectoryUserMembers,
): Promise<DirectoryUserOutcome> {
  const { tx, environmentId, directory } = change;
  const current = await findDirectoryUser(tx, { ...change, id });
  if (!current) return { kind: 'unknown' };
  if (isSame(current, members)) {
    await noteSync(change, {});
    return { kind: 'unchanged', user: current };
  }
  const namesake = await findDirectoryUserByName(tx, { ...change, userName: members.userName });
  if (namesake && namesake.id !== id) return { kind: 'taken', user: namesake };
  const user = await updateDirectoryUser(tx, { ...change, id, members });
  await noteSync(change, { users: { added: 0 } });
  const belonging = (await belongingOf(tx, { environmentId, userIds: [id] })).get(id) ?? NOTHING;
  await noteEvent(
    change,
    'user_updated',
    directoryUserFacts(directory.organizationId, user, belonging),
  );
  return { kind: 'updated', user };
}

/** Deletes a person of a directory, active or not, with their place in groups. */
export async function deleteDirectoryUser(
  ctx: Ctx,
  key: DirectoryKey,
  id: string,
): Promise<
  | { readonly kind: 'deleted'; readonly user: DirectoryUser }
  | { readonly kind: 'unknown' }
  | NoDirectory
  | DirectoryOff
> {
  return await byProvider(ctx, key, async (change) => {
    const user = await deleteRow(change.tx, { ...change, id });
    if (!user) return { kind: 'unknown' };
    await noteSync(change, { users: { added: -1 } });
    const { organizationId } = change.directory;
    await noteEvent(change, 'user_deleted', deletedUserFacts(organizationId, user));
    return { kind: 'deleted', user };
  });
}

function isSame(current: DirectoryUser, members: DirectoryUserMembers): boolean {
  const { userName, externalId, email, givenName, familyName, active, attributes, raw } = current;
  return isDeepStrictEqual(
    { userName, externalId, email, givenName, familyName, active, attributes, raw },
    { ...members, externalId: members.externalId },
  );
}

function faultOf(write: DirectoryUserWrite): Invalid | undefined {
  const { emails, custom_attributes: custom } = write.attributes;
  const faults: readonly (readonly [string, string | undefined])[] = [
    ['userName', textFault(write.userName, LONGEST_NAME, 1)],
    ['externalId', textFault(write.externalId ?? '', LONGEST_NAME)],
    ['email', textFault(write.email, LONGEST_NAME, 1)],
    ['givenName', textFault(write.givenName, LONGEST_NAME)],
    ['familyName', textFault(write.familyName, LONGEST_NAME)],
    ['emails', mostFault(emails, MOST_EMAILS)],
    ['customAttributes', mostFault(custom, MOST_CUSTOM)],
    ['attributes', jsonFault(write.attributes)],
    ['raw', jsonFault(write.raw)],
  ];
  const found = faults.find(([, detail]) => detail !== undefined);
  return found && { kind: 'invalid', field: found[0], detail: found[1] ?? '' };
}

function mostFault(value: unknown, most: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.keys(value).length > most ? `has more than ${most} entries` : undefined;
}
