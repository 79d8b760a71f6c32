import { type CryptoKey, compactVerify } from 'jose';
import { isSigningAlgorithm, type SigningAlgorithm } from './algorithms.ts';
import type { TokenDetails } from './auth.ts';
import type { RefusalReason } from './errors.ts';
import type { Runtime } from './runtime/defaults.ts';
import { verifySignature } from './runtime/verify-signature.ts';
import { readIdentity } from './token-claims.ts';
import { readToken } from './token-syntax.ts';
import { canonicalAudience, type Trust } from './trust.ts';

export type Verifier = {
  readonly trusted: ReadonlyMap<string, Trust>;
  readonly clockSkewSeconds: number;
  readonly runtime: Runtime;
};

/** A token whose signature was checked with `key`. Everything in it is frozen. */
export type ValidToken = {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number;
  readonly details: TokenDetails;
  readonly trust: Trust;
  readonly algorithm: SigningAlgorithm;
  readonly keyId: string | undefined;
  readonly key: CryptoKey;
  /** `jti`. */
  readonly tokenId: string | undefined;
  /** `iat`, in seconds since 1970. */
  readonly issuedAt: number | undefined;
  /** `rvk`: the names under which our own tokens are revoked (AS-124). */
  readonly handles: readonly string[];
};

export type TokenOutcome =
  | { readonly kind: 'valid'; readonly token: ValidToken }
  | {
      readonly kind: 'refused';
      readonly reason: RefusalReason;
      readonly claims?: Readonly<Record<string, unknown>>;
    }
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number };

/**
 * Validates an access token (RFC 9068 §4). What can be refused from the token's own text is refused
 * first: a token for another server or issuer never causes a key to be fetched (RS-30).
 */
export async function validateToken(verifier: Verifier, token: string): Promise<TokenOutcome> {
  const read = readToken(token);
  if (typeof read === 'string') return { kind: 'refused', reason: read };
  const { header, claims } = read;
  const refused = (reason: RefusalReason): TokenOutcome => ({ kind: 'refused', reason, claims });

  const trust = typeof claims['iss'] === 'string' ? verifier.trusted.get(claims['iss']) : undefined;
  if (!trust) return refused('issuer');
  const algorithm = header['alg'];
  if (!isSigningAlgorithm(algorithm) || !trust.algorithms.has(algorithm))
    return refused('algorithm');
  const keyId = readKeyId(header['kid']);
  // Our own tokens always name their key; only a foreign issuer with a single key may leave it out.
  if (keyId === undefined && (trust.own || header['kid'] !== undefined)) {
    return refused('unknown_key');
  }
  const fault =
    checkType(header['typ'], claims, trust) ??
    checkAudience(claims['aud'], trust) ??
    checkTimes(claims, nowSeconds(verifier), verifier.clockSkewSeconds);
  if (fault) return refused(fault);
  const identity = readIdentity(claims, trust);
  if (typeof identity === 'string') return refused(identity);
  const handles = trust.own ? readHandles(claims['rvk']) : [];
  if (!handles) return refused('malformed');

  const found = await trust.keys.find(algorithm, keyId);
  if (found.kind === 'unavailable') return found;
  if (found.kind === 'unknown') return refused('unknown_key');
  if (!(await isSigned(token, found.key, algorithm))) return refused('signature');
  const issuedAt = isTime(claims['iat']) ? claims['iat'] : undefined;
  const { tokenId } = identity.details;
  const signed = { trust, algorithm, keyId, key: found.key };
  return { kind: 'valid', token: { ...identity, ...signed, tokenId, issuedAt, handles } };
}

/** A list that cannot be read could hold a revoked name, so it is not taken for an empty one. */
function readHandles(value: unknown): readonly string[] | undefined {
  if (value === undefined) return [];
  const handles: readonly unknown[] = Array.isArray(value) ? value : [value];
  return handles.length <= 16 && handles.every((handle) => typeof handle === 'string')
    ? handles
    : undefined;
}

function readKeyId(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 256 ? value : undefined;
}

/** Whether a compact JWS was signed with this key by this algorithm (RFC 7515 §5.2). */
export async function isSigned(
  token: string,
  key: CryptoKey,
  algorithm: SigningAlgorithm,
): Promise<boolean> {
  try {
    const end = token.lastIndexOf('.');
    const fits = verifySignature(algorithm, key, token.slice(0, end), token.slice(end + 1));
    if (fits !== undefined) return fits;
    await compactVerify(token, key, { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}

/** Claims by which other kinds of JWT are known: ID tokens, logout tokens, security events (RFC 8725 §3.12). */
const foreignKinds = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'];

/** Explicit typing (RFC 9068 §4, RFC 8725 §3.11): an ID token must never pass as an access token. */
function checkType(
  type: unknown,
  claims: Readonly<Record<string, unknown>>,
  trust: Trust,
): RefusalReason | undefined {
  if (type === 'at+jwt' || type === 'application/at+jwt') return undefined;
  if (!trust.allowUntyped || (type !== undefined && type !== 'JWT')) return 'type';
  if (foreignKinds.some((name) => claims[name] !== undefined)) return 'type';
  const complete = ['client_id', 'sub', 'jti'].every((name) => typeof claims[name] === 'string');
  return complete ? undefined : 'type';
}

/** RFC 8707 §2: the token must name this server, in one of the configured spellings. */
function checkAudience(audience: unknown, trust: Trust): RefusalReason | undefined {
  if (trust.dropIn) return undefined;
  const named: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (!named.every((name) => typeof name === 'string')) return 'audience';
  return named.some((name) => trust.audiences.has(canonicalAudience(name)))
    ? undefined
    : 'audience';
}

function checkTimes(
  claims: Readonly<Record<string, unknown>>,
  now: number,
  skew: number,
): RefusalReason | undefined {
  const { exp, nbf, iat } = claims;
  if (!isTime(exp)) return 'missing_claim';
  if (!(exp + skew > now)) return 'expired'; // so that a clock without a time ends every token
  if (nbf !== undefined && !(isTime(nbf) && nbf - skew <= now)) return 'not_yet_valid';
  if (iat !== undefined && !(isTime(iat) && iat - skew <= now)) return 'issued_in_future';
  return undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

/** Seconds since 1970, as JWTs count. */
export function nowSeconds(verifier: Verifier): number {
  return verifier.runtime.nowMs() / 1_000;
}
