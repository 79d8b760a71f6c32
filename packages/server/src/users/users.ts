import { isDeepStrictEqual } from 'node:util';
import { recordFor } from '../events/events.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { Db } from '../storage/db.ts';
import type { EmailAddress } from './email-address.ts';
import { duplicateOf } from './user-errors.ts';
import { userFacts } from './user-facts.ts';
import {
  findUserRow,
  insertUser,
  lockUser,
  noteProof,
  setUserEnabled,
  type User,
  type UserKey,
  type UserMembers,
  updateUser,
} from './users.store.ts';

export type { User } from './users.store.ts';

const ID_ATTEMPTS = 5;

/** A person by id, disabled ones too. */
export async function findUser(
  db: Db,
  by: { environmentId: string; id: string },
): Promise<User | undefined> {
  return await findUserRow(db, by);
}

/**
 * The person behind an address that was just proven: made now if there is none (FSA-21). Runs inside of the transaction that
 * used up the proof. The caller looks at `enabled`: only after the proof may a disabled person learn that.
 */
export async function provenUser(ctx: Ctx, proof: EmailAddress & { name: string }): Promise<User> {
  const { db, environmentId } = ctx;
  const now = ctx.now();
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const known = await noteProof(db, { environmentId, emailKey: proof.key, now });
    if (known) return known;
    const made = await insertUser(db, {
      environmentId,
      id: newId(ctx, 'usr'),
      email: proof.email,
      emailKey: proof.key,
      name: proof.name,
      revocationSecret: ctx.random(32),
      now,
    });
    if (made) {
      await recordFor(ctx, { type: 'user.created', userId: made.id, data: userFacts(made) });
      return made;
    }
  }
  throw new Error('a person could be neither found nor added');
}

/**
 * Changes what applications say of a person: `change` gives all members as they are from now on. Two changes at once come one
 * after the other, so that neither is lost; one that changes nothing leaves no trace.
 *
 * @returns undefined when there is no such person
 * @throws {ApiError} invalid_argument: another person has the external id
 */
export async function changeUser(
  ctx: Ctx,
  key: UserKey,
  change: (current: User) => UserMembers,
): Promise<User | undefined> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const current = await lockUser(tx, { environmentId, key });
      if (!current) return undefined;
      const members = change(current);
      if (isDeepStrictEqual({ ...current, ...members }, current)) return current;
      const { id } = current;
      const changed = await updateUser(tx, { environmentId, id, members, now: ctx.now() });
      await recordFor(withDb(ctx, tx), {
        type: 'user.updated',
        userId: id,
        data: userFacts(changed),
      });
      return changed;
    });
  } catch (error) {
    throw duplicateOf(error) ?? error;
  }
}

/** What ends with a person's access besides the row itself; slices below hand in what only they know. */
export type EndAccess = (ctx: Ctx, userId: string) => Promise<void>;

/**
 * Switches a person off, and in the same transaction ends what they hold: `endAccess` is given the transaction's context and
 * ends sessions and grants.
 *
 * @returns false when there is no such person
 */
export async function disableUser(ctx: Ctx, id: string, endAccess: EndAccess): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const by = { environmentId: ctx.environmentId, id };
    const changed = await setUserEnabled(tx, { ...by, enabled: false, now: ctx.now() });
    if (!changed && !(await findUserRow(tx, by))) return false;
    // Also when the person was off already: a call that is repeated finishes what an older version left.
    await endAccess(inside, id);
    if (changed) await recordFor(inside, { type: 'user.disabled', userId: id });
    return true;
  });
}

/** Lets a person sign in again; nothing that was ended comes back. */
export async function enableUser(ctx: Ctx, id: string): Promise<boolean> {
  return await ctx.db.transaction(async (tx) => {
    const by = { environmentId: ctx.environmentId, id };
    const changed = await setUserEnabled(tx, { ...by, enabled: true, now: ctx.now() });
    if (changed) await recordFor(withDb(ctx, tx), { type: 'user.enabled', userId: id });
    return changed || (await findUserRow(tx, by)) !== undefined;
  });
}
