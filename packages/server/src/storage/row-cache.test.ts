import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from './db.ts';
import { forgetAllRows, forgetRow, rememberRowsOf, rowCache } from './row-cache.ts';

/** A cache over one row that the test changes, with its own clock. */
function site() {
  const db: Db = {
    engine: 'pglite',
    rows: async () => [],
    transaction: async (work) => await work(db),
  };
  rememberRowsOf(db);
  const clock = { now: 1_000_000 };
  const row: { value: string | undefined; reads: number; reading: Promise<void> | undefined } = {
    value: 'first',
    reads: 0,
    reading: undefined,
  };
  const remembered = rowCache<string>('clients');
  const read = (id = 'm2m_1', environmentId = 'env_1', through: Db = db) =>
    remembered({ db: through, now: () => new Date(clock.now) }, environmentId, id, async () => {
      row.reads += 1;
      const { value } = row;
      await row.reading;
      return value;
    });
  const change = (value: string | undefined) => {
    row.value = value;
  };
  return { db, clock, row, read, change };
}

const told = (table: string, id: string, environmentId = 'env_1') =>
  JSON.stringify({ table, environment_id: environmentId, id });

test('a change nobody told of is seen after 30 seconds at the latest (ruling 15, stale client)', async () => {
  const { clock, read, change } = site();
  assert.equal(await read(), 'first');
  change('disabled');
  clock.now += 29_999;
  assert.equal(await read(), 'first');
  clock.now += 1;
  assert.equal(await read(), 'disabled');
});

test('a use does not make a remembered row younger: it is read again after 30 seconds however busy it is', async () => {
  const { clock, read, change } = site();
  await read();
  change('disabled');
  for (let second = 0; second < 30; second += 1) {
    clock.now += 1000;
    await read();
  }
  assert.equal(await read(), 'disabled');
});

test('a change that is told of is seen at once, and of no other row, table or environment', async () => {
  const { db, row, read, change } = site();
  await read();
  change('disabled');
  for (const payload of [
    told('clients', 'm2m_2'),
    told('mcp_servers', 'm2m_1'),
    told('clients', 'm2m_1', 'env_2'),
  ])
    forgetRow(db, payload);
  assert.equal(await read(), 'first');
  forgetRow(db, told('clients', 'm2m_1'));
  assert.equal(await read(), 'disabled');
  assert.equal(row.reads, 2);
});

test('a notification that cannot be read, or a lost connection, forgets everything', async () => {
  for (const forget of [
    (db: Db) => forgetRow(db, ''),
    (db: Db) => forgetRow(db, '{"table":"clients"}'),
    (db: Db) => forgetRow(db, 'null'),
    (db: Db) => forgetAllRows(db),
  ]) {
    const { db, read, change } = site();
    await read();
    change('disabled');
    forget(db);
    assert.equal(await read(), 'disabled');
  }
});

test('what was read before a change and arrives after its notification is not kept (race)', async () => {
  const { db, row, read, change } = site();
  const slow = Promise.withResolvers<void>();
  row.reading = slow.promise;
  const early = read();
  change('disabled');
  forgetRow(db, told('clients', 'm2m_1'));
  slow.resolve();
  row.reading = undefined;
  assert.equal(await early, 'first', 'this request had begun before');
  assert.equal(await read(), 'disabled');
});

test('absence is not remembered: what is made is there at once; what is gone is gone after the notification', async () => {
  const { db, read, change } = site();
  change(undefined);
  assert.equal(await read(), undefined);
  change('made');
  assert.equal(await read(), 'made');
  change(undefined);
  forgetRow(db, told('clients', 'm2m_1'));
  assert.equal(await read(), undefined);
});

test('inside of a transaction, and with a clock that was set back, nothing remembered is used', async () => {
  const { db, clock, read, change } = site();
  await read();
  change('disabled');
  await db.transaction(async () => {
    const inside: Db = { ...db };
    assert.equal(await read('m2m_1', 'env_1', inside), 'disabled');
  });
  clock.now -= 60_000;
  assert.equal(await read(), 'disabled');
});

test('ids and environments do not run into each other', async () => {
  const { read, change } = site();
  assert.equal(await read('b', 'a'), 'first');
  change('other');
  assert.equal(await read('a', 'b'), 'other');
  assert.equal(await read('', 'ab'), 'other');
  assert.equal(await read('b', 'a'), 'first');
});
