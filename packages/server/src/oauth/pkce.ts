import { createHash } from 'node:crypto';
import { equalSecrets } from '../runtime/hash.ts';

const CHALLENGE = /^[A-Za-z0-9_-]{43}$/;
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;

export type ChallengeCheck =
  | { readonly kind: 'given'; readonly challenge: string }
  | { readonly kind: 'absent' }
  | { readonly kind: 'wrong'; readonly description: string };

/** The code challenge of an authorization request: S256 only, 43 characters of base64url (RFC 7636 section 4.3, AS-24). */
export function checkChallenge(
  params: Readonly<Record<string, string | undefined>>,
): ChallengeCheck {
  const challenge = params['code_challenge'];
  const method = params['code_challenge_method'];
  if (challenge === undefined && method === undefined) return { kind: 'absent' };
  if (challenge === undefined)
    return { kind: 'wrong', description: 'code_challenge is missing; PKCE with S256 is required' };
  if (method !== 'S256')
    return { kind: 'wrong', description: 'code_challenge_method must be S256' };
  if (!CHALLENGE.test(challenge))
    return {
      kind: 'wrong',
      description: 'code_challenge must be 43 characters of base64url (S256)',
    };
  return { kind: 'given', challenge };
}

/** Whether a code verifier has the form of RFC 7636 section 4.1. */
export function isVerifier(verifier: string): boolean {
  return VERIFIER.test(verifier);
}

/** Whether the verifier belongs to the challenge (RFC 7636 section 4.6), compared in constant time. */
export function verifierMatches(verifier: string, challenge: string): boolean {
  return (
    isVerifier(verifier) &&
    equalSecrets(createHash('sha256').update(verifier).digest('base64url'), challenge)
  );
}
