import type { JWK } from 'jose';

const accepted = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

/** Signature algorithms that can be allowed. Neither `none` nor an HMAC is among them (RFC 8725 §3.1). */
export type SigningAlgorithm = (typeof accepted)[number];

export function isSigningAlgorithm(value: unknown): value is SigningAlgorithm {
  return accepted.some((name) => name === value);
}

const curves: Readonly<Record<string, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
};

/**
 * Whether a key may verify this algorithm: the key's own type decides, never the token (RFC 8725 §3.1).
 * Private, symmetric, encryption and short RSA keys fit nothing (RS-33).
 */
export function keyFits(jwk: JWK, algorithm: SigningAlgorithm): boolean {
  if (jwk.d !== undefined || jwk.k !== undefined) return false;
  if (jwk.use !== undefined && jwk.use !== 'sig') return false;
  if (jwk.key_ops !== undefined && !(Array.isArray(jwk.key_ops) && jwk.key_ops.includes('verify')))
    return false;
  if (jwk.alg !== undefined && jwk.alg !== algorithm) return false;
  if (algorithm.startsWith('RS') || algorithm.startsWith('PS')) {
    return jwk.kty === 'RSA' && typeof jwk.n === 'string' && modulusBits(jwk.n) >= 2048;
  }
  return jwk.kty === (algorithm.startsWith('ES') ? 'EC' : 'OKP') && jwk.crv === curves[algorithm];
}

/** Bits of a base64url number: leading zero bytes make no key longer. */
function modulusBits(n: string): number {
  const digits = n.replace(/^A+/, '');
  return Math.floor((digits.length * 6) / 8) * 8;
}
