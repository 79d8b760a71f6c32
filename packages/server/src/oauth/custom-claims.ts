import { isReservedClaim } from './token-kinds.ts';

export type CustomClaims = Readonly<Record<string, unknown>>;

const MOST_CLAIMS = 50;
const LONGEST_NAME = 128;
/** Of all of them as JSON, in characters: tokens travel in headers, and many servers take 8 KB of them. */
const LONGEST = 4096;

/** Zero characters and halves of characters, as JSON writes them: no database and no other language takes those. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/;

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
    const text = textOf(value);
    const added = JSON.stringify(name).length + (text?.length ?? 0) + 2;
    const fits =
      text !== undefined &&
      name !== '' &&
      name.length <= LONGEST_NAME &&
      !UNSTORABLE.test(JSON.stringify(name)) &&
      !isReservedClaim(name) &&
      Object.keys(claims).length < MOST_CLAIMS &&
      length + added <= LONGEST;
    if (!fits) {
      ignored.push(name.slice(0, LONGEST_NAME).replaceAll('\0', '\ufffd').toWellFormed());
      continue;
    }
    claims[name] = value;
    length += added;
  }
  return { claims, ignored };
}

/** Undefined: a value that cannot be written as JSON, or not be stored then. */
function textOf(value: unknown): string | undefined {
  try {
    const text = JSON.stringify(value);
    return text === undefined || UNSTORABLE.test(text) ? undefined : text;
  } catch {
    return undefined; // it is nested deeper than anybody writes
  }
}
