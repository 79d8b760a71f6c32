import { isReservedClaim } from './token-kinds.ts';

export type CustomClaims = Readonly<Record<string, unknown>>;

const MOST_CLAIMS = 50;
const LONGEST_NAME = 128;
/** Of all of them as JSON, in characters: tokens travel in headers, and many servers take 8 KB of them. */
const LONGEST = 4096;

/**
 * What of an object from outside may stand among the custom claims of a token (AS-151): members that no standard and this product
 * does not define, as many and as long as a header bears. The order of the object decides what still fits.
 *
 * @returns the claims, and the names that were left out
 */
export function customClaimsFrom(given: CustomClaims): {
  readonly claims: CustomClaims;
  readonly ignored: readonly string[];
} {
  const claims: Record<string, unknown> = {};
  const ignored: string[] = [];
  let length = 2;
  for (const [name, value] of Object.entries(given)) {
    const text = JSON.stringify(value);
    const added = JSON.stringify(name).length + (text?.length ?? 0) + 2;
    const fits =
      text !== undefined &&
      name !== '' &&
      name.length <= LONGEST_NAME &&
      !isReservedClaim(name) &&
      Object.keys(claims).length < MOST_CLAIMS &&
      length + added <= LONGEST;
    if (!fits) {
      ignored.push(name.slice(0, LONGEST_NAME));
      continue;
    }
    claims[name] = value;
    length += added;
  }
  return { claims, ignored };
}
