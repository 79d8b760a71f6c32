import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Cleanups } from './cleanups.ts';

/** A process of ours that has said it is ready. */
export type Child<Ready> = {
  readonly ready: Ready;
  /** Processor time so far, all threads, in microseconds; finer than what the system tells about other processes. */
  cpuMicroseconds(): Promise<number>;
  end(): Promise<void>;
};

/** Starts a file of this folder and waits for its first message. It answers any message with its processor time. */
export async function startChild<Ready>(
  cleanups: Cleanups,
  file: string,
  args: readonly string[] = [],
): Promise<Child<Ready>> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  const end = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  cleanups.add(end);
  const said = <T>(): Promise<T> =>
    new Promise<T>((done, fail) => {
      child.once('message', (message) => done(message as T)); // our own process, by our own protocol
      void ended.then(() => fail(new Error(`${file} ended before it said anything`)));
    });
  const ready = await said<Ready>();
  return {
    ready,
    end,
    cpuMicroseconds() {
      const answer = said<number>();
      child.send('cpu');
      return answer;
    },
  };
}

/** The other side: says that it is ready, then tells its processor time whenever it is asked. */
export function serveParent(ready: unknown): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.(user + system);
  });
  process.on('disconnect', () => process.exit());
  process.send?.(ready);
}
