import { recordFor } from '../events/events.ts';
import { mattersUntil } from '../grants/revocation-handles.ts';
import { revokeKeys } from '../grants/revocations.store.ts';
import { emergencyRotation, forgetSigningKeys } from '../keys/signing-keys.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { listKeys, type SigningKeyEntry, withdrawRetiredKeys } from './keys.store.ts';

export type { SigningKeyEntry } from './keys.store.ts';

export type WithdrawnKeys = { readonly withdrawn: readonly string[]; readonly current: string };

/**
 * Emergency rotation (AS-18): every key that anybody can verify with at this moment goes out of use and out of the key set, and
 * the verifiers of every MCP server are told, in the same transaction. Keys that had been retired and were still published go
 * too: whoever copied the signing keys has those as well.
 */
export async function withdrawSigningKeys(ctx: Ctx): Promise<WithdrawnKeys> {
  const now = ctx.now();
  const result = await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const { environmentId } = ctx;
    const { withdrawn, current } = await emergencyRotation(inside);
    const retired = await withdrawRetiredKeys(tx, { environmentId, now });
    if (retired.length > 0)
      await recordFor(inside, {
        type: 'signing_key.withdrawn',
        data: { withdrawn: retired, current },
      });
    const kids = [...withdrawn, ...retired];
    await revokeKeys(tx, { environmentId, kids, until: mattersUntil(now), now });
    return { withdrawn: kids, current };
  });
  forgetSigningKeys(ctx.db);
  return result;
}

/** The environment's signing keys, withdrawn ones too. */
export async function listSigningKeys(ctx: Ctx): Promise<SigningKeyEntry[]> {
  return await listKeys(ctx.db, ctx.environmentId);
}
