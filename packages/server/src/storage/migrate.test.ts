import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { engines, openTestDatabase, testPostgres } from '../testing/databases.ts';
import { type Db, sql } from './db.ts';
import { migrate, planMigrations, readMigrations, SchemaConflict, schemaState } from './migrate.ts';
import { openPostgres } from './postgres.ts';

const empty = { migrated: false };
const FIRST = `-- a comment; with a semicolon
create table first (n int4 not null);
create function bump() returns trigger language plpgsql as $$ begin new.n := new.n + 1; return new; end $$;
create trigger bumped before insert on first for each row execute function bump();
insert into first (n) values (1);`;
const SECOND =
  'alter table first add column name text; update first set name = $tag$; drop table first;$tag$;';

async function folderOf(
  t: TestContext,
  files: Record<string, string>,
): Promise<{ folder: string; write(files: Record<string, string>): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-migrations-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const write = async (more: Record<string, string>) => {
    for (const [name, text] of Object.entries(more)) await writeFile(join(folder, name), text);
  };
  await write(files);
  return { folder, write };
}

const exists = async (db: Db, table: string) =>
  (await db.rows<{ present: boolean }>(sql`select to_regclass(${table}) is not null as present`))[0]
    ?.present;

for (const engine of engines) {
  test(`migrations run in order, once each, and the schema goes from older to current (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const options = await folderOf(t, {
      '0002-second.sql': SECOND,
      '0001-first.sql': FIRST,
      'README.md': 'no migration',
    });
    assert.equal(await schemaState(db, options), 'older');
    const plan = await planMigrations(db, options);
    assert.deepEqual(
      [plan.applied, plan.pending.map(({ name }) => name), plan.conflicts],
      [[], ['0001-first', '0002-second'], []],
    );
    assert.deepEqual(await migrate(db, options), { applied: ['0001-first', '0002-second'] });
    assert.deepEqual(await db.rows(sql`select n, name from first`), [
      { n: 2, name: '; drop table first;' },
    ]);
    assert.equal(await schemaState(db, options), 'current');
    assert.deepEqual(await migrate(db, options), { applied: [] });
    await options.write({ '0003-third.sql': 'create table third (n int4)' });
    assert.equal(await schemaState(db, options), 'older');
    assert.deepEqual(await migrate(db, options), { applied: ['0003-third'] });
    const recorded = await db.rows<{ name: string; hash: string; applied_at: Date }>(
      sql`select name, hash, applied_at from schema_migrations order by name`,
    );
    assert.deepEqual(
      recorded.map(({ name }) => name),
      ['0001-first', '0002-second', '0003-third'],
    );
    assert.ok(
      recorded.every(
        ({ hash, applied_at }) => /^[0-9a-f]{64}$/.test(hash) && applied_at instanceof Date,
      ),
    );
  });

  test(`a migration that fails in its middle leaves nothing of itself, keeps those before, and can be repaired (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const options = await folderOf(t, {
      '0001-first.sql': FIRST,
      '0002-broken.sql': 'create table half (n int4); insert into half values (1); select 1 / 0;',
    });
    await assert.rejects(migrate(db, options), /division by zero/);
    assert.deepEqual([await exists(db, 'first'), await exists(db, 'half')], [true, false]);
    assert.equal(await schemaState(db, options), 'older');
    await options.write({ '0002-broken.sql': 'create table half (n int4)' });
    assert.deepEqual(await migrate(db, options), { applied: ['0002-broken'] });
  });

  test(`a database of a newer version is refused and left alone (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const newer = await folderOf(t, {
      '0001-first.sql': FIRST,
      '0003-future.sql': 'create table future (n int4)',
    });
    await migrate(db, newer);
    const older = await folderOf(t, {
      '0001-first.sql': FIRST,
      '0002-mine.sql': 'create table mine (n int4)',
    });
    assert.equal(await schemaState(db, older), 'newer');
    await assert.rejects(
      migrate(db, older),
      (error) =>
        error instanceof SchemaConflict &&
        /newer version: migration 0003-future/.test(error.message),
    );
    assert.equal(await exists(db, 'mine'), false);
  });

  test(`a migration that was edited after it ran is refused; other line ends are not an edit (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const options = await folderOf(t, { '0001-first.sql': FIRST });
    await migrate(db, options);
    await options.write({ '0001-first.sql': FIRST.replaceAll('\n', '\r\n') });
    assert.equal(await schemaState(db, options), 'current');
    await options.write({
      '0001-first.sql': `${FIRST} `,
      '0002-more.sql': 'create table more (n int4)',
    });
    assert.equal(await schemaState(db, options), 'newer');
    await assert.rejects(migrate(db, options), /0001-first was changed after it had been applied/);
    assert.equal(await exists(db, 'more'), false);
  });

  test(`a migration that comes before one that ran is refused: order is the same everywhere (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const options = await folderOf(t, { '0002-second.sql': 'create table second (n int4)' });
    await migrate(db, options);
    await options.write({ '0001-late.sql': 'create table late (n int4)' });
    await assert.rejects(migrate(db, options), /0001-late comes before 0002-second/);
  });
}

test('file names are checked: a number taken twice, or a name outside of the pattern, is an error', async (t) => {
  for (const name of [
    '0001-other.sql',
    '1-short.sql',
    '0002_under.sql',
    '0002-Upper.sql',
    '0002-.sql',
  ]) {
    const options = await folderOf(t, { '0001-first.sql': FIRST, [name]: 'select 1' });
    await assert.rejects(readMigrations(options), new RegExp(name));
  }
});

test('a race: two processes that start at once on one database apply each migration once', async (t) => {
  const { database, open } = await testPostgres(t, empty);
  const others = await Promise.all([open(), open(), open()]);
  const options = await folderOf(t, {
    '0001-first.sql': `${FIRST} select pg_sleep(0.2);`,
    '0002-second.sql': `${SECOND} select pg_sleep(0.1);`,
    '0003-third.sql': 'create table third (n int4)',
  });
  const results = await Promise.all([database, ...others].map((each) => migrate(each, options)));
  assert.deepEqual(results.flatMap(({ applied }) => applied).sort(), [
    '0001-first',
    '0002-second',
    '0003-third',
  ]);
  assert.deepEqual(await database.rows(sql`select n from first`), [{ n: 2 }]);
});

test('a migration waits longer than statements may: it is not cut off by their time-out', async (t) => {
  const { url } = await testPostgres(t, empty);
  const database = await openPostgres({ url, statementTimeout: 150, lockTimeout: 100 });
  const holder = await openPostgres({ url });
  t.after(() => Promise.all([database.close(), holder.close()]).then(() => undefined));
  const options = await folderOf(t, {
    '0001-slow.sql': 'select pg_sleep(0.4); create table slow (n int4)',
  });
  const both = [migrate(holder, options), pause(50).then(() => migrate(database, options))];
  assert.deepEqual(
    (await Promise.all(both)).flatMap(({ applied }) => applied),
    ['0001-slow'],
  );
  await options.write({ '0002-slow.sql': 'select pg_sleep(0.4); create table slower (n int4)' });
  assert.deepEqual(await migrate(database, options), { applied: ['0002-slow'] });
  // And its settings are not left behind for the statements after it.
  await assert.rejects(database.rows(sql`select pg_sleep(2)::text`), /does not answer/);
});

for (const engine of engines) {
  test(`the migrations of this package apply to an empty database, and testing starts from their result (${engine})`, async (t) => {
    const [fresh, prepared] = [
      await openTestDatabase(t, engine, empty),
      await openTestDatabase(t, engine),
    ];
    assert.ok((await migrate(fresh)).applied.length >= 1);
    assert.deepEqual(
      [await schemaState(fresh), await schemaState(prepared)],
      ['current', 'current'],
    );
    const tables = (db: Db) =>
      db.rows(
        sql`select table_name::text as name, column_name::text as field, data_type::text as type from information_schema.columns where table_schema = 'public' order by 1, 2`,
      );
    assert.deepEqual(await tables(fresh), await tables(prepared));
  });
}

test('every column of the migrations has a type that both engines read as the contract of Db says', async (t) => {
  const { database } = await testPostgres(t);
  const odd =
    await database.rows(sql`select table_name::text || '.' || column_name::text as name, udt_name::text as type from information_schema.columns
    where table_schema = 'public' and udt_name not in ('text', 'int8', 'int4', 'int2', 'bool', 'bytea', 'jsonb', 'timestamptz', '_text', '_int8', 'uuid', 'float8')`);
  assert.deepEqual(odd, []);
});
