import { existsSync, openAsBlob } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import type { PGlite } from '@electric-sql/pglite';
import { migrate } from './migrate.ts';
import { databaseOf, startEngine } from './pglite.ts';

/**
 * Child process of template.ts: `make-template FILE BARE [MIGRATIONS]` writes a migrated database to FILE. It starts from BARE,
 * a database without any table, and makes that too when it is missing.
 */

async function make(path: string, bare: string, options: { folder?: string }): Promise<void> {
  const engine = await startEngine(existsSync(bare) ? { loadDataDir: await openAsBlob(bare) } : {});
  if (!existsSync(bare)) {
    // Two thirds of all files, and of no use where nobody creates databases.
    await engine.exec('update pg_database set datistemplate = false');
    await engine.exec('drop database template0');
    await engine.exec('drop database template1');
    await dump(engine, bare);
  }
  if (path === bare) return;
  await migrate(databaseOf(engine), options);
  await dump(engine, path);
}

/** Under another name first: a half-written template is never seen. */
async function dump(engine: PGlite, path: string): Promise<void> {
  await engine.exec('vacuum freeze analyze');
  await engine.exec('checkpoint');
  const archive = await engine.dumpDataDir('none');
  const draft = `${path}.${process.pid}`;
  await writeFile(draft, Buffer.from(await archive.arrayBuffer()), { mode: 0o644 });
  await rename(draft, path);
}

const [path, bare, folder] = process.argv.slice(2);
if (path === undefined || bare === undefined)
  throw new Error('usage: make-template FILE BARE [MIGRATIONS]');
try {
  await make(path, bare, folder === undefined ? {} : { folder });
  process.exit(0);
} catch (error) {
  // The message only: a stack of the engine shows its minified source.
  process.stderr.write(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
