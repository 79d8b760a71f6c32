import { type EventOf, eventOf, record } from '../events/events.ts';
import { isInUse } from '../roles/permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { isId, newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import { newApiKey } from './api-key-format.ts';
import {
  type ApiKey,
  type ApiKeyName,
  findLiveApiKey,
  insertApiKey,
  lockLiveApiKey,
  markApiKeyUsed,
  revokeApiKey as revokeRow,
  updateApiKey as updateRow,
} from './api-keys.store.ts';

export type { ApiKey } from './api-keys.store.ts';

const ID_ATTEMPTS = 5;
const HOUR_MS = 3_600_000;
/** Of one key. */
export const MOST_CLAIMS = 20;

export type ApiKeyInput = {
  readonly organizationId: string;
  readonly userId: string | undefined;
  readonly description: string;
  readonly customClaims: Readonly<Record<string, string>>;
  readonly expiresAt: Date | undefined;
};

/** Makes a key, readable only here. Undefined without such an organization, or when the person is no active member of it. */
export async function createApiKey(
  ctx: Ctx,
  input: ApiKeyInput,
): Promise<{ readonly key: string; readonly info: ApiKey } | undefined> {
  const key = newApiKey(ctx);
  const { environmentId } = ctx;
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'apit');
    const now = ctx.now();
    try {
      const info = await ctx.db.transaction(async (tx) => {
        const row = { ...input, environmentId, id, hash: sha256(key), suffix: key.slice(-4), now };
        if (!(await insertApiKey(tx, row))) return undefined;
        const added = await findLiveApiKey(tx, { environmentId, name: { id }, now });
        if (!added) throw new Error(`API key ${id} was not written`);
        await record(tx, eventOf(ctx, told('api_key.created', added)));
        return added;
      });
      return info && { key, info };
    } catch (error) {
      if (isInUse(error)) return undefined; // the membership or the organization ended at this moment
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/**
 * What a key stands for now. Undefined for one that is malformed, unknown, expired or revoked, or whose person is no active
 * member any more: all of it is looked up in the same way, so that the time says nothing.
 */
export async function validateApiKey(ctx: Ctx, presented: string): Promise<ApiKey | undefined> {
  const { environmentId } = ctx;
  const now = ctx.now();
  const name = nameOf(presented);
  const found = await findLiveApiKey(ctx.db, { environmentId, name, now });
  if (!found) return undefined;
  const { lastUsedAt } = found;
  // Who looks a key up by its id does not have the key.
  if ('hash' in name && (!lastUsedAt || now.getTime() - lastUsedAt.getTime() > HOUR_MS))
    await markApiKeyUsed(ctx.db, { environmentId, id: found.id, now });
  return found;
}

/** Ends a key at once, by the key or its id; again is no mistake. False when there is none. */
export async function revokeApiKey(ctx: Ctx, presented: string): Promise<boolean> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const name = nameOf(presented);
    const revoked = await revokeRow(tx, { environmentId, name, now: ctx.now() });
    if (revoked?.fresh) {
      const { id, organizationId, userId } = revoked;
      const data = { token_id: id, user_id: userId };
      await record(tx, eventOf(ctx, { type: 'api_key.revoked', organizationId, userId, data }));
    }
    return revoked !== undefined;
  });
}

/**
 * Changes a key that counts: `change` says what it becomes, given what it is, and may throw a refusal. Two changes at once come
 * one after the other. Undefined when there is no such key.
 */
export async function changeApiKey(
  ctx: Ctx,
  presented: string,
  change: (current: ApiKey) => Pick<ApiKey, 'description' | 'customClaims'>,
): Promise<ApiKey | undefined> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const now = ctx.now();
    const current = await lockLiveApiKey(tx, { environmentId, name: nameOf(presented), now });
    if (!current) return undefined;
    const changed = { ...current, ...change(current) };
    const { id, description, customClaims } = changed;
    await updateRow(tx, { environmentId, id, description, customClaims, now });
    await record(tx, eventOf(ctx, told('api_key.updated', changed)));
    return changed;
  });
}

/** Everything that is not an id is looked up as a key, whatever it looks like. */
function nameOf(presented: string): ApiKeyName {
  return isId(presented, 'apit') ? { id: presented } : { hash: sha256(presented) };
}

/** Neither the key nor its claims. */
function told(type: string, { id, organizationId, user, expiresAt }: ApiKey): EventOf {
  const data = { token_id: id, user_id: user?.id, expiry: expiresAt?.toISOString() };
  return { type, organizationId, userId: user?.id, data };
}
