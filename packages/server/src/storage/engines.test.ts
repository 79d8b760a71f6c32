import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Engine, engines, openTestDatabase } from '../testing/databases.ts';
import {
  type Database,
  DatabaseUnavailable,
  type Db,
  isUniqueViolation,
  json,
  script,
  sql,
} from './db.ts';

const empty = { migrated: false };

async function withThings(db: Db): Promise<void> {
  await db.rows(
    script(
      'drop table if exists things; create table things (id int8 primary key, name text constraint things_name unique)',
    ),
  );
}

const cleanups: (() => Promise<void>)[] = [];
after(() => Promise.all(cleanups.map((work) => work())));
const opened = new Map<Engine, Promise<Database>>();

/** One database for those tests that do not change its state for others. */
function shared(engine: Engine): Promise<Database> {
  const database =
    opened.get(engine) ??
    openTestDatabase({ after: (work) => void cleanups.push(work) }, engine, empty);
  opened.set(engine, database);
  return database;
}

const count = async (db: Db) =>
  (await db.rows<{ n: bigint }>(sql`select count(*) as n from things`))[0]?.n;

for (const engine of engines) {
  test(`each type comes back as the contract of Db says (${engine})`, async () => {
    const db = await shared(engine);
    const [row] = await db.rows(sql`select
      ${9007199254740993n}::int8 as int8, ${-2147483648}::int4 as int4, ${7}::int2 as int2, ${0.1}::float8 as float8,
      ${true}::bool as yes, ${false}::bool as no, ${'é "\\ \n'}::text as text, ${'1.10'}::numeric as numeric,
      ${new Date('2026-11-21T09:30:00.123Z')}::timestamptz as at, '1969-12-31 23:59:59.999999-05:30'::timestamptz as old,
      ${new Uint8Array([0, 1, 92, 255])}::bytea as bytea, ${json({ a: [1, null, 'x"'] })}::jsonb as jsonb, ${json(null)}::json as json,
      '2026-11-21'::date as date, ${'8d6f1b1e-55a1-4a7c-9f0b-3a1f0d4c8c11'}::uuid as uuid,
      ${undefined}::text as nothing, ${null}::int8 as missing`);
    assert.deepEqual(row, {
      int8: 9007199254740993n,
      int4: -2147483648,
      int2: 7,
      float8: 0.1,
      yes: true,
      no: false,
      text: 'é "\\ \n',
      numeric: '1.10',
      at: new Date('2026-11-21T09:30:00.123Z'),
      old: new Date('1970-01-01T05:29:59.999Z'),
      bytea: new Uint8Array([0, 1, 92, 255]),
      jsonb: { a: [1, null, 'x"'] },
      json: null,
      date: '2026-11-21',
      uuid: '8d6f1b1e-55a1-4a7c-9f0b-3a1f0d4c8c11',
      nothing: null,
      missing: null,
    });
  });

  test(`arrays go as one parameter and come back with their elements' types (${engine})`, async () => {
    const db = await shared(engine);
    const at = new Date('2026-11-21T09:30:00Z');
    const [row] = await db.rows(sql`select
      ${['a', 'b,"c"\\', undefined, 'NULL', '']}::text[] as texts, ${[1n, 2n]}::int8[] as int8s, ${[]}::text[] as none,
      ${[at]}::timestamptz[] as times, ${[new Uint8Array([1, 34, 92])]}::bytea[] as bytes, ${[json({ a: '"' })]}::jsonb[] as jsons,
      ${[true, false]}::bool[] as bools, 'x' = any(${['x', 'y']}) as found, array_agg(n) as numbers from generate_series(1, 3) as n`);
    assert.deepEqual(row, {
      texts: ['a', 'b,"c"\\', null, 'NULL', ''],
      int8s: [1n, 2n],
      none: [],
      times: [at],
      bytes: [new Uint8Array([1, 34, 92])],
      jsons: [{ a: '"' }],
      bools: [true, false],
      found: true,
      numbers: [1, 2, 3],
    });
  });

  test(`an attack: text that means something to SQL or to an array stays text (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    const hostile = `'); drop table things; -- " \\ {a,b} $1 %s`;
    await db.rows(sql`insert into things (id, name) values (${1}, ${hostile})`);
    assert.deepEqual(await db.rows(sql`select name from things where name = any(${[hostile]})`), [
      { name: hostile },
    ]);
    assert.deepEqual(
      await db.rows(sql`select name from things where name = ${`${hostile}' or '1'='1`}`),
      [],
    );
  });

  test(`a query that the tag did not make is refused (${engine})`, async () => {
    const db = await shared(engine);
    await assert.rejects(db.rows({ text: 'select 1', values: [] }), TypeError);
  });

  test(`a failed statement says which constraint, never which value, and spoils no other (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    await db.rows(sql`insert into things (id, name) values (1, ${'s3cret'})`);
    const results = await Promise.allSettled([
      db.rows(sql`insert into things (id, name) values (2, ${'s3cret'})`),
      db.rows(sql`select ${'s3cret'}::int8 as n`),
      db.rows(sql`select id from no_such_table`),
      db.rows(sql`insert into things (id, name) values (3, ${'fine'}) returning id`),
      db.rows(sql`select ${'a\0b'} as nul`),
    ]);
    const errors = results.map((result) =>
      result.status === 'rejected' ? result.reason : undefined,
    );
    assert.deepEqual(
      errors.map((error) => error?.code),
      ['23505', '22P02', '42P01', undefined, '22021'],
    );
    assert.ok(
      isUniqueViolation(errors[0], 'things_name') && !isUniqueViolation(errors[0], 'things_pkey'),
    );
    for (const error of errors)
      assert.ok(!`${error?.stack}${JSON.stringify(error)}`.includes('s3cret'));
    assert.equal(await count(db), 2n);
  });

  test(`the same text runs with other values, null among them (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    for (const [id, name] of [
      [1, 'a'],
      [2, undefined],
      [3, 'c'],
    ] as const) {
      const rows = await db.rows(
        sql`insert into things (id, name) values (${id}, ${name}) returning id, name`,
      );
      assert.deepEqual(rows, [{ id: BigInt(id), name: name ?? null }]);
    }
    assert.deepEqual(
      await db.rows(sql`update things set name = ${'z'} where id > ${1}  and false returning id`),
      [],
    );
  });

  test(`more texts than are worth a prepared statement work all the same (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    for (let number = 0; number < 620; number++) {
      const column = sql([`${number}::int4 as n`] as unknown as TemplateStringsArray);
      assert.deepEqual(await db.rows(sql`select ${column}, ${'v'}::text as v`), [
        { n: number, v: 'v' },
      ]);
    }
    const [prepared] = await db.rows<{ n: bigint }>(
      sql`select count(*) as n from pg_prepared_statements`,
    );
    assert.ok(prepared && prepared.n <= 500n);
  });

  test(`a transaction that fails leaves nothing, one that succeeds everything (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    const cause = new Error('changed my mind');
    const failing = db.transaction(async (tx) => {
      await tx.rows(sql`insert into things (id) values (1)`);
      assert.equal(await count(tx), 1n);
      throw cause;
    });
    await assert.rejects(failing, (error) => error === cause);
    assert.equal(await count(db), 0n);
    const result = await db.transaction(async (tx) => {
      await tx.rows(sql`insert into things (id) values (2)`);
      return 'done';
    });
    assert.equal(result, 'done');
    assert.equal(await count(db), 1n);
  });

  test(`a nested transaction joins the outer one and dooms it when it fails, even if the failure is caught (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    await db.transaction(async (tx) => {
      await tx.rows(sql`insert into things (id) values (1)`);
      await tx.transaction((inner) => inner.rows(sql`insert into things (id) values (2)`));
    });
    assert.equal(await count(db), 2n);
    const doomed = db.transaction(async (tx) => {
      const inner = tx.transaction(async (joined) => {
        await joined.rows(sql`insert into things (id) values (3)`);
        throw new Error('half done');
      });
      await inner.catch(() => undefined);
      return 'looks fine';
    });
    await assert.rejects(doomed, /half done/);
    assert.equal(await count(db), 2n);
  });

  test(`a transaction whose failed statement was swallowed does not pretend to have committed (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    const swallowed = db.transaction(async (tx) => {
      await tx.rows(sql`insert into things (id) values (1)`);
      await tx.rows(sql`insert into things (id) values (1)`).catch(() => undefined);
    });
    await assert.rejects(swallowed, /rolled back/);
    assert.equal(await count(db), 0n);
    assert.deepEqual(await db.rows(sql`select 1 as fine`), [{ fine: 1 }]);
  });

  test(`statements sent without waiting stay in order and inside of their transaction (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    let kept: Db | undefined;
    await db.transaction(async (tx) => {
      kept = tx;
      await Promise.all(
        [1, 2, 3].map((id) => tx.rows(sql`insert into things (id) values (${id})`)),
      );
      void tx.rows(sql`insert into things (id) values (4)`);
    });
    assert.equal(await count(db), 4n);
    await assert.rejects(async () => kept?.rows(sql`insert into things (id) values (5)`), /over/);
    await assert.rejects(async () => kept?.transaction(async () => 1), /over/);
    assert.equal(await count(db), 4n);
  });

  test(`an error of the work, with a code that looks like a network failure, passes through a transaction unchanged (${engine})`, async () => {
    const db = await shared(engine);
    const error = Object.assign(new Error('not of the database'), { code: 'ECONNREFUSED' });
    await assert.rejects(
      db.transaction(async () => {
        throw error;
      }),
      (thrown) => thrown === error,
    );
  });

  test(`a migration of a live database: the statement of yesterday gets a new plan, in and out of a transaction (${engine})`, async () => {
    const db = await shared(engine);
    await withThings(db);
    await db.rows(sql`insert into things (id, name) values (1, '1')`);
    const read = (on: Db) => on.rows(sql`select id, name from things where id = ${1}`);
    assert.deepEqual(await read(db), [{ id: 1n, name: '1' }]);
    await db.rows(script('alter table things alter column name type int4 using name::int4'));
    assert.deepEqual(await read(db), [{ id: 1n, name: 1 }]);
    await db.rows(script('alter table things alter column name type int8'));
    let runs = 0;
    const inside = await db.transaction((tx) => {
      runs++;
      return read(tx);
    });
    assert.deepEqual(inside, [{ id: 1n, name: 1n }]);
    assert.equal(runs, 2);
  });

  test(`a notification arrives once its transaction has committed, in order, until one stops listening (${engine})`, async () => {
    const db = await shared(engine);
    const heard: string[] = [];
    const others: string[] = [];
    const stop = await db.listen('things_changed', (payload) => {
      heard.push(payload);
      if (payload === 'one') throw new Error('a listener that fails');
    });
    await db.listen('things_changed', (payload) => others.push(payload));
    await db.transaction(async (tx) => {
      await tx.rows(sql`select pg_notify('things_changed', ${'one'})::text`);
      await pause(30);
      assert.deepEqual(heard, []);
      await tx.rows(sql`select pg_notify('things_changed', ${'two "2"'})::text`);
    });
    await db
      .transaction(async (tx) => {
        await tx.rows(sql`select pg_notify('things_changed', 'undone')::text`);
        throw new Error('undo');
      })
      .catch(() => undefined);
    await until(() => others.length === 2);
    assert.deepEqual(heard, ['one', 'two "2"']);
    await stop();
    await db.rows(sql`select pg_notify('things_changed', ${'three'})::text`);
    await until(() => others.length === 3);
    assert.deepEqual(heard, ['one', 'two "2"']);
  });

  test(`an attack: a channel with quotes in its name is refused (${engine})`, async () => {
    const db = await shared(engine);
    await assert.rejects(
      db.listen('x"; drop table things; --', () => undefined),
      TypeError,
    );
    await assert.rejects(
      db.listen('Upper', () => undefined),
      TypeError,
    );
  });

  test(`closing waits for what is running, works twice, and then says DatabaseUnavailable (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine, empty);
    const running = db.transaction(async (tx) => {
      await pause(30);
      return tx.rows(sql`select 1 as n`);
    });
    await db.ping();
    await pause(5);
    await Promise.all([db.close(), db.close()]);
    assert.deepEqual(await running, [{ n: 1 }]);
    await assert.rejects(db.rows(sql`select 1 as n`), DatabaseUnavailable);
    await assert.rejects(db.ping(), DatabaseUnavailable);
    await assert.rejects(
      db.listen('things_changed', () => undefined),
      DatabaseUnavailable,
    );
    await assert.rejects(
      db.transaction(async () => 1),
      DatabaseUnavailable,
    );
  });
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 3000) throw new Error('waited in vain');
    await pause(5);
  }
}
