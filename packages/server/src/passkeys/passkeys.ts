import { eventOf, record } from '../events/events.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import {
  deletePasskeyRow,
  insertPasskey,
  type Passkey,
  type PasskeyKey,
  renamePasskeyRow,
} from './passkeys.store.ts';

export type { Passkey } from './passkeys.store.ts';

const ID_ATTEMPTS = 5;

/** What a registration has proven (WebAuthn section 7.1). */
export type NewPasskey = Omit<Passkey, 'id' | 'createdAt' | 'updatedAt' | 'address' | 'userAgent'>;

/**
 * Adds a passkey that a registration has proven, made in the browser of this request.
 *
 * @returns `known` when the credential exists, of whomever (WebAuthn section 7.1, step 26); `too-many` when the person has 100
 * @throws foreign key violation: there is no such person
 */
export async function addPasskey(
  ctx: Ctx,
  by: NewPasskey,
): Promise<
  | { readonly kind: 'added'; readonly passkey: Passkey }
  | { readonly kind: 'known' }
  | { readonly kind: 'too-many' }
> {
  const { address, userAgent } = ctx.network;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ctx.db.transaction(async (tx) => {
        const passkey = { ...by, id: newId(ctx, 'cred'), address, userAgent };
        const { environmentId } = ctx;
        const added = await insertPasskey(tx, { environmentId, passkey, now: ctx.now() });
        if (!added) return { kind: 'too-many' };
        await note(withDb(ctx, tx), 'passkey.added', added);
        return { kind: 'added', passkey: added };
      });
    } catch (error) {
      if (isUniqueViolation(error, 'passkeys_by_credential')) return { kind: 'known' };
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

type Named = Omit<PasskeyKey, 'environmentId'>;

/** Undefined when there is no such passkey. */
export async function renamePasskey(
  ctx: Ctx,
  by: Named & { readonly displayName: string },
): Promise<Passkey | undefined> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const renamed = await renamePasskeyRow(tx, { ...by, environmentId, now: ctx.now() });
    if (renamed) await note(withDb(ctx, tx), 'passkey.renamed', renamed);
    return renamed;
  });
}

/** Deletes a passkey: nobody signs in with it any more. Undefined when there is none. */
export async function deletePasskey(ctx: Ctx, by: Named): Promise<Passkey | undefined> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deletePasskeyRow(tx, { ...by, environmentId });
    if (deleted) await note(withDb(ctx, tx), 'passkey.deleted', deleted);
    return deleted;
  });
}

async function note(ctx: Ctx, type: string, { id, userId, displayName }: Passkey): Promise<void> {
  await record(ctx.db, eventOf(ctx, { type, userId, data: { id, display_name: displayName } }));
}
