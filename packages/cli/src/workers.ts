import cluster, { type Worker } from 'node:cluster';
import { ConfigError } from '@gatewarden/server';
import { Refused } from './errors.ts';
import { type Io, untilStopped } from './io.ts';

/** What a worker tells the process that started it. */
export type WorkerReady = {
  readonly ready: true;
  readonly environmentUrl: string;
  readonly clientId: string;
  readonly clientSecret?: string;
};

const RESTART_AFTER_MS = 1000;

/** Whether this process is one of several workers. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** Tells the supervising process that this worker answers. */
export function reportReady(ready: WorkerReady): void {
  process.send?.(ready);
}

/** Lets a worker that has closed its server end: the channel to its supervisor would keep it. */
export function leave(): void {
  if (cluster.isWorker && process.connected) process.disconnect();
}

/**
 * How many processes should serve on this machine, from `GATEWARDEN_WORKERS`. @default 1
 *
 * @throws {ConfigError} not a number from 1 to 64, or several on the embedded database, which has room for one
 */
export function workerCount(env: Io['env'], isEmbedded: boolean): number {
  const value = env['GATEWARDEN_WORKERS'] || '1';
  if (!/^[0-9]{1,2}$/.test(value) || Number(value) < 1 || Number(value) > 64)
    throw new ConfigError(`GATEWARDEN_WORKERS is "${value}"; it should be a number from 1 to 64.`);
  if (Number(value) > 1 && isEmbedded)
    throw new ConfigError(
      `GATEWARDEN_WORKERS is "${value}", but the embedded database has room for one process; give DATABASE_URL.`,
    );
  return Number(value);
}

/**
 * Runs this same command in several processes that share the port, until a signal. A worker that dies is replaced after a
 * second; the first one starts alone, so that what keeps the server from starting is said once.
 *
 * @throws {Refused} the first worker ended before it answered; it has said why
 */
export async function superviseWorkers(
  io: Io,
  count: number,
  onReady: (first: WorkerReady) => void,
): Promise<void> {
  const stopped = untilStopped(io);
  let stopping = false;
  let everReady = false;
  const living = new Map<number, Promise<void>>();
  const start = (): Worker => {
    const worker = cluster.fork();
    const ended = new Promise<void>((done) => worker.once('exit', () => done()));
    living.set(worker.id, ended);
    void ended.then(() => {
      living.delete(worker.id);
      if (stopping || !everReady) return;
      io.err(
        `gatewarden: worker ${worker.process.pid} ended (${worker.process.signalCode ?? worker.process.exitCode}); starting another.\n`,
      );
      setTimeout(() => {
        if (!stopping) start();
      }, RESTART_AFTER_MS);
    });
    return worker;
  };
  const first = await readyOf(start());
  if (!first) throw new Refused('no worker could start; the reason is above.');
  everReady = true;
  for (let index = 1; index < count; index += 1) start();
  onReady(first);
  await stopped;
  stopping = true;
  for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGTERM');
  await Promise.all(living.values());
}

async function readyOf(worker: Worker): Promise<WorkerReady | undefined> {
  return await new Promise((done) => {
    worker.once('message', (message: WorkerReady) => done(message));
    worker.once('exit', () => done(undefined));
  });
}
