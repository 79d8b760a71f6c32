import { invalidField } from './request-checks.ts';

/** A moment as `google.protobuf.Timestamp` has it. */
export function timestampOf(moment: Date): { seconds: bigint; nanos: number } {
  const milliseconds = moment.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: (milliseconds - seconds * 1000) * 1_000_000 };
}

/** Years 1 to 9999, as the type has it, in seconds. */
const EARLIEST = -62_135_596_800n;
const LATEST = 253_402_300_799n;

/**
 * A moment that a request names, cut to milliseconds.
 *
 * @throws {ApiError} invalid_argument: outside of the years 1 to 9999
 */
export function momentOf(
  field: string,
  { seconds, nanos }: { readonly seconds: bigint; readonly nanos: number },
): Date {
  if (seconds < EARLIEST || seconds > LATEST || nanos < 0 || nanos > 999_999_999)
    throw invalidField(field, 'is not a moment', 'timestamp');
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1_000_000));
}
