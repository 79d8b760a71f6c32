import { startChild } from './child.ts';
import type { Cleanups } from './cleanups.ts';
import { median } from './statistics.ts';
import type { Algorithm } from './token-issuer.ts';

export type ValidationPlan = {
  readonly rounds: number;
  /** New tokens per round. */
  readonly tokens: number;
  /** How long seen tokens are validated. */
  readonly milliseconds: number;
  readonly atOnce: readonly number[];
};

/** What one contestant did in one round. */
export type ValidationSample = {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly tokens: 'new' | 'seen';
  readonly atOnce: number;
  readonly round: number;
  readonly perSecond: number;
  /** Processor time for one token, all threads. */
  readonly cpuMicroseconds: number;
};

export type ValidationRow = Omit<ValidationSample, 'round'> & {
  /** Tokens per second as a multiple of the vendor's for the same: the middle one of the rounds. */
  readonly timesVendor: number;
  /** How many of ours cost as much processor time as one of the vendor's. A busy machine changes it least. */
  readonly costTimesVendor: number;
};

export const VENDOR = '@scalekit-sdk/node validateToken';

/** Tokens seen before and new ones, at our library and SDK and at two others, in one process. */
export async function measureValidation(
  cleanups: Cleanups,
  plan: ValidationPlan,
): Promise<ValidationRow[]> {
  const child = await startChild<ValidationSample[]>(cleanups, './validation-process.ts', [
    JSON.stringify(plan),
  ]);
  await child.end();
  return rowsOf(child.ready);
}

function rowsOf(samples: readonly ValidationSample[]): ValidationRow[] {
  const alike = (one: ValidationSample, other: ValidationSample): boolean =>
    one.algorithm === other.algorithm && one.tokens === other.tokens && one.atOnce === other.atOnce;
  const first = samples.filter(
    (one, n) => samples.findIndex((other) => alike(one, other) && one.name === other.name) === n,
  );
  return first
    .map((one) => {
      const own = samples.filter((other) => alike(one, other) && one.name === other.name);
      const vendors = samples.filter((other) => alike(one, other) && other.name === VENDOR);
      const { name, algorithm, tokens, atOnce } = one;
      const inRound = (round: number): ValidationSample | undefined =>
        vendors.find((other) => other.round === round);
      return {
        name,
        algorithm,
        tokens,
        atOnce,
        perSecond: median(own.map(({ perSecond }) => perSecond)),
        cpuMicroseconds: median(own.map(({ cpuMicroseconds }) => cpuMicroseconds)),
        timesVendor: median(
          own.map((sample) => sample.perSecond / (inRound(sample.round)?.perSecond ?? Number.NaN)),
        ),
        costTimesVendor: median(
          own.map(
            (sample) =>
              (inRound(sample.round)?.cpuMicroseconds ?? Number.NaN) / sample.cpuMicroseconds,
          ),
        ),
      };
    })
    .sort(
      (one, other) =>
        `${one.tokens}${one.algorithm}`.localeCompare(`${other.tokens}${other.algorithm}`) ||
        one.atOnce - other.atOnce,
    );
}
