import { isDeepStrictEqual } from 'node:util';
import { eventOf, record, recordEach } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Db } from '../storage/db.ts';
import {
  type DirectoryKey,
  type LockedDirectory,
  lockDirectory,
  noteChange,
  type Synced,
} from './directories.store.ts';
import { directoryUserFacts } from './directory-facts.ts';
import { type Belonging, belongingOf, touchDirectoryUsers } from './directory-users.store.ts';

/** A change of the people or groups of one directory, in its transaction. */
export type Change = {
  readonly ctx: Ctx;
  readonly tx: Db;
  readonly directory: LockedDirectory;
  readonly environmentId: string;
  readonly directoryId: string;
  readonly stamp: string;
};

/** The directory is gone, or belongs to another organization. */
export type NoDirectory = { readonly kind: 'unknown-directory' };
/** Nothing may be written to the directory while it is off. */
export type DirectoryOff = { readonly kind: 'disabled' };

/** Refused as the field has no acceptable value; what is wrong is said without the value. */
export type Invalid = { readonly kind: 'invalid'; readonly field: string; readonly detail: string };

/** How many rows one statement is about, where there may be many. */
const CHUNK = 500;

/**
 * Runs a change that the provider of a directory asks for. Changes of one directory take turns, so that limits hold and stamps
 * grow in the order in which others see them.
 */
export async function byProvider<T>(
  ctx: Ctx,
  key: DirectoryKey,
  work: (change: Change) => Promise<T>,
): Promise<T | NoDirectory | DirectoryOff> {
  return await ctx.db.transaction(async (tx) => {
    const directory = await lockDirectory(tx, key, ctx.now());
    if (!directory) return { kind: 'unknown-directory' };
    if (!directory.enabled) return { kind: 'disabled' };
    return await work(changeOf(ctx, tx, directory));
  });
}

export function changeOf(ctx: Ctx, tx: Db, directory: LockedDirectory): Change {
  const { environmentId } = ctx;
  const { id: directoryId, stamp } = directory;
  return { ctx, tx, directory, environmentId, directoryId, stamp };
}

/** Keeps the totals and stamps of the directory. */
export async function noteSync(
  { tx, environmentId, directoryId, stamp }: Change,
  synced: Pick<Synced, 'users' | 'groups'>,
): Promise<void> {
  await noteChange(tx, {
    environmentId,
    id: directoryId,
    synced: { ...synced, stamp, byProvider: true },
  });
}

/** Writes an event about a person or group of the directory. */
export async function noteEvent(
  { ctx, tx, directory }: Change,
  name: string,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  const type = `organization.directory.${name}`;
  const { organizationId } = directory;
  await record(tx, eventOf(ctx, { type, organizationId, data }));
}

/**
 * Does something that may change groups or roles of these people, then stamps those for whom it did and writes an event about
 * each. How many there were.
 */
export async function withBelonging(
  change: Change,
  userIds: readonly string[],
  work: () => Promise<void>,
): Promise<number> {
  const { ctx, tx, environmentId, directory } = change;
  const { organizationId } = directory;
  const before = new Map<string, Belonging>();
  for (const ids of chunks(userIds))
    for (const [id, had] of await belongingOf(tx, { environmentId, userIds: ids }))
      before.set(id, had);
  await work();
  let changed = 0;
  for (const userIdsOfChunk of chunks(userIds)) {
    const after = await belongingOf(tx, { environmentId, userIds: userIdsOfChunk });
    const ids = userIdsOfChunk.filter((id) => !isDeepStrictEqual(before.get(id), after.get(id)));
    if (ids.length === 0) continue;
    const users = await touchDirectoryUsers(tx, { ...change, ids });
    changed += users.length;
    const event = eventOf(ctx, { type: 'organization.directory.user_updated', organizationId });
    const data = users.map((user) =>
      directoryUserFacts(organizationId, user, after.get(user.id) ?? NOTHING),
    );
    await recordEach(tx, event, data);
  }
  return changed;
}

export const NOTHING: Belonging = { groups: [], roles: [] };

function chunks(ids: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (let from = 0; from < ids.length; from += CHUNK) parts.push(ids.slice(from, from + CHUNK));
  return parts;
}

const LONGEST_JSON = 65_536;

/** Why a part of what a provider sent cannot be stored; undefined when it can. */
export function jsonFault(value: unknown): string | undefined {
  let broken = false;
  const check = (text: unknown): void => {
    if (typeof text === 'string' && (text.includes('\0') || !text.isWellFormed())) broken = true;
  };
  const text = JSON.stringify(value, (name, part: unknown) => {
    check(name);
    check(part);
    return part;
  });
  if (broken) return 'must not have zero characters or halves of characters';
  return (text ?? '').length > LONGEST_JSON
    ? `has more than ${LONGEST_JSON} characters`
    : undefined;
}

/** Why a text cannot be stored; undefined when it can. */
export function textFault(value: string, longest: number, least = 0): string | undefined {
  if (value.includes('\0')) return 'must not have zero characters';
  if (value.length < least) return 'is missing';
  return value.length > longest ? `has more than ${longest} characters` : undefined;
}

/** The same value as it reads after it was stored as JSON. */
export function stored(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value)) as Record<string, unknown>; // an object went in
}
