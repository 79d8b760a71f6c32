import { writeSync } from 'node:fs';
import { script, sql } from '../storage/db.ts';
import { openPglite } from '../storage/pglite.ts';
import { openPostgres } from '../storage/postgres.ts';

/** A process to be killed by tests: `insert-loop URL|FOLDER` inserts numbers and writes each to its output once it is committed. */

const [place] = process.argv.slice(2);
if (place === undefined) throw new Error('usage: insert-loop URL|FOLDER');
const database = place.startsWith('postgres://')
  ? await openPostgres({ url: place })
  : await openPglite({ dataDir: place });
await database.rows(script('create table if not exists crash_rows (n int8 primary key)'));
const [last] = await database.rows<{ n: bigint }>(
  sql`select coalesce(max(n), 0) as n from crash_rows`,
);
for (let n = (last?.n ?? 0n) + 1n; ; n++) {
  await database.transaction((db) => db.rows(sql`insert into crash_rows (n) values (${n})`));
  // Process.stdout may keep lines in its own queue, which a kill throws away: the reader would count too few.
  writeSync(1, `${n}\n`);
}
