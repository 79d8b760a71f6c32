import { isId } from '../runtime/ids.ts';
import { ApiError } from './api-error.ts';

/** A refusal that names one field of the request, in the names of the contract. */
export function invalidField(field: string, description: string, constraint = 'value'): ApiError {
  return new ApiError('invalid_argument', 'INVALID_ARGUMENT', `${field}: ${description}`, {
    fieldViolations: [{ field, description, constraint }],
  });
}

/**
 * Refuses what cannot be an id at all; whether there is such a thing is another question.
 *
 * @throws {ApiError} invalid_argument
 */
export function checkId(field: string, value: string, prefix: string): void {
  if (!isId(value, prefix))
    throw invalidField(field, `must be ${prefix}_ and 15 to 19 digits`, 'id');
}

/** @throws {ApiError} invalid_argument: a zero character, which no database stores, in one of the members */
export function checkText(
  prefix: string,
  members: Readonly<Record<string, string | readonly string[]>>,
): void {
  for (const [name, value] of Object.entries(members))
    if ([value].flat().some((text) => text.includes('\0')))
      throw invalidField(`${prefix}${name}`, 'must not have zero characters', 'text');
}

/** In JSON: the character zero, and surrogates that are not in a pair, which are the only ones that are written by number. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/i;

/** @throws {ApiError} invalid_argument: more characters as JSON than these, or some that no database stores */
export function checkJson(field: string, value: unknown, most: number): void {
  const text = JSON.stringify(value);
  if (text.length > most)
    throw invalidField(field, `must have at most ${most} characters`, 'max_len');
  if (UNSTORABLE.test(text))
    throw invalidField(field, 'must not have zero characters or halves of pairs', 'text');
}

/**
 * Whole seconds of an int64 field; absent for 0, which stands for the default.
 *
 * @throws {ApiError} invalid_argument: negative, or more than a hundred years
 */
export function secondsOf(field: string, value: bigint): number | undefined {
  if (value < 0n || value > 3_155_760_000n)
    throw invalidField(field, 'is not a time in seconds', 'range');
  return value === 0n ? undefined : Number(value);
}

/**
 * The members that a change is about: exactly those of the mask, or without one those that are not empty.
 *
 * @throws {ApiError} invalid_argument: the mask names a member that cannot be changed
 */
export function changedMembers(
  mask: { readonly paths: readonly string[] } | undefined,
  message: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, string>>,
): ReadonlySet<string> {
  if (mask && mask.paths.length > 0) {
    const unknown = mask.paths.find((path) => !Object.hasOwn(known, path));
    if (unknown !== undefined)
      throw invalidField(
        'update_mask',
        `"${unknown.slice(0, 100)}" cannot be changed`,
        'field_mask',
      );
    return new Set(mask.paths);
  }
  return new Set(Object.keys(known).filter((name) => isGiven(message[known[name] ?? ''])));
}

function isGiven(value: unknown): boolean {
  if (value === undefined || value === '' || value === 0n) return false;
  return !(Array.isArray(value) && value.length === 0);
}
