import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions } from './calls.ts';
import { ScalekitException } from './errors.ts';

/** The members of a message, each of which may be left out or `undefined`. */
export type Fields<M extends DescMessage> = {
  readonly [Name in Exclude<keyof MessageInitShape<M>, '$typeName' | '$unknown'>]?:
    | MessageInitShape<M>[Name]
    | undefined;
};

/** What a list may be asked for. */
export type PageOptions = {
  readonly pageSize?: number | undefined;
  /** `nextPageToken` or `prevPageToken` of an earlier answer. */
  readonly pageToken?: string | undefined;
};

/** Members that were given. What is `undefined` or `null` to the caller is left out to the server. */
type Given<T> = { [Name in keyof T]: Exclude<T[Name], undefined | null> };

/** Drops members that are there and empty, which a message must not have. */
export function given<T extends object>(members: T | undefined): Partial<Given<T>> {
  const entries = Object.entries(members ?? {}).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  // Only members of T are left, none of them empty.
  return Object.fromEntries(entries) as Partial<Given<T>>;
}

/**
 * Refuses an argument that would make another call of this one, before anything is sent.
 *
 * @throws {ScalekitException} it is empty, or no text
 */
export function required(name: string, value: string): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new ScalekitException(`${name} is required`);
}

/**
 * The value of an enum of the contract, given as itself or by its name.
 *
 * @throws {ScalekitException} there is no such name
 */
export function enumValue<T extends number>(
  what: string,
  names: Readonly<Record<string, T>>,
  given: T | string | undefined,
): T | undefined {
  if (typeof given !== 'string') return given;
  const value = Object.hasOwn(names, given) ? names[given] : undefined;
  if (value !== undefined) return value;
  throw new ScalekitException(`Invalid ${what}: expected one of ${Object.keys(names).join(', ')}`);
}

/** Size and token of a page, given one after the other or as one object, which `call` then follows. */
export function pageArguments(
  first: number | PageOptions | undefined,
  second: string | CallOptions | undefined,
  third: CallOptions | undefined,
): { readonly page: Partial<Given<PageOptions>>; readonly call: CallOptions | undefined } {
  if (typeof first === 'object' && first !== null) {
    const { pageSize, pageToken } = first;
    const call = typeof second === 'object' ? second : third;
    return { page: given({ pageSize, pageToken }), call };
  }
  const pageToken = typeof second === 'string' ? second : undefined;
  return { page: given({ pageSize: first, pageToken }), call: third };
}
