import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testPostgres } from '../testing/databases.ts';
import { type Db, sql } from './db.ts';
import { openPglite } from './pglite.ts';

const program = fileURLToPath(new URL('../testing/insert-loop.ts', import.meta.url));

/** Lets the child insert rows, kills it as an out-of-memory killer would, and returns the last row it was told is committed. */
async function insertUntilKilled(place: string, rows: number): Promise<bigint> {
  const child = spawn(process.execPath, [program, place], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const first = await new Promise<number>((resolve, reject) => {
    child.once('error', reject).once('exit', (code) => reject(new Error(`ended with ${code}`)));
    let seen = 0;
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      seen += chunk.split('\n').length - 1;
      if (seen >= rows) resolve(seen);
    });
  }).finally(() => child.kill('SIGKILL'));
  assert.ok(first >= rows);
  await new Promise((resolve) => child.once('close', resolve));
  return BigInt(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1) ?? 0);
}

/** Every number up to the last acknowledged one, and at most one more, whose acknowledgement was on its way. */
async function assertNothingLost(db: Db, acknowledged: bigint): Promise<void> {
  const [kept] = await db.rows<{ n: bigint; last: bigint }>(
    sql`select count(*) as n, max(n) as last from crash_rows`,
  );
  assert.equal(kept?.n, kept?.last);
  assert.ok(
    kept && kept.n >= acknowledged && kept.n <= acknowledged + 1n,
    `${kept?.n} kept, ${acknowledged} acknowledged`,
  );
}

test('kill -9 in a loop of inserts loses no acknowledged row, and the folder opens again at once (pglite)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-crash-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const rows of [1, 300, 900]) {
    const acknowledged = await insertUntilKilled(folder, rows);
    const database = await openPglite({ dataDir: folder });
    try {
      await assertNothingLost(database, acknowledged);
    } finally {
      await database.close();
    }
  }
});

test('kill -9 in a loop of inserts loses no acknowledged row and leaves no lock (postgres)', async (t) => {
  const { url, database } = await testPostgres(t);
  for (const rows of [1, 500]) {
    const acknowledged = await insertUntilKilled(url, rows);
    await assertNothingLost(database, acknowledged);
    await database.transaction((db) =>
      db.rows(sql`lock table crash_rows in access exclusive mode`),
    );
  }
});
