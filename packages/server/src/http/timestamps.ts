/** A moment as `google.protobuf.Timestamp` has it. */
export function timestampOf(moment: Date): { seconds: bigint; nanos: number } {
  const milliseconds = moment.getTime();
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanos: (milliseconds - seconds * 1000) * 1_000_000 };
}
