import { type CryptoKey, importJWK, type JWK } from 'jose';
import { keyFits, type SigningAlgorithm } from './algorithms.ts';
import { ConfigurationError } from './errors.ts';
import type { Runtime } from './runtime/defaults.ts';
import { fetchJson } from './runtime/limited-fetch.ts';
import { waitAtMost } from './runtime/timers.ts';
import { isRecord } from './strict-json.ts';

type KeyLookup =
  | { readonly kind: 'found'; readonly key: CryptoKey }
  /** Not in the set, and the set is as new as the limits allow. */
  | { readonly kind: 'unknown' }
  /** No usable set, or it could not be brought up to date: says nothing about the token (RS-31). */
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number };

/** The keys of one issuer. The same `CryptoKey` is returned for as long as the key stays published. */
export type IssuerKeys = {
  /** The key, if it was found before and its set needs no renewal: nothing to wait for. */
  serving(algorithm: SigningAlgorithm, keyId: string | undefined): CryptoKey | undefined;
  /** `document`: asked for a revocation feed, which may name a key of this very moment (AS-18). */
  find(
    algorithm: SigningAlgorithm,
    keyId: string | undefined,
    asked?: 'token' | 'document',
  ): Promise<KeyLookup>;
  state(): KeySetState;
};

export type KeySetState = {
  /** Milliseconds since 1970; undefined for a fixed set, and before the first one arrived. */
  readonly loadedAt: number | undefined;
  /** How the last fetch ended; undefined when there was none. */
  readonly reachable: boolean | undefined;
};

const second = 1_000;
const shortestLife = 300 * second;
const longestLife = 3_600 * second;
const usableAtMost = 24 * 3_600 * second;
const betweenFetches = 30 * second;
const betweenFetchesWithoutKeys = 5 * second;
const betweenFetchesForDocuments = 2 * second;
/** How long a request waits for a newer set while the known one still serves. */
const patienceMs = 250;
const keyLimit = 100;

type PublishedKey = {
  readonly jwk: JWK;
  readonly text: string;
  readonly imported: Map<string, Promise<CryptoKey>>;
};

/**
 * A fixed key set, for tests and for servers that cannot reach their issuer (RS-34).
 *
 * @throws {ConfigurationError} invalid_option: not a key set, or an empty one
 */
export function staticKeys(document: unknown): IssuerKeys {
  const keys = publishedKeys(document, []);
  if (!keys)
    throw new ConfigurationError('invalid_option', 'keys must be a JSON Web Key Set with keys');
  const found = foundKeys();
  return {
    serving: found.get,
    find: (algorithm, keyId) => found.remember(algorithm, keyId, pick(keys, algorithm, keyId)),
    state: () => ({ loadedAt: undefined, reachable: undefined }),
  };
}

/**
 * The key set of an issuer, fetched when first needed (RS-30, RS-31). It is kept for `max-age`, at least
 * 5 minutes and at most 1 hour. An unknown key id causes one more fetch, at most one in 30 seconds and
 * one at a time. When the issuer cannot be reached the known keys serve for up to 24 hours; a set that is
 * due for renewal goes on serving while the new one is fetched, so that an issuer that hangs delays
 * nobody for long, and after the first time nobody at all.
 */
export function fetchedKeys(
  runtime: Runtime,
  locate: () => Promise<string | undefined>,
): IssuerKeys {
  let keys: readonly PublishedKey[] = [];
  let lifetime = 0;
  let loadedAt: number | undefined;
  let triedAt: number | undefined;
  let lastFailed = false;
  let running: Promise<void> | undefined;
  let found = foundKeys();

  async function load(): Promise<void> {
    triedAt = runtime.nowMs();
    const url = await locate();
    const fetched = url === undefined ? undefined : await fetchJson(runtime.fetch, url);
    const next = fetched?.kind === 'ok' ? publishedKeys(fetched.value, keys) : undefined;
    lastFailed = next === undefined;
    if (next === undefined || fetched?.kind !== 'ok') {
      const reason = fetched?.kind === 'failed' ? fetched.reason : 'no usable key or no address';
      runtime.log({
        level: 'warn',
        event: 'keys_unavailable',
        message: `key set not fetched: ${reason}`,
      });
      return;
    }
    keys = next;
    found = foundKeys();
    loadedAt = triedAt;
    lifetime = Math.min(
      Math.max((fetched.maxAgeSeconds ?? 3_600) * second, shortestLife),
      longestLife,
    );
  }

  /** Milliseconds until the next fetch is allowed. */
  function pause(asked?: 'token' | 'document'): number {
    if (asked === 'document') return Math.max(0, betweenFetchesForDocuments - since(triedAt));
    const limit = loadedAt === undefined ? betweenFetchesWithoutKeys : betweenFetches;
    return Math.max(0, limit - since(triedAt));
  }

  /** A clock that was set back counts as a long time, so that it cannot freeze an old set. */
  function since(moment: number | undefined): number {
    const passed = moment === undefined ? -1 : runtime.nowMs() - moment;
    return passed < 0 ? Number.POSITIVE_INFINITY : passed;
  }

  async function refresh(asked?: 'token' | 'document'): Promise<void> {
    if (!running && pause(asked) > 0) return;
    running ??= load().finally(() => {
      running = undefined;
    });
    await running;
  }

  /** Brings an old set up to date; only without usable keys does anybody wait to the end. */
  async function renew(): Promise<void> {
    const work = refresh().catch(() => undefined); // a log that throws must not end the process
    if (since(loadedAt) > usableAtMost) return work;
    if (lastFailed) return;
    await waitAtMost(work, patienceMs);
    lastFailed ||= running !== undefined;
  }

  return {
    serving: (algorithm, keyId) =>
      since(loadedAt) > lifetime ? undefined : found.get(algorithm, keyId),
    async find(algorithm, keyId, asked) {
      if (since(loadedAt) > lifetime) await renew();
      const unavailable = (): KeyLookup => ({
        kind: 'unavailable',
        retryAfterSeconds: Math.max(1, Math.ceil(pause() / second)),
      });
      if (since(loadedAt) > usableAtMost) return unavailable();
      const known = await found.remember(algorithm, keyId, pick(keys, algorithm, keyId));
      if (known.kind === 'found') return known;
      await refresh(asked);
      const renewed = await found.remember(algorithm, keyId, pick(keys, algorithm, keyId));
      // After a failed fetch nobody can say whether the key exists; a 401 would cost clients their tokens.
      return renewed.kind === 'unknown' && lastFailed ? unavailable() : renewed;
    },
    state: () => ({
      loadedAt,
      reachable: triedAt === undefined ? undefined : !lastFailed,
    }),
  };
}

type FoundKeys = {
  readonly get: (algorithm: SigningAlgorithm, keyId: string | undefined) => CryptoKey | undefined;
  readonly remember: (
    algorithm: SigningAlgorithm,
    keyId: string | undefined,
    lookup: Promise<KeyLookup>,
  ) => Promise<KeyLookup>;
};

/** What was found in one set. Only keys of the set are remembered, so it stays as small as the set. */
function foundKeys(): FoundKeys {
  const found = new Map<SigningAlgorithm, Map<string | undefined, CryptoKey>>();
  return {
    get: (algorithm, keyId) => found.get(algorithm)?.get(keyId),
    async remember(algorithm, keyId, lookup) {
      const looked = await lookup;
      if (looked.kind !== 'found') return looked;
      const keys = found.get(algorithm) ?? new Map<string | undefined, CryptoKey>();
      found.set(algorithm, keys.set(keyId, looked.key));
      return looked;
    },
  };
}

/** Reads a key set; entries nobody can use are skipped (RS-33). A key that stays keeps its imported form. */
function publishedKeys(
  document: unknown,
  before: readonly PublishedKey[],
): PublishedKey[] | undefined {
  if (!isRecord(document) || !Array.isArray(document['keys'])) return undefined;
  const entries: readonly unknown[] = document['keys'].slice(0, keyLimit);
  const keys = entries.flatMap((entry): PublishedKey[] => {
    if (!isRecord(entry) || typeof entry['kty'] !== 'string') return [];
    if (entry['kid'] !== undefined && typeof entry['kid'] !== 'string') return [];
    const text = JSON.stringify(entry);
    const kept = before.find((key) => key.text === text);
    // `kty` is checked above; keyFits and importJWK check every other member they read.
    return [kept ?? { jwk: entry as JWK, text, imported: new Map() }];
  });
  return keys.length > 0 ? keys : undefined;
}

async function pick(
  keys: readonly PublishedKey[],
  algorithm: SigningAlgorithm,
  keyId: string | undefined,
): Promise<KeyLookup> {
  const fitting = keys.filter(
    (key) => (keyId === undefined || key.jwk.kid === keyId) && keyFits(key.jwk, algorithm),
  );
  const [first] = fitting;
  // Without a key id only a single candidate is unambiguous.
  if (!first || (keyId === undefined && fitting.length > 1)) return { kind: 'unknown' };
  const imported = first.imported.get(algorithm) ?? importPublic(first.jwk, algorithm);
  first.imported.set(algorithm, imported);
  try {
    return { kind: 'found', key: await imported };
  } catch {
    return { kind: 'unknown' };
  }
}

async function importPublic(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new TypeError('symmetric key');
  return key;
}
