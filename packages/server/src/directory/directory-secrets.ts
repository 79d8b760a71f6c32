import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { isId, newId, newSecret } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import { type DirectoryKey, lockDirectory, updateDirectory } from './directories.store.ts';
import {
  type DirectorySecret,
  endDirectorySecrets,
  forgetDirectorySecrets,
  insertDirectorySecret,
  listDirectorySecrets,
  useDirectorySecret,
} from './directory-secrets.store.ts';

/** So many secrets of a directory are valid at once: the one in use, and the one that takes its place. */
export const MOST_VALID_SECRETS = 2;

const ID_ATTEMPTS = 5;
const LIFETIME_MS = 365 * 24 * 60 * 60 * 1000;
const ENDED_KEPT = 8;
const LONGEST_SECRET = 200;

export type SecretOutcome =
  | { readonly kind: 'created'; readonly plain: string; readonly secret: DirectorySecret }
  | { readonly kind: 'unknown' }
  /** People are fetched from the provider, which proves nothing to us. */
  | { readonly kind: 'not-scim' }
  /** Two are valid, and the newer one was never used: whichever ended might be the one in use. */
  | { readonly kind: 'too-many' };

/**
 * A further secret of a directory, readable only here and valid for a year. Beside one that is in use it is valid as well, so
 * that the provider can change over; when two are and the newer one has been used, the older one ends. `alone` ends all others
 * at once instead, for when one has leaked.
 */
export async function createDirectorySecret(
  ctx: Ctx,
  key: DirectoryKey,
  { alone }: { readonly alone: boolean },
): Promise<SecretOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const plain = `scim_${newSecret(ctx)}`;
    const id = newId(ctx, 'sec');
    try {
      return await ctx.db.transaction((tx) => add({ ...ctx, db: tx }, key, { id, plain, alone }));
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

async function add(
  ctx: Ctx,
  key: DirectoryKey,
  by: { readonly id: string; readonly plain: string; readonly alone: boolean },
): Promise<SecretOutcome> {
  const { db, environmentId } = ctx;
  const { id: directoryId, organizationId } = key;
  const now = ctx.now();
  const directory = await lockDirectory(db, key, now);
  if (!directory) return { kind: 'unknown' };
  if (directory.type !== 'SCIM') return { kind: 'not-scim' };
  const all = await listDirectorySecrets(db, { environmentId, directoryIds: [directoryId], now });
  const valid = all.filter((secret) => secret.valid);
  const full = valid.length >= MOST_VALID_SECRETS;
  if (!by.alone && full && !valid[0]?.lastUsedAt) return { kind: 'too-many' };
  const ended = (by.alone ? valid : full ? valid.slice(MOST_VALID_SECRETS - 1) : []).map(
    ({ id }) => id,
  );
  await endDirectorySecrets(db, { environmentId, directoryId, ids: ended });
  await forgetDirectorySecrets(db, { environmentId, directoryId, keep: ENDED_KEPT, now });
  const secret = await insertDirectorySecret(db, {
    environmentId,
    directoryId,
    id: by.id,
    hash: sha256(by.plain),
    suffix: by.plain.slice(-4),
    expiresAt: new Date(now.getTime() + LIFETIME_MS),
    now,
  });
  if (directory.status === 'DRAFT')
    await updateDirectory(db, { key, members: { ...directory, status: 'IN_PROGRESS' }, now });
  const data = { directory_id: directoryId, secret_id: secret.id, ended };
  await record(db, eventOf(ctx, { type: 'directory.secret_created', organizationId, data }));
  return { kind: 'created', plain: by.plain, secret };
}

/**
 * The directory that a provider proves to speak for. Undefined for a secret that is malformed, ended, expired or of another
 * directory; whether the directory is enabled is asked when something is written.
 */
export async function proveDirectory(
  ctx: Ctx,
  directoryId: string,
  plain: string,
): Promise<DirectoryKey | undefined> {
  if (!isId(directoryId, 'dir') || plain.length > LONGEST_SECRET) return undefined;
  const { environmentId } = ctx;
  const found = await useDirectorySecret(ctx.db, {
    environmentId,
    directoryId,
    hash: sha256(plain),
    now: ctx.now(),
  });
  return found && { environmentId, organizationId: found.organizationId, id: directoryId };
}
