import { writeFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { migrate } from './migrate.ts';
import { databaseOf } from './pglite.ts';

/** Child process of template.ts: makes a database cluster, migrates it and writes it to the file named by the first argument. */

const [path, folder] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: make-template FILE [MIGRATIONS]');
const pglite = await PGlite.create();
await migrate(databaseOf(pglite), folder === undefined ? {} : { folder });
await pglite.exec('vacuum analyze');
await pglite.exec('checkpoint');
const dump = await pglite.dumpDataDir('none');
await writeFile(path, Buffer.from(await dump.arrayBuffer()), { mode: 0o644 });
await pglite.close();
process.exit(0);
