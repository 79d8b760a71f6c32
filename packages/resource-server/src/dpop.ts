import { calculateJwkThumbprint, importJWK, type JWK } from 'jose';
import { keyFits, type SigningAlgorithm } from './algorithms.ts';
import { type ReplayLimits, replayMemory } from './dpop-replays.ts';
import { ConfigurationError } from './errors.ts';
import type { McpServerOptions } from './options.ts';
import type { GuardRequest } from './request.ts';
import type { Runtime } from './runtime/defaults.ts';
import { sha256 } from './runtime/sha256.ts';
import { isRecord } from './strict-json.ts';
import { readToken } from './token-syntax.ts';
import { configuredUrl } from './urls.ts';
import { isSigned } from './validate-token.ts';

/** Algorithms of proofs (RFC 9449 §4.3): none is symmetric. Named in challenges and metadata. */
export const proofAlgorithms: readonly SigningAlgorithm[] = [
  'ES256',
  'ES384',
  'EdDSA',
  'Ed25519',
  'PS256',
  'RS256',
];

/** Why a proof was refused. Stable: the log and tests rely on these codes. */
export type ProofFault =
  | 'missing'
  | 'repeated'
  | 'malformed'
  | 'algorithm'
  | 'key'
  | 'method'
  | 'url'
  | 'token'
  | 'time'
  | 'signature'
  | 'replayed';

export type ProofOutcome =
  | { readonly kind: 'valid' }
  | { readonly kind: 'refused'; readonly fault: ProofFault }
  /** Valid, but made with a key that the token is not bound to. */
  | { readonly kind: 'other_key' }
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number };

/** How one MCP server takes tokens that are bound to a key (RFC 9449). */
export type DpopRules = {
  /** Unbound tokens are refused. */
  readonly required: boolean;
  /** `thumbprint`: `cnf.jkt` of the token. */
  check(request: GuardRequest, token: string, thumbprint: string): Promise<ProofOutcome>;
};

/** Seconds for which a proof counts after it was made, the tolerated difference of clocks aside. */
const proofLifetime = 60;
const proofSizeLimit = 8_192;
const replayLimits = { entries: 200_000, entriesPerKey: 50_000 };

/**
 * Prepares the check of proofs; undefined where DPoP is off. Nonces of the server (RFC 9449 §9) are not
 * used: the window is short and each proof counts once.
 *
 * @throws {ConfigurationError} invalid_option: dpop is none of off, optional, required
 */
export function dpopRules(
  options: Pick<McpServerOptions, 'dpop' | 'serverUrl' | 'path'>,
  clockSkewSeconds: number,
  runtime: Runtime,
  limits: Omit<ReplayLimits, 'windowSeconds'> = replayLimits,
): DpopRules | undefined {
  const mode = options.dpop ?? 'off';
  if (mode === 'off') return undefined;
  if (mode !== 'optional' && mode !== 'required')
    throw new ConfigurationError('invalid_option', 'dpop must be off, optional or required');
  const urlOf = publicUrls(options);
  const replays = replayMemory({ ...limits, windowSeconds: proofLifetime + 2 * clockSkewSeconds });

  return {
    required: mode === 'required',
    async check(request, token, thumbprint) {
      const proof = takeProof(request);
      if (typeof proof === 'string') return { kind: 'refused', fault: proof };
      const now = runtime.now().getTime() / 1_000;
      const fault =
        (proof.claims['htm'] === request.method ? undefined : 'method') ??
        (isSameUrl(proof.claims['htu'], urlOf(request.target)) ? undefined : 'url') ??
        checkAge(proof.claims['iat'], now, clockSkewSeconds) ??
        (proof.claims['ath'] === (await tokenHash(token)) ? undefined : 'token');
      if (fault) return { kind: 'refused', fault };
      // Before the signature: a stranger's key costs no more than its hash.
      if ((await calculateJwkThumbprint(proof.key)) !== thumbprint) return { kind: 'other_key' };
      if (!(await isProven(proof))) return { kind: 'refused', fault: 'signature' };
      switch (await replays.take(thumbprint, proof.id, now)) {
        case 'first':
          return { kind: 'valid' };
        case 'again':
          return { kind: 'refused', fault: 'replayed' };
        case 'full':
          return { kind: 'unavailable', retryAfterSeconds: proofLifetime };
      }
    },
  };
}

type Proof = {
  readonly text: string;
  readonly algorithm: SigningAlgorithm;
  /** The members that make the public key, and nothing else of what was sent. */
  readonly key: JWK;
  readonly id: string;
  readonly claims: Readonly<Record<string, unknown>>;
};

/** Reads the one proof of a request without believing it (RFC 9449 §4.2, §4.3 checks 1 to 5 and 7). */
function takeProof(request: GuardRequest): Proof | ProofFault {
  const [text, ...others] = request.header('dpop');
  if (text === undefined) return 'missing';
  if (others.length > 0 || text.includes(',')) return 'repeated'; // some platforms join repeated fields
  const read = readToken(text, proofSizeLimit);
  if (typeof read === 'string') return 'malformed';
  const { header, claims } = read;
  const id = claims['jti'];
  const complete = typeof id === 'string' && id !== '' && id.length <= 256;
  if (header['typ'] !== 'dpop+jwt' || !complete) return 'malformed';
  const algorithm = proofAlgorithms.find((name) => name === header['alg']);
  if (algorithm === undefined) return 'algorithm';
  const key = publicKey(header['jwk']);
  if (!key || !keyFits(key, algorithm)) return 'key';
  return { text, algorithm, key, id, claims };
}

const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/** A client that sends its private key has lost it, so it proves nothing (RFC 9449 §4.3 check 7). */
function publicKey(jwk: unknown): JWK | undefined {
  if (!isRecord(jwk) || privateMembers.some((name) => jwk[name] !== undefined)) return undefined;
  const { kty, crv, x, y, n, e } = jwk;
  if (kty === 'EC' && isText(crv) && isText(x) && isText(y)) return { kty, crv, x, y };
  if (kty === 'OKP' && isText(crv) && isText(x)) return { kty, crv, x };
  // Of any length and exponent, one verification could keep a core busy.
  if (kty === 'RSA' && isText(n) && n.length <= 683 && e === 'AQAB') return { kty, n, e };
  return undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

async function isProven({ text, key, algorithm }: Proof): Promise<boolean> {
  try {
    const imported = await importJWK(key, algorithm);
    return !(imported instanceof Uint8Array) && (await isSigned(text, imported, algorithm));
  } catch {
    return false; // such as a point that is not on its curve
  }
}

function checkAge(iat: unknown, now: number, skew: number): ProofFault | undefined {
  if (typeof iat !== 'number') return 'malformed';
  return iat - skew <= now && now < iat + proofLifetime + skew ? undefined : 'time';
}

/** `ath`: SHA-256 of the token, base64url (RFC 9449 §4.2). */
async function tokenHash(token: string): Promise<string> {
  const hash = await sha256(token);
  return hash.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** The URL at which the outside sees a request target: what is configured, never what a request says (RS-4). */
function publicUrls(
  options: Pick<McpServerOptions, 'serverUrl' | 'path'>,
): (target: string) => string {
  const { origin, pathname } = configuredUrl('serverUrl', options.serverUrl);
  const bare = (path: string): string => path.replace(/\/$/, '');
  const inside = bare(options.path ?? pathname);
  return (target) => {
    const path = target.replace(/\?.*$/s, '');
    if (bare(path) !== inside) return `${origin}${path}`;
    return `${origin}${bare(pathname)}${path.endsWith('/') ? '/' : ''}`;
  };
}

/** Compares `htu` without query and fragment, after normalisation (RFC 9449 §4.3 check 9, RFC 3986 §6.2). */
function isSameUrl(htu: unknown, expected: string): boolean {
  const named = typeof htu === 'string' ? normalised(htu) : undefined;
  return named !== undefined && named === normalised(expected);
}

function normalised(text: string): string | undefined {
  if (/[\s\\]/.test(text) || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { origin, pathname, username, password } = new URL(text);
  if (username !== '' || password !== '') return undefined;
  const path = pathname.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const char = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(char) ? char : encoded.toUpperCase();
  });
  return `${origin}${path}`;
}
