import {
  createPublicKey,
  generateKeyPair as generateKeyPairCallback,
  type webcrypto,
} from 'node:crypto';
import { promisify } from 'node:util';
import { CompactSign, exportJWK, importPKCS8, type JWK } from 'jose';
import { recordFor } from '../events/events.ts';
import { ConfigError } from '../runtime/config.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import type { SecretRow } from '../runtime/secrets.ts';
import type { Db } from '../storage/db.ts';
import {
  insertSigningKey,
  lockSigningKeys,
  promoteNextKey,
  publishedKeys,
  retireCurrentKey,
  type SigningKeyRow,
  withdrawKeys,
} from './signing-keys.store.ts';

type KeyCtx = Pick<Ctx, 'db' | 'environmentId' | 'now' | 'secrets'>;
type KeySet = {
  readAt: number;
  rows: SigningKeyRow[];
  /** Kid and modulus of the rows whose public part was found to be their private part's. */
  proven: ReadonlySet<string>;
  current: { id: string; algorithm: string; key: webcrypto.CryptoKey };
};

/** Public from the first start on, so that clients which fetch the key set once live through rotations (AS-16). */
const FUTURE_KEYS = 2;
const REMEMBERED_MS = 10_000;
/** The longest access token plus one hour (AS-17), in milliseconds. */
const PUBLISHED_AFTER_RETIREMENT_MS = (86_400 + 3_600) * 1000;
const RSA_BITS = 2048;
const generateKeyPair = promisify(generateKeyPairCallback);

const keySets = new WeakMap<object, Map<string, KeySet>>();

/** No key can sign: the token endpoint answers 503, nothing is issued. */
export class KeyStoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'KeyStoreUnavailable';
  }
}

/** Makes sure that an environment has a current key and two future ones. Safe against several processes starting at once. */
export async function ensureSigningKeys(app: App, environmentId: string): Promise<void> {
  // Making RSA keys takes time, so they are made before the lock; a process that comes too late throws its own away.
  const missing = missingKeys(await publishedKeys(app.db, { environmentId, now: app.now() }));
  if (missing === 0) return;
  const made = await Promise.all(
    Array.from({ length: missing }, () => makeKey(app, environmentId)),
  );
  await app.db.transaction(async (tx) => {
    await lockSigningKeys(tx, environmentId);
    const now = app.now();
    const needed = missingKeys(await publishedKeys(tx, { environmentId, now }));
    for (const key of made.slice(0, needed))
      await insertSigningKey(tx, { ...key, environmentId, now });
    if (!(await publishedKeys(tx, { environmentId, now })).some((key) => key.state === 'current'))
      await promoteNextKey(tx, { environmentId, algorithm: 'RS256', now });
  });
  keySets.get(app.db)?.delete(environmentId);
}

/**
 * Makes the keys of an environment that is about to be added.
 *
 * @returns what writes them, to be called in the transaction that adds it
 */
export async function firstSigningKeys(
  app: Pick<App, 'now' | 'random' | 'secrets'>,
  environmentId: string,
): Promise<(tx: Db) => Promise<void>> {
  const made = await Promise.all(
    Array.from({ length: FUTURE_KEYS + 1 }, () => makeKey(app, environmentId)),
  );
  return async (tx) => {
    const now = app.now();
    for (const key of made) await insertSigningKey(tx, { ...key, environmentId, now });
    await promoteNextKey(tx, { environmentId, algorithm: 'RS256', now });
  };
}

/** The JWK Set of the environment (AS-14): current, future and recently retired keys; public members only. */
export async function publicKeySet(ctx: KeyCtx): Promise<{ keys: JWK[] }> {
  const { rows } = await keySetOf(ctx);
  return { keys: rows.map(publicJwkOf) };
}

/**
 * Signs a JWT with the environment's current key, off the event loop (AS-15).
 *
 * @throws {KeyStoreUnavailable} the key cannot be read
 */
export async function signJwt(
  ctx: KeyCtx,
  jwt: { typ: string; claims: Readonly<Record<string, unknown>> },
): Promise<string> {
  const { current } = await keySetOf(ctx);
  const payload = new TextEncoder().encode(JSON.stringify(jwt.claims));
  return await new CompactSign(payload)
    .setProtectedHeader({ alg: current.algorithm, kid: current.id, typ: jwt.typ })
    .sign(current.key);
}

/** Puts the next key, public since long before, in the place of the current one (AS-16, AS-17). */
export async function rotateSigningKey(
  ctx: Ctx,
): Promise<{ from: string | undefined; to: string }> {
  const fresh = await makeKey(ctx, ctx.environmentId);
  const now = ctx.now();
  const rotated = await ctx.db.transaction(async (tx) => {
    await lockSigningKeys(tx, ctx.environmentId);
    const from = await retireCurrentKey(tx, {
      environmentId: ctx.environmentId,
      algorithm: 'RS256',
      now,
      publishedUntil: new Date(now.getTime() + PUBLISHED_AFTER_RETIREMENT_MS),
    });
    const to = await promoteNextKey(tx, {
      environmentId: ctx.environmentId,
      algorithm: 'RS256',
      now,
    });
    if (to === undefined)
      throw new KeyStoreUnavailable('there is no future signing key to promote');
    await insertSigningKey(tx, { ...fresh, environmentId: ctx.environmentId, now });
    await recordFor({ ...ctx, db: tx }, { type: 'signing_key.rotated', data: { from, to } });
    return { from, to };
  });
  keySets.get(ctx.db)?.delete(ctx.environmentId);
  return rotated;
}

/** Withdraws the current and all future keys at once and makes new ones (AS-18). The caller tells verifiers through the revocation rows. */
export async function emergencyRotation(
  ctx: Ctx,
): Promise<{ withdrawn: string[]; current: string }> {
  const fresh = await Promise.all(
    Array.from({ length: FUTURE_KEYS + 1 }, () => makeKey(ctx, ctx.environmentId)),
  );
  const now = ctx.now();
  const result = await ctx.db.transaction(async (tx) => {
    await lockSigningKeys(tx, ctx.environmentId);
    const withdrawn = await withdrawKeys(tx, { environmentId: ctx.environmentId, now });
    for (const key of fresh)
      await insertSigningKey(tx, { ...key, environmentId: ctx.environmentId, now });
    const current = await promoteNextKey(tx, {
      environmentId: ctx.environmentId,
      algorithm: 'RS256',
      now,
    });
    if (current === undefined) throw new KeyStoreUnavailable('no signing key could be promoted');
    await recordFor(
      { ...ctx, db: tx },
      { type: 'signing_key.withdrawn', data: { withdrawn, current } },
    );
    return { withdrawn, current };
  });
  keySets.get(ctx.db)?.delete(ctx.environmentId);
  return result;
}

/** Reads the keys again at their next use: another process may have changed them. Imported private keys are kept by their id. */
export function forgetSigningKeys(db: object): void {
  for (const known of keySets.get(db)?.values() ?? []) known.readAt = Number.NEGATIVE_INFINITY;
}

/**
 * Proves at start that every key of an environment is its row's own and can be read (AS-150).
 *
 * @throws {ConfigError} one is not: it was swapped, changed, or written with another operator key
 */
export async function checkSigningKeys(app: App, environmentId: string): Promise<void> {
  keySets.get(app.db)?.delete(environmentId);
  const trouble = await signingTrouble({ ...app, environmentId });
  if (trouble !== undefined)
    throw new ConfigError(
      `${trouble}. Restore the table signing_keys, or withdraw its keys (docs/security/runbooks.md).`,
    );
}

/** Why no token could be signed now, for readiness; absent when one could. */
export async function signingTrouble(ctx: KeyCtx): Promise<string | undefined> {
  try {
    await keySetOf(ctx);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : 'the signing key cannot be loaded';
  }
}

async function keySetOf(ctx: KeyCtx): Promise<KeySet> {
  const remembered = keySets.get(ctx.db) ?? new Map<string, KeySet>();
  keySets.set(ctx.db, remembered);
  const now = ctx.now().getTime();
  const known = remembered.get(ctx.environmentId);
  if (known && now - known.readAt < REMEMBERED_MS && now >= known.readAt) return known;
  const rows = await publishedKeys(ctx.db, { environmentId: ctx.environmentId, now: ctx.now() });
  const proven = prove(ctx, rows, known?.proven);
  const row = rows.find((key) => key.state === 'current');
  if (!row) throw new KeyStoreUnavailable('the environment has no current signing key');
  // Importing a key costs more than signing with it.
  const current =
    known?.current.id === row.id
      ? known.current
      : { id: row.id, algorithm: row.algorithm, key: await importPrivateKey(ctx, row) };
  const fresh = { readAt: now, rows, proven, current };
  remembered.set(ctx.environmentId, fresh);
  return fresh;
}

async function importPrivateKey(ctx: KeyCtx, row: SigningKeyRow): Promise<webcrypto.CryptoKey> {
  return await importPKCS8(privatePem(ctx, row), row.algorithm);
}

/**
 * A public key is published only when it is that of the private key sealed in the same row (AS-150): whoever can write to the
 * database, and has not the operator key, can neither swap rows nor add a key of their own to the key set.
 */
function prove(
  ctx: KeyCtx,
  rows: readonly SigningKeyRow[],
  known: ReadonlySet<string> = new Set(),
): ReadonlySet<string> {
  const proven = rows.map((row) => {
    const { n, e } = publicJwkOf(row);
    const name = `${row.id} ${n} ${e}`;
    if (known.has(name)) return name;
    const own = createPublicKey(privatePem(ctx, row)).export({ format: 'jwk' });
    if (own.n !== n || own.e !== e)
      throw new KeyStoreUnavailable(`signing key ${row.id} is published with a foreign public key`);
    return name;
  });
  return new Set(proven);
}

function privatePem(ctx: KeyCtx, row: SigningKeyRow): string {
  const sealed = sealedRow(row.environmentId, row.id);
  try {
    return Buffer.from(ctx.secrets.open('keys-at-rest', sealed, row.sealedPrivateKey)).toString();
  } catch (cause) {
    throw new KeyStoreUnavailable(
      `signing key ${row.id} cannot be read with the configured GATEWARDEN_SECRET_KEY, or is not this row's`,
      { cause },
    );
  }
}

async function makeKey(
  app: Pick<App, 'now' | 'random' | 'secrets'>,
  environmentId: string,
): Promise<{
  id: string;
  algorithm: string;
  publicJwk: Record<string, unknown>;
  sealedPrivateKey: Uint8Array;
}> {
  const { publicKey, privateKey } = await generateKeyPair('rsa', { modulusLength: RSA_BITS });
  const id = newId(app, 'snk');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return {
    id,
    algorithm: 'RS256',
    publicJwk: { ...(await exportJWK(publicKey)) },
    sealedPrivateKey: app.secrets.seal(
      'keys-at-rest',
      sealedRow(environmentId, id),
      Buffer.from(pem),
    ),
  };
}

function sealedRow(environmentId: string, id: string): SecretRow {
  return { table: 'signing_keys', environmentId, id };
}

/** Member by member, so that nothing private can slip through. */
function publicJwkOf(row: SigningKeyRow): JWK {
  const { n, e } = row.publicJwk;
  if (typeof n !== 'string' || typeof e !== 'string')
    throw new KeyStoreUnavailable(`signing key ${row.id} has no public part`);
  return { kty: 'RSA', use: 'sig', alg: row.algorithm, kid: row.id, n, e };
}

function missingKeys(keys: readonly SigningKeyRow[]): number {
  const alive = keys.filter((key) => key.state === 'current' || key.state === 'future').length;
  return Math.max(0, FUTURE_KEYS + 1 - alive);
}
