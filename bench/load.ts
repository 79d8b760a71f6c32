import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cleanups } from './cleanups.ts';

/** What the requests of one measurement carry. */
export type Body =
  | { readonly kind: 'same'; readonly text: string }
  /** A number that is never repeated stands between the two. */
  | {
      readonly kind: 'counted';
      readonly before: string;
      readonly after: string;
      readonly from: number;
    }
  /** Each value once; the measurement ends with the last. */
  | { readonly kind: 'once'; readonly before: string; readonly values: readonly string[] }
  /** Each value once, and then what the answers gave in its place. */
  | { readonly kind: 'rotating'; readonly before: string; readonly values: readonly string[] };

/** One measurement. */
export type Job = {
  readonly port: number;
  readonly connections: number;
  readonly milliseconds: number;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
  /** Status that counts as success. */
  readonly expect: number;
};

export type Outcome = {
  readonly done: number;
  readonly failed: number;
  readonly firstFailure: string | undefined;
  readonly elapsedMs: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time of the process that asked. */
  readonly loadCpuMs: number;
  /** Refresh tokens that are current now. */
  readonly tokens: readonly string[];
};

export type Load = { run(job: Job): Promise<Outcome> };

/** Starts the process that asks. */
export async function startLoad(cleanups: Cleanups): Promise<Load> {
  const child = fork(fileURLToPath(new URL('./load-process.ts', import.meta.url)));
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  cleanups.add(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const answer = (): Promise<unknown> =>
    new Promise((done, fail) => {
      child.once('message', done);
      void ended.then(() => fail(new Error('the load process ended')));
    });
  await answer();
  return {
    async run(job) {
      const answered = answer();
      child.send(job);
      const message = (await answered) as { outcome: Outcome } | { error: string }; // our own process
      if ('error' in message) throw new Error(`${job.method} ${job.path}: ${message.error}`);
      return message.outcome;
    },
  };
}
