import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { type IssuerMetadata, parsed } from '../application/discovery.ts';
import type { BoundedFetch } from '../runtime/bounded-fetch.ts';

export type Verified =
  | { readonly kind: 'valid'; readonly claims: JWTPayload }
  | { readonly kind: 'invalid'; readonly reason: string };

export type Expected = {
  readonly issuer: string | string[];
  readonly audience: string | string[];
};

/** A way to check tokens of one issuer: RS256 by its published keys, `iss`, `aud` and the times (RFC 7519 §7.2). */
export async function verifierOf(
  fetch: BoundedFetch,
  { jwksUri }: IssuerMetadata,
): Promise<((token: string, expected: Expected) => Promise<Verified>) | undefined> {
  const answer = await fetch(jwksUri);
  const keys = answer.kind === 'answer' ? parsed(answer.text)?.['keys'] : undefined;
  if (!Array.isArray(keys)) return undefined;
  const keySet = createLocalJWKSet({ keys });
  return async (token, expected) => {
    try {
      const { payload } = await jwtVerify(token, keySet, {
        algorithms: ['RS256'],
        clockTolerance: 30,
        requiredClaims: ['exp', 'sub'],
        ...expected,
      });
      return { kind: 'valid', claims: payload };
    } catch (error) {
      // Messages of the library name claims and never hold a token.
      return {
        kind: 'invalid',
        reason: error instanceof errors.JOSEError ? error.message : 'malformed',
      };
    }
  };
}
