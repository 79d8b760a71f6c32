import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Db, script, sql } from '../storage/db.ts';
import { schemaState } from '../storage/migrate.ts';
import { openPostgres } from '../storage/postgres.ts';
import { engines, openTestDatabase, testPostgres } from './databases.ts';
import { startTestPostgres } from './postgres-server.ts';

const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

for (const engine of engines) {
  test(`each test has a database of its own, migrated unless asked otherwise (${engine})`, async (t) => {
    const [one, two] = [await openTestDatabase(t, engine), await openTestDatabase(t, engine)];
    await one.rows(script('create table mine (n int4)'));
    const present = (db: Db) => db.rows(sql`select to_regclass('mine') is not null as present`);
    assert.deepEqual(
      [await present(one), await present(two)],
      [[{ present: true }], [{ present: false }]],
    );
    assert.equal(await schemaState(two), 'current');
    const bare = await openTestDatabase(t, engine, { migrated: false });
    assert.deepEqual(
      await bare.rows(
        sql`select table_name::text as name from information_schema.tables where table_schema = 'public'`,
      ),
      [],
    );
  });
}

test('a second pool sees the same database, and after the test the database is gone', async (t) => {
  let url = '';
  await t.test('the test that has it', async (inner) => {
    const postgres = await testPostgres(inner);
    url = postgres.url;
    await postgres.database.rows(script('create table mine (n int4)'));
    const other = await postgres.open();
    assert.deepEqual(await other.rows(sql`select n from mine`), []);
  });
  await assert.rejects(openPostgres({ url }), /does not exist/);
});

test('processes that share a server make its template once and do not meet', async (t) => {
  const server = await startTestPostgres();
  t.after(() => server.stop());
  const code = `import { testPostgres } from ${source('./databases.ts')};
    import { script, sql } from ${source('../storage/db.ts')};
    const cleanups = [];
    const { database } = await testPostgres({ after: (work) => cleanups.push(work) });
    await database.rows(script('create table mine (n int4)'));
    console.log((await database.rows(sql\`select current_database()::text as name\`))[0].name);
    for (const work of cleanups) await work();`;
  const names = await Promise.all(
    [0, 1, 2].map(async () => {
      const env = { ...process.env, GATEWARDEN_TEST_POSTGRES: server.url };
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', code],
        { env },
      );
      return stdout.trim();
    }),
  );
  assert.equal(new Set(names).size, 3);
  const admin = await openPostgres({ url: server.url });
  const left = await admin.rows<{ name: string }>(
    sql`select datname::text as name from pg_database where datname ~ '^t(est|emplate)_'`,
  );
  await admin.close();
  assert.deepEqual(left.length, 1, JSON.stringify(left));
});

test('a server ends with the process that started it, even one that is killed, and leaves no folder', async () => {
  const code = `import { startTestPostgres } from ${source('./postgres-server.ts')};
    const server = await startTestPostgres();
    console.log(JSON.stringify([server.url, server.folder]));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((resolve) =>
    child.stdout.setEncoding('utf8').once('data', resolve),
  );
  const [url, folder]: string[] = JSON.parse(line);
  assert.ok(url && folder && existsSync(folder));
  child.kill('SIGKILL');
  for (let waited = 0; existsSync(folder); waited += 50) {
    assert.ok(waited < 10_000, 'the folder is still there');
    await pause(50);
  }
  await assert.rejects(openPostgres({ url }), /does not answer/);
});
