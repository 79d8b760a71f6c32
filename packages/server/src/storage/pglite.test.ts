import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, openAsBlob } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { testPglite } from '../testing/databases.ts';
import { DatabaseUnavailable, script, sql } from './db.ts';
import { DataFolderInUse, lockFolder } from './folder-lock.ts';
import { migrate, schemaState } from './migrate.ts';
import { databaseOf, openPglite, startEngine } from './pglite.ts';
import { ensureTemplate } from './template.ts';

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-pglite-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Runs code in a process of its own and returns what it printed. */
async function elsewhere(code: string, ...args: string[]): Promise<string> {
  const imports = `import { openPglite } from ${JSON.stringify(new URL('./pglite.ts', import.meta.url).href)};
    import { sql } from ${JSON.stringify(new URL('./db.ts', import.meta.url).href)};\n`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    imports + code,
    ...args,
  ]);
  return stdout.trim();
}

test('an empty folder becomes a migrated database, and its rows are there after closing and opening', async (t) => {
  const dataDir = join(await temporary(t), 'not/yet/there');
  const first = await openPglite({ dataDir });
  assert.equal(await schemaState(first), 'current');
  await first.rows(script('create table kept (n int4)'));
  await first.rows(sql`insert into kept (n) values (${7})`);
  await first.close();
  const second = await openPglite({ dataDir });
  t.after(() => second.close());
  assert.deepEqual(await second.rows(sql`select n from kept`), [{ n: 7 }]);
});

test('a second process on the same folder is refused, and so is a second opening in the same process', async (t) => {
  const dataDir = await temporary(t);
  const database = await openPglite({ dataDir });
  await assert.rejects(openPglite({ dataDir }), DataFolderInUse);
  const said = await elsewhere(
    `await openPglite({ dataDir: process.argv[1] }).then(() => console.log('opened'), (error) => console.log(error.name))`,
    dataDir,
  );
  assert.equal(said, 'DataFolderInUse');
  assert.deepEqual(await database.rows(sql`select 1 as n`), [{ n: 1 }]);
  await database.close();
  await (await openPglite({ dataDir })).close();
});

test('data of a newer version are refused in one sentence, and the folder is free again', async (t) => {
  const folder = await temporary(t);
  const dataDir = join(folder, 'data');
  const migrationsFolder = join(folder, 'migrations');
  await mkdir(migrationsFolder);
  await writeFile(join(migrationsFolder, '0001-first.sql'), 'create table first (n int4)');
  const older = join(folder, 'older');
  await cp(migrationsFolder, older, { recursive: true });
  await writeFile(join(migrationsFolder, '0002-second.sql'), 'create table second (n int4)');
  await (await openPglite({ dataDir, migrationsFolder })).close();
  await assert.rejects(openPglite({ dataDir, migrationsFolder: older }), (error) => {
    assert.ok(error instanceof Error);
    assert.match(
      error.message,
      /^The data in .* were written by a newer version of Gatewarden[^.]*\.$/,
    );
    return true;
  });
  await (await lockFolder(dataDir)).release();
  await (await openPglite({ dataDir, migrationsFolder })).close();
});

test('data of an older version open as they are and wait for migrate()', async (t) => {
  const folder = await temporary(t);
  const dataDir = join(folder, 'data');
  const migrationsFolder = join(folder, 'migrations');
  await mkdir(migrationsFolder);
  await writeFile(join(migrationsFolder, '0001-first.sql'), 'create table first (n int4)');
  await (await openPglite({ dataDir, migrationsFolder })).close();
  await writeFile(join(migrationsFolder, '0002-second.sql'), 'create table second (n int4)');
  const database = await openPglite({ dataDir, migrationsFolder });
  t.after(() => database.close());
  assert.equal(await schemaState(database, { folder: migrationsFolder }), 'older');
  assert.deepEqual(await migrate(database, { folder: migrationsFolder }), {
    applied: ['0002-second'],
  });
});

test('a start that was interrupted while the folder was filled starts again from nothing', async (t) => {
  const dataDir = await temporary(t);
  await mkdir(join(dataDir, 'pgdata.new/base'), { recursive: true });
  await writeFile(join(dataDir, 'pgdata.new/PG_VERSION'), '18\n');
  const database = await openPglite({ dataDir });
  t.after(() => database.close());
  assert.equal(await schemaState(database), 'current');
  assert.equal(existsSync(join(dataDir, 'pgdata.new')), false);
});

test('a folder that cannot be opened says which, and is not locked afterwards', async (t) => {
  const dataDir = await temporary(t);
  await mkdir(join(dataDir, 'pgdata'));
  await writeFile(join(dataDir, 'pgdata/PG_VERSION'), '12\n');
  const said = await elsewhere(
    `await openPglite({ dataDir: process.argv[1] }).then(() => console.log('opened'), (error) => console.log(error.message)); process.exit(0)`,
    dataDir,
  );
  assert.ok(said.includes(dataDir), said);
  await (await lockFolder(dataDir)).release();
});

test('the database used beside a transaction is DatabaseUnavailable after a while, not a wait for ever', async (t) => {
  const engine = await startEngine({ loadDataDir: await openAsBlob(await ensureTemplate()) });
  const database = databaseOf(engine, { longestWait: 50 });
  t.after(() => database.close());
  const besides = database.transaction(() => database.rows(sql`select 1 as n`));
  await assert.rejects(besides, DatabaseUnavailable);
  assert.deepEqual(await database.rows(sql`select 1 as n`), [{ n: 1 }]);
});

test('a hundred callers at once are served one after the other', async (t) => {
  const database = await testPglite(t, { migrated: false });
  await database.rows(
    script('create table counters (n int4 not null); insert into counters values (0)'),
  );
  await Promise.all(
    Array.from({ length: 100 }, (_each, index) =>
      index % 2
        ? database.rows(sql`update counters set n = n + 1`)
        : database.transaction(async (tx) => {
            const [row] = await tx.rows<{ n: number }>(sql`select n from counters`);
            await tx.rows(sql`update counters set n = ${(row?.n ?? 0) + 1}`);
          }),
    ),
  );
  assert.deepEqual(await database.rows(sql`select n from counters`), [{ n: 100 }]);
});
