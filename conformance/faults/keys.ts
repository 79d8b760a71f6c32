import { generateKeyPairSync } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';

export type Keys = {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
};

/** A new RSA signing key of 2048 bits. */
export async function signingKeys(): Promise<Keys> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const described = { kid: 'reference-1', use: 'sig', alg: 'RS256' };
  return {
    kid: described.kid,
    privateKey,
    publicKey,
    publicJwk: { ...(await exportJWK(publicKey)), ...described },
    privateJwk: { ...(await exportJWK(privateKey)), ...described },
  };
}

/** The public half of an RSA key of 1024 bits. */
export function weakPublicJwk(): JWK {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return { ...publicKey.export({ format: 'jwk' }), kid: 'old-1', use: 'sig', alg: 'RS256' };
}
