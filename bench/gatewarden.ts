import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, type Spawned, spawnDev } from '../packages/cli/test/spawn-dev.ts';
import type { Cleanups } from './cleanups.ts';
import type { DurablePostgres } from './postgres.ts';
import { memoryOf } from './process-cost.ts';
import { seed } from './seed.ts';
import { endpointsFrom, type Target } from './target.ts';

/** Our server on one of its databases, before it is filled. */
export type Installation = {
  readonly name: string;
  readonly durability: string;
  readonly folder: string;
  readonly port: number;
  /** undefined for the embedded database in the folder. */
  readonly postgres: DurablePostgres | undefined;
};
export type Started = Spawned & {
  /** Until the line that says ready, from the moment the command was started. */
  readonly startMs: number;
  readonly readyAt: number;
};
export type Memory = {
  readonly atReady: number;
  /** Five seconds later: at that moment, and at most until then. */
  readonly afterFive: number;
  readonly most: number | undefined;
  readonly atRest: number;
};

export async function newInstallation(
  cleanups: Cleanups,
  postgres: DurablePostgres | undefined,
): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-bench-'));
  cleanups.add(() => rm(folder, { recursive: true, force: true }));
  return {
    name: postgres ? 'Gatewarden, PostgreSQL' : 'Gatewarden, PGlite',
    durability: postgres ? 'PostgreSQL, fsync on' : 'file, no fsync',
    folder,
    port: await freePort(),
    postgres,
  };
}

/** `gatewarden dev` as its own process, timed. */
export async function start(
  cleanups: Cleanups,
  { folder, port, postgres }: Installation,
  env: Readonly<Record<string, string>> = {},
): Promise<Started> {
  const startedAt = performance.now();
  const spawned = await spawnDev(
    { after: (work) => cleanups.add(async () => await work()) },
    {
      cwd: folder,
      flags: ['--port', String(port)],
      env: {
        ...env,
        DATABASE_URL: postgres?.url ?? '',
        GATEWARDEN_URL: `http://localhost:${port}`,
      },
    },
  );
  const readyAt = performance.now();
  return { ...spawned, startMs: readyAt - startedAt, readyAt };
}

export async function stop({ child, ended }: Started): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}

/** Memory of an untouched process: at ready, five seconds after, and at rest. */
export async function watchMemory(
  { ready, readyAt }: Started,
  restAfterMs: number,
): Promise<Memory> {
  const until = async (ms: number): Promise<void> => {
    await pause(Math.max(0, readyAt + ms - performance.now()));
  };
  const atReady = memoryOf(ready.pid).now;
  await until(5000);
  const { now: afterFive, most } = memoryOf(ready.pid);
  await until(restAfterMs);
  return { atReady, afterFive, most, atRest: memoryOf(ready.pid).now };
}

/** Puts clients, people and codes into the database; no process of it may be running. */
export async function fill(
  { folder, port, postgres }: Installation,
  codes: number,
): Promise<Awaited<ReturnType<typeof seed>>> {
  const data = join(folder, '.gatewarden');
  return await seed({
    url: `http://localhost:${port}`,
    folder: data,
    storage: postgres ? { kind: 'postgres', url: postgres.url } : { kind: 'folder', path: data },
    codes,
  });
}

/** What is measured: the running process with what was put into its database. */
export async function targetOf(
  { name, durability, port, postgres }: Installation,
  { ready }: Started,
  { issuerPath, material }: Awaited<ReturnType<typeof seed>>,
): Promise<Target> {
  return {
    name,
    durability,
    pid: ready.pid,
    port,
    endpoints: await endpointsFrom(
      `http://localhost:${port}`,
      `/.well-known/oauth-authorization-server${issuerPath}`,
    ),
    material,
    databasePid: postgres?.pid,
    refreshTokens: [],
  };
}
