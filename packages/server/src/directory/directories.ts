import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { type Db, isUniqueViolation } from '../storage/db.ts';
import {
  countLocked,
  type Directory,
  type DirectoryKey,
  type DirectoryMembers,
  type DirectoryProvider,
  type DirectoryType,
  deleteDirectory as deleteRow,
  insertDirectory,
  lockDirectory,
  updateDirectory,
} from './directories.store.ts';
import { directoryFacts } from './directory-facts.ts';

/** An organization has so many directories, of which one is enabled. */
export const MOST_DIRECTORIES = 20;

const ID_ATTEMPTS = 5;

const NAMES: Readonly<Record<DirectoryProvider, string>> = {
  DIRECTORY_PROVIDER_UNSPECIFIED: 'Directory',
  OKTA: 'Okta directory',
  GOOGLE: 'Google directory',
  MICROSOFT_AD: 'Microsoft Entra directory',
  AUTH0: 'Auth0 directory',
  ONELOGIN: 'OneLogin directory',
  JUMPCLOUD: 'JumpCloud directory',
  PING_IDENTITY: 'Ping Identity directory',
};

export type DirectoryOutcome =
  | { readonly kind: 'written'; readonly directory: Directory }
  /** There is no such organization or directory. */
  | { readonly kind: 'unknown' }
  /** Another directory of the organization is enabled. */
  | { readonly kind: 'other-enabled' }
  | { readonly kind: 'too-many' };

/** Adds a directory, enabled at once. */
export async function createDirectory(
  ctx: Ctx,
  by: { organizationId: string; type: DirectoryType; provider: DirectoryProvider },
): Promise<DirectoryOutcome> {
  const { environmentId } = ctx;
  for (let attempt = 1; ; attempt += 1) {
    const directory = {
      ...by,
      id: newId(ctx, 'dir'),
      name: NAMES[by.provider],
      enabled: true,
      status: 'DRAFT' as const,
    };
    try {
      return await ctx.db.transaction(async (tx) => {
        const others = await countLocked(tx, { environmentId, organizationId: by.organizationId });
        if (others === undefined) return { kind: 'unknown' };
        if (others >= MOST_DIRECTORIES) return { kind: 'too-many' };
        const added = await insertDirectory(tx, { environmentId, directory, now: ctx.now() });
        await noteSwitch(ctx, tx, added);
        return { kind: 'written', directory: added };
      });
    } catch (error) {
      if (isUniqueViolation(error, 'directories_enabled')) return { kind: 'other-enabled' };
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/**
 * Changes members of a directory. A switch from enabled to disabled or back is an event of its own kind, any other change one of
 * ours; what changes nothing leaves no trace. `also` is further work of the same change, which may throw a refusal; it says
 * whether it changed anything.
 */
export async function changeDirectory(
  ctx: Ctx,
  key: DirectoryKey,
  changes: Partial<DirectoryMembers>,
  also: (tx: Db, directory: Directory) => Promise<boolean> = async () => false,
): Promise<DirectoryOutcome> {
  try {
    return await ctx.db.transaction(async (tx) => {
      const current = await lockDirectory(tx, key, ctx.now());
      if (!current) return { kind: 'unknown' };
      const members = { ...current, ...changes };
      const further = await also(tx, current);
      const differs = (['name', 'provider', 'status'] as const).some(
        (name) => members[name] !== current[name],
      );
      const switched = members.enabled !== current.enabled;
      if (!differs && !switched && !further) return { kind: 'written', directory: current };
      const changed = await updateDirectory(tx, { key, members, now: ctx.now() });
      if (switched) await noteSwitch(ctx, tx, changed);
      if (differs || further) await noteOwn(ctx, tx, 'directory.updated', changed);
      return { kind: 'written', directory: changed };
    });
  } catch (error) {
    if (isUniqueViolation(error, 'directories_enabled')) return { kind: 'other-enabled' };
    throw error;
  }
}

/** Deletes a directory with its people, groups and secrets. False when there is none. */
export async function deleteDirectory(ctx: Ctx, key: DirectoryKey): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteRow(tx, key);
    if (!deleted) return false;
    const updatedAt = ctx.now();
    if (deleted.enabled) await noteSwitch(ctx, tx, { ...deleted, enabled: false, updatedAt });
    await noteOwn(ctx, tx, 'directory.deleted', { ...deleted, enabled: false, updatedAt });
    return true;
  });
}

async function noteSwitch(ctx: Ctx, tx: Db, directory: Directory): Promise<void> {
  const type = `organization.directory_${directory.enabled ? 'enabled' : 'disabled'}`;
  await noteOwn(ctx, tx, type, directory);
}

async function noteOwn(ctx: Ctx, tx: Db, type: string, directory: Directory): Promise<void> {
  const { organizationId } = directory;
  await record(tx, eventOf(ctx, { type, organizationId, data: directoryFacts(directory) }));
}
