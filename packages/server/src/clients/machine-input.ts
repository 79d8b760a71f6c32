import { isReservedClaim } from '../oauth/token-kinds.ts';
import type { InvalidMember } from './client-input.ts';

const MOST_SCOPES = 100;
const MOST_CLAIMS = 20;
const LONGEST_CLAIM = 1000;
/** Of all of them as JSON, in characters: tokens travel in headers, and many servers take 8 KB of them. */
const LONGEST_CLAIMS = 4096;
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

const invalid = (field: string, description: string): InvalidMember => ({
  kind: 'invalid',
  field,
  description,
});

/** The first scope that cannot be one. Scopes of an application's own API are the application's to name. */
export function scopeProblem(scopes: readonly string[]): InvalidMember | undefined {
  if (scopes.length > MOST_SCOPES) return invalid('scopes', `at most ${MOST_SCOPES}`);
  const index = scopes.findIndex((scope) => !SCOPE.test(scope));
  return index < 0
    ? undefined
    : invalid(`scopes[${index}]`, 'must be 1 to 128 printable characters, no quote or backslash');
}

type SentClaim = { readonly key: string; readonly value: string };

/** The first claim that tokens cannot carry (AS-151). */
export function customClaimsProblem(sent: readonly SentClaim[]): InvalidMember | undefined {
  if (sent.length > MOST_CLAIMS) return invalid('custom_claims', `at most ${MOST_CLAIMS}`);
  for (const [index, { key, value }] of sent.entries()) {
    const field = `custom_claims[${index}]`;
    if (isReservedClaim(key))
      return invalid(`${field}.key`, 'is the name of a claim that only this server sets');
    if (sent.findIndex((other) => other.key === key) !== index)
      return invalid(`${field}.key`, 'is there twice');
    if (value.length > LONGEST_CLAIM || `${key}${value}`.includes('\0'))
      return invalid(field, `must have at most ${LONGEST_CLAIM} characters, none of them zero`);
  }
  if (JSON.stringify(claimsByName(sent)).length > LONGEST_CLAIMS)
    return invalid('custom_claims', `at most ${LONGEST_CLAIMS} characters in all`);
  return undefined;
}

export function claimsByName(sent: readonly SentClaim[]): Readonly<Record<string, string>> {
  return Object.fromEntries(sent.map(({ key, value }) => [key, value]));
}

/** Why tokens cannot live so many seconds; 0 stands for the default. */
export function lifetimeProblem(field: string, seconds: bigint): InvalidMember | undefined {
  return seconds === 0n || (seconds >= 60n && seconds <= 86_400n)
    ? undefined
    : invalid(field, 'must be 60 to 86400 seconds, or 0 for the default');
}
