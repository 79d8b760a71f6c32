import type { Load, Outcome } from './load.ts';
import { type Amount, OPERATIONS, type Operation } from './operations.ts';
import { mainThreadTimeOf, processorTimeOf, processorTimeWithChildren } from './process-cost.ts';
import { median } from './statistics.ts';
import type { Target } from './target.ts';

export type Plan = {
  readonly rounds: number;
  readonly milliseconds: number;
  readonly warmUpMilliseconds: number;
};

/** One operation at one server with so many connections: medians over the rounds. */
export type Row = {
  readonly operation: string;
  readonly connections: number;
  readonly server: string;
  readonly durability: string;
  readonly perSecond: number;
  /** Of the rounds, in their order. */
  readonly perSecondByRound: readonly number[];
  readonly p50: number;
  readonly p99: number;
  /** Processor time of the server process for one request, in milliseconds; undefined where the system does not say. */
  readonly cpuMs: number | undefined;
  /** The part of it that only one core can do at a time. */
  readonly mainThreadMs: number | undefined;
  /** The same of its database's processes. */
  readonly databaseCpuMs: number | undefined;
  /** Share of one core that the process which asks took. */
  readonly loadShare: number;
  readonly failed: number;
  readonly firstFailure: string | undefined;
};

type Sample = Outcome & Pick<Row, 'cpuMs' | 'mainThreadMs' | 'databaseCpuMs'>;

export const CONNECTIONS = [1, 16] as const;

/** Codes for so long a measurement: more than any server managed. It ends sooner when they are used up. */
function codesFor(connections: number, milliseconds: number): number {
  return Math.ceil(((connections === 1 ? 700 : 1400) * milliseconds) / 1000);
}

/** What the whole plan takes of each server, and some for the round trips. */
export function codesNeeded({ rounds, milliseconds, warmUpMilliseconds }: Plan): number {
  const each = CONNECTIONS.reduce((sum, count) => sum + codesFor(count, milliseconds), 0);
  return rounds * each + codesFor(16, warmUpMilliseconds) + SPARE_CODES;
}
const SPARE_CODES = 100;

/**
 * All operations at all servers, the servers right after one another within a round and each round beginning with another, so
 * that a busy moment of the machine meets all of them.
 */
export async function measure(
  load: Load,
  targets: readonly Target[],
  plan: Plan,
  progress: (text: string) => void,
): Promise<Row[]> {
  progress('warming up');
  for (const target of targets)
    for (const operation of OPERATIONS)
      await sampleOf(load, target, operation, 16, plan.warmUpMilliseconds);
  const samples = new Map<string, Sample[]>();
  const key = (...parts: readonly (string | number)[]): string => parts.join('|');
  for (let round = 0; round < plan.rounds; round += 1) {
    const order = targets.map((_, n) => targets[(n + round) % targets.length] ?? targets[0]);
    for (const operation of OPERATIONS) {
      progress(`round ${round + 1} of ${plan.rounds}: ${operation.name}`);
      for (const connections of CONNECTIONS) {
        for (const target of order) {
          if (!target) continue;
          const at = key(operation.name, connections, target.name);
          const sample = await sampleOf(load, target, operation, connections, plan.milliseconds);
          samples.set(at, [...(samples.get(at) ?? []), sample]);
        }
      }
    }
  }
  return OPERATIONS.flatMap((operation) =>
    CONNECTIONS.flatMap((connections) =>
      targets.map((target) =>
        rowOf(
          operation,
          connections,
          target,
          samples.get(key(operation.name, connections, target.name)) ?? [],
        ),
      ),
    ),
  );
}

/** One measurement. @throws {Error} not one request succeeded */
export async function sampleOf(
  load: Load,
  target: Target,
  operation: Operation,
  connections: number,
  milliseconds: number,
): Promise<Sample> {
  const codes = target.material.codes.splice(
    0,
    operation.codes * codesFor(connections, milliseconds),
  );
  const amount: Amount = { connections, milliseconds, codes };
  const before = costs(target);
  const outcome = await load.run(operation.jobOf(target, amount));
  const after = costs(target);
  if (outcome.done === 0)
    throw new Error(
      `${operation.name} at ${target.name} does not work: ${outcome.firstFailure ?? 'no request was sent'}`,
    );
  if (operation.name === 'refresh') target.refreshTokens = [...outcome.tokens];
  else target.refreshTokens.push(...outcome.tokens);
  return {
    ...outcome,
    cpuMs: perRequest(before.own, after.own, outcome.done),
    mainThreadMs: perRequest(before.main, after.main, outcome.done),
    databaseCpuMs: perRequest(before.database, after.database, outcome.done),
  };
}

function costs(target: Target): Record<'own' | 'main' | 'database', number | undefined> {
  return {
    own: processorTimeOf(target.pid),
    main: mainThreadTimeOf(target.pid),
    database:
      target.databasePid === undefined ? undefined : processorTimeWithChildren(target.databasePid),
  };
}

function perRequest(
  before: number | undefined,
  after: number | undefined,
  done: number,
): number | undefined {
  return before === undefined || after === undefined ? undefined : (after - before) / done;
}

function rowOf(
  operation: Operation,
  connections: number,
  target: Target,
  samples: readonly Sample[],
): Row {
  const perSecondByRound = samples.map(({ done, elapsedMs }) => (done / elapsedMs) * 1000);
  return {
    operation: operation.name,
    connections,
    server: target.name,
    durability: operation.writes ? target.durability : 'only reads',
    perSecond: median(perSecondByRound),
    perSecondByRound,
    p50: median(samples.map(({ p50 }) => p50)),
    p99: median(samples.map(({ p99 }) => p99)),
    cpuMs: medianOf(samples.map(({ cpuMs }) => cpuMs)),
    mainThreadMs: medianOf(samples.map(({ mainThreadMs }) => mainThreadMs)),
    databaseCpuMs: medianOf(samples.map(({ databaseCpuMs }) => databaseCpuMs)),
    loadShare: median(samples.map(({ loadCpuMs, elapsedMs }) => loadCpuMs / elapsedMs)),
    failed: samples.reduce((sum, { failed }) => sum + failed, 0),
    firstFailure: samples.find(({ firstFailure }) => firstFailure)?.firstFailure,
  };
}

function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : median(known);
}
