import { writeFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { migrate } from './migrate.ts';
import { databaseOf } from './pglite.ts';

/** Child process of template.ts: makes a database cluster, migrates it, and writes it to the file that is named first. */

async function make(path: string, options: { folder?: string }): Promise<void> {
  const pglite = await PGlite.create();
  await migrate(databaseOf(pglite), options);
  await pglite.exec('vacuum freeze analyze');
  await pglite.exec('checkpoint');
  const dump = await pglite.dumpDataDir('none');
  await writeFile(path, Buffer.from(await dump.arrayBuffer()), { mode: 0o644 });
}

const [path, folder] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: make-template FILE [MIGRATIONS]');
try {
  await make(path, folder === undefined ? {} : { folder });
  process.exit(0);
} catch (error) {
  // The message only: a stack of the engine shows its minified source.
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
