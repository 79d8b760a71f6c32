// Compares Gatewarden with a certified provider in one run, and both with the project's budgets: see README.md beside this file.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureTemplate } from '../packages/server/src/storage/template.ts';
import { ensureInstalled } from '../scripts/install.mjs';
import { budgetsOf, type Findings } from './budgets.ts';
import { type Cleanups, newCleanups } from './cleanups.ts';
import {
  fill,
  type Installation,
  type Memory,
  newInstallation,
  type Started,
  start,
  stop,
  targetOf,
  watchMemory,
} from './gatewarden.ts';
import {
  FULL_LIBRARY,
  type LibraryPlan,
  libraryBudgets,
  libraryReport,
  measureLibrary,
  QUICK_LIBRARY,
} from './library.ts';
import { type Load, startLoad } from './load.ts';
import {
  FULL_LISTS,
  type ListsPlan,
  listBudgets,
  listReport,
  measureLists,
  QUICK_LISTS,
} from './long-lists.ts';
import { describeMachine } from './machine.ts';
import { codesNeeded, measure, type Plan } from './measure.ts';
import { weighPages } from './page-weight.ts';
import { startPeer } from './peer.ts';
import { startDurablePostgres } from './postgres.ts';
import { memoryOf } from './process-cost.ts';
import { profile } from './profile.ts';
import { budgetTable, machineText, reportOf } from './report.ts';
import { countRoundTrips } from './round-trips.ts';
import { median } from './statistics.ts';
import type { Target } from './target.ts';

type Options = Plan & {
  /** Starts from which the middle one counts. */
  readonly starts: number;
  /** When an untouched process counts as resting, after ready. */
  readonly restMs: number;
  /** Lists where time goes instead of comparing. */
  readonly profile: boolean;
  readonly library: LibraryPlan;
  readonly lists: ListsPlan;
  /** The part to measure; without, the server and the library. */
  readonly only: 'server' | 'library' | 'lists' | undefined;
};

const FULL: Options = {
  rounds: 3,
  milliseconds: 1000,
  warmUpMilliseconds: 600,
  starts: 3,
  restMs: 20_000,
  profile: false,
  library: FULL_LIBRARY,
  lists: FULL_LISTS,
  only: undefined,
};
const QUICK: Options = {
  rounds: 1,
  milliseconds: 300,
  warmUpMilliseconds: 200,
  starts: 1,
  restMs: 7000,
  profile: false,
  library: QUICK_LIBRARY,
  lists: QUICK_LISTS,
  only: undefined,
};

function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const options = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? options.rounds : Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20)
    throw new Error(`--rounds is "${values.rounds}"; it should be a number from 1 to 20.`);
  const { only } = values;
  if (only !== undefined && only !== 'server' && only !== 'library' && only !== 'lists')
    throw new Error(`--only is "${only}"; it should be server, library or lists.`);
  return { ...options, rounds, profile: values.profile, only };
}

const progress = (text: string): void => {
  process.stderr.write(`${text} …\n`);
};

type Begun = {
  readonly installation: Installation;
  readonly emptyMs: number;
  readonly memory: Memory;
};

/** The first start of an installation, and the memory of that process while nobody calls it. */
async function begin(
  cleanups: Cleanups,
  installations: readonly Installation[],
  options: Options,
): Promise<Begun[]> {
  const running: { installation: Installation; started: Started; emptyMs: number }[] = [];
  for (const installation of installations) {
    const times: number[] = [];
    if (!installation.postgres) {
      for (let n = 1; n < options.starts; n += 1) {
        const started = await start(cleanups, await newInstallation(cleanups, undefined));
        times.push(started.startMs);
        await stop(started);
      }
    }
    const started = await start(cleanups, installation);
    running.push({ installation, started, emptyMs: median([...times, started.startMs]) });
  }
  return await Promise.all(
    running.map(async ({ installation, started, emptyMs }) => {
      const memory = await watchMemory(started, options.restMs);
      await stop(started);
      return { installation, emptyMs, memory };
    }),
  );
}

/** Fills an installation and starts it as often as wanted; the last process is the one to measure. */
async function prepare(
  cleanups: Cleanups,
  { installation }: Begun,
  options: Options,
): Promise<{ target: Target; initialisedMs: number }> {
  const seeded = await fill(installation, codesNeeded(options));
  const times: number[] = [];
  for (let n = 1; n < options.starts; n += 1) {
    const started = await start(cleanups, installation);
    times.push(started.startMs);
    await stop(started);
  }
  const started = await start(cleanups, installation);
  return {
    target: await targetOf(installation, started, seeded),
    initialisedMs: median([...times, started.startMs]),
  };
}

async function find(cleanups: Cleanups, load: Load, options: Options): Promise<Findings> {
  progress('starting from nothing, then watching memory at rest');
  await ensureTemplate();
  const postgres = await startDurablePostgres(cleanups);
  const installations = [
    await newInstallation(cleanups, postgres),
    await newInstallation(cleanups, undefined),
  ];
  const begun = await begin(cleanups, installations, options);
  progress('filling the databases');
  const peer = await startPeer(cleanups, codesNeeded(options));
  const ours: (Begun & Awaited<ReturnType<typeof prepare>>)[] = [];
  for (const one of begun) ours.push({ ...one, ...(await prepare(cleanups, one, options)) });
  const targets = ours.map(({ target }) => target);
  const rows = await measure(load, [peer, ...targets], options, progress);
  const memory = Object.fromEntries(
    ours.map(({ target, memory }) => [
      target.name,
      { ...memory, afterLoad: memoryOf(target.pid).now },
    ]),
  );
  const starts = Object.fromEntries(
    ours.map(({ target, emptyMs, initialisedMs }) => [target.name, { emptyMs, initialisedMs }]),
  );
  progress('counting round trips, weighing pages');
  const [durable] = targets;
  if (!durable) throw new Error('nothing was started');
  const roundTrips = await countRoundTrips(load, durable, postgres);
  return { rows, roundTrips, starts, memory, pages: await weighPages(durable) };
}

async function main(args: readonly string[]): Promise<void> {
  const options = readOptions(args);
  const startedAt = new Date();
  await ensureInstalled(fileURLToPath(new URL('../conformance', import.meta.url)));
  const machine = await describeMachine();
  const cleanups = newCleanups();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void cleanups.run().finally(() => process.exit(130)));
  try {
    if (options.profile) {
      console.log(await profile(cleanups, options));
      return;
    }
    const load = await startLoad(cleanups);
    const wants = (part: 'server' | 'library'): boolean => (options.only ?? part) === part;
    const findings = wants('server') ? await find(cleanups, load, options) : undefined;
    const library = wants('library')
      ? await measureLibrary(cleanups, load, options.library, progress)
      : undefined;
    const lists =
      options.only === 'lists' ? await measureLists(cleanups, options.lists, progress) : undefined;
    const budgets = [
      ...(findings ? budgetsOf(findings) : []),
      ...(library ? libraryBudgets(library) : []),
      ...(lists ? listBudgets(lists) : []),
    ];
    const seconds = Math.round((Date.now() - startedAt.getTime()) / 1000);
    const results = new URL('./results/latest.json', import.meta.url);
    await writeFile(
      results,
      `${JSON.stringify({ startedAt, seconds, options, machine, findings, library, lists, budgets }, undefined, 2)}\n`,
    );
    const parts = [
      machineText(machine),
      ...(findings ? [reportOf(findings)] : []),
      ...(library ? [libraryReport(library)] : []),
      ...(lists ? [listReport(lists)] : []),
      budgetTable(budgets),
    ];
    console.log(`\n${parts.join('\n\n')}\n`);
    console.log(`${seconds} s; all numbers are in ${fileURLToPath(results)}`);
    if (findings?.rows.some(({ failed }) => failed > 0)) process.exitCode = 1;
  } finally {
    await cleanups.run();
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
