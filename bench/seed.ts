import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Material } from './target.ts';

/** What the process that fills a database is told. */
export type Seed = {
  readonly url: string;
  /** Where the development server keeps its key. */
  readonly folder: string;
  readonly storage:
    | { readonly kind: 'folder'; readonly path: string }
    | { readonly kind: 'postgres'; readonly url: string };
  readonly codes: number;
};
export type Seeded = { readonly issuerPath: string; readonly material: Material };

/** Fills a database in a process of its own, so that what it leaves in memory is not measured. */
export async function seed(wanted: Seed): Promise<Seeded> {
  const child = fork(fileURLToPath(new URL('./seed-process.ts', import.meta.url)));
  let seeded: Seeded | undefined;
  return await new Promise((done, fail) => {
    child.on('message', (message: 'ready' | { seeded: Seeded } | { error: string }) => {
      if (message === 'ready') child.send(wanted);
      else if ('error' in message) fail(new Error(message.error));
      else {
        // The next process opens the same folder, so this one must be gone.
        seeded = message.seeded;
        child.once('exit', () => done(message.seeded));
        child.kill();
      }
    });
    child.once('disconnect', () => {
      if (!seeded) fail(new Error('the seeding process ended'));
    });
  });
}
