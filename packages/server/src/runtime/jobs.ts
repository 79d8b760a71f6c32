import { setTimeout as pause } from 'node:timers/promises';
import type { App } from './context.ts';

/** How long the end waits for what runs have left going; whatever takes longer is begun again by somebody else later. */
const FINISH_MS = 3000;

/** Background work that every process runs; rows locked by one are skipped by the others. Must be safe to run twice. */
export type Job = {
  readonly name: string;
  readonly everyMs: number;
  readonly run: (app: App) => Promise<void>;
  /** Waits for what a run has begun and left going, and begins nothing more. What takes more than three seconds is left. */
  readonly finish?: (app: App) => Promise<void>;
};

export type RunningJobs = {
  /** Runs one job now, for what cannot wait for its turn. */
  nudge(name: string): void;
  /** Ends the schedule and waits for what is running. */
  stop(): Promise<void>;
};

/** Starts the schedule. A job that fails is logged and tried again at its next turn; it never overlaps itself. */
export function startJobs(app: App, jobs: readonly Job[]): RunningJobs {
  const running = new Map<string, Promise<void>>();
  const again = new Set<string>();
  let stopped = false;
  const start = (job: Job): void => {
    if (stopped) return;
    if (running.has(job.name)) {
      again.add(job.name);
      return;
    }
    const work = job
      .run(app)
      .catch((error: unknown) => {
        app.log.error(
          {
            job: job.name,
            cause:
              error instanceof Error
                ? { name: error.name, message: error.message, stack: error.stack }
                : {},
          },
          'a background job failed',
        );
      })
      .finally(() => {
        running.delete(job.name);
        if (again.delete(job.name)) start(job);
      });
    running.set(job.name, work);
  };
  const timers = jobs.map((job) => setInterval(start, job.everyMs, job).unref());
  return {
    nudge(name) {
      const job = jobs.find((candidate) => candidate.name === name);
      if (job) start(job);
    },
    async stop() {
      stopped = true;
      for (const timer of timers) clearInterval(timer);
      await Promise.all(running.values());
      const late = new AbortController();
      await Promise.race([
        Promise.all(jobs.map((job) => job.finish?.(app))),
        pause(FINISH_MS, undefined, { signal: late.signal }),
      ]);
      late.abort();
    },
  };
}
