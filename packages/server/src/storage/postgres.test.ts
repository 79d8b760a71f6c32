import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { testPostgres } from '../testing/databases.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres-server.ts';
import { DatabaseUnavailable, type Db, script, sql } from './db.ts';
import { openPostgres } from './postgres.ts';

const empty = { migrated: false };

/** A server of our own, to be stopped at will. */
let server: TestPostgres;
before(async () => {
  server = await startTestPostgres();
});
after(() => server.stop());

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 20) {
    if (waited > 8000) throw new Error('waited in vain');
    await pause(20);
  }
}

test('a race: of fifty that redeem the same code at once through two pools, one gets it', async (t) => {
  const { database, open } = await testPostgres(t, empty);
  const second = await open();
  await database.rows(
    script(
      'create table codes (code text primary key); create table redeemed (code text, by int4)',
    ),
  );
  for (const code of ['a', 'b', 'c']) {
    await database.rows(sql`insert into codes (code) values (${code})`);
    const redeem = (db: Db, by: number) =>
      db.rows(sql`
      with gone as (delete from codes where code = ${code} returning code)
      insert into redeemed (code, by) select code, ${by} from gone returning by`);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_each, by) => redeem(by % 2 ? database : second, by)),
    );
    assert.equal(results.filter((rows) => rows.length === 1).length, 1);
  }
  assert.deepEqual(await database.rows(sql`select count(*) as n from redeemed`), [{ n: 3n }]);
});

test('the database goes away and comes back: DatabaseUnavailable meanwhile, then everything works without a restart of ours', async (t) => {
  const log: string[] = [];
  const database = await openPostgres({
    url: server.url,
    connectTimeout: 1000,
    log: (message) => log.push(message),
  });
  t.after(() => database.close());
  const heard: string[] = [];
  await database.listen('news', (payload) => heard.push(payload));
  const read = () => database.rows(sql`select 1 as n`);
  await Promise.all([read(), read(), read()]);
  const interrupted = database.transaction(async (tx) => {
    await tx.rows(sql`select 1 as n`);
    await until(
      async () => (await read().catch((error: unknown) => error)) instanceof DatabaseUnavailable,
    );
    await tx.rows(sql`select 2 as n`);
  });
  const refused = assert.rejects(interrupted, DatabaseUnavailable);
  await server.restart(async () => {
    await refused;
    for (let attempt = 0; attempt < 3; attempt++) {
      await assert.rejects(read(), DatabaseUnavailable);
      await assert.rejects(database.ping(), DatabaseUnavailable);
      await assert.rejects(
        database.transaction((tx) => tx.rows(sql`select 1 as n`)),
        DatabaseUnavailable,
      );
    }
    await assert.rejects(
      openPostgres({ url: server.url, connectTimeout: 500 }),
      DatabaseUnavailable,
    );
  });
  assert.deepEqual(await read(), [{ n: 1 }]);
  assert.deepEqual(await database.transaction((tx) => tx.rows(sql`select 2 as n`)), [{ n: 2 }]);
  // Listeners hear that something may have been missed, then what comes.
  await until(() => heard.length > 0);
  assert.deepEqual(heard, ['']);
  await database.rows(sql`select pg_notify('news', 'after')::text`);
  await until(() => heard.length > 1);
  assert.deepEqual(heard, ['', 'after']);
  assert.ok(log.includes('database connection for notifications lost'));
});

test('a connection that dies between the statements of a transaction ends the transaction, not the process', async (t) => {
  const { database } = await testPostgres(t, empty);
  await database.rows(script('create table rows_kept (n int4)'));
  const killed = database.transaction(async (tx) => {
    await tx.rows(sql`insert into rows_kept (n) values (1)`);
    const [backend] = await tx.rows<{ pid: number }>(sql`select pg_backend_pid() as pid`);
    await database.rows(sql`select pg_terminate_backend(${backend?.pid})`);
    await pause(50);
    await tx.rows(sql`insert into rows_kept (n) values (2)`);
  });
  await assert.rejects(killed, DatabaseUnavailable);
  assert.deepEqual(await database.rows(sql`select n from rows_kept`), []);
});

test('idle connections that the server cuts are replaced', async (t) => {
  const { database, open } = await testPostgres(t, empty);
  const administrator = await open({ maxConnections: 1 });
  await Promise.all(
    Array.from({ length: 5 }, () => database.rows(sql`select pg_sleep(0.02)::text`)),
  );
  await administrator.rows(sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'gatewarden'`);
  await pause(50);
  const results = await Promise.all(
    Array.from({ length: 5 }, (_each, n) => database.rows(sql`select ${n}::int4 as n`)),
  );
  assert.equal(results.length, 5);
});

test('a statement that takes too long is stopped, as DatabaseUnavailable, and holds up nobody', async (t) => {
  const { url } = await testPostgres(t, empty);
  const database = await openPostgres({
    url,
    maxConnections: 1,
    statementTimeout: 100,
    connectTimeout: 300,
  });
  t.after(() => database.close());
  await assert.rejects(database.rows(sql`select pg_sleep(5)::text`), DatabaseUnavailable);
  assert.deepEqual(await database.rows(sql`select 1 as n`), [{ n: 1 }]);
});

test('a lock that is not had in time is DatabaseUnavailable', async (t) => {
  const { url, database } = await testPostgres(t, empty);
  await database.rows(script('create table busy (n int4)'));
  const impatient = await openPostgres({ url, lockTimeout: 50 });
  t.after(() => impatient.close());
  await database.transaction(async (tx) => {
    await tx.rows(sql`lock table busy in access exclusive mode`);
    await assert.rejects(impatient.rows(sql`select n from busy`), DatabaseUnavailable);
  });
  assert.deepEqual(await impatient.rows(sql`select n from busy`), []);
});

test('with all connections taken a caller waits for a while and is then told DatabaseUnavailable', async (t) => {
  const { url } = await testPostgres(t, empty);
  const database = await openPostgres({ url, maxConnections: 1, connectTimeout: 150 });
  t.after(() => database.close());
  const busy = database.rows(sql`select pg_sleep(0.5)::text`);
  await assert.rejects(database.rows(sql`select 1 as n`), DatabaseUnavailable);
  await busy;
  assert.deepEqual(await database.rows(sql`select 1 as n`), [{ n: 1 }]);
});

test('two transactions that lock each other out both succeed: the server undoes one and it runs again', async (t) => {
  const { database } = await testPostgres(t, empty);
  await database.rows(
    script(
      'create table pair (n int4 primary key, v int4 not null); insert into pair values (1, 0), (2, 0)',
    ),
  );
  let runs = 0;
  const both = (first: number, second: number) =>
    database.transaction(async (tx) => {
      runs++;
      await tx.rows(sql`update pair set v = v + 1 where n = ${first}`);
      await pause(100);
      await tx.rows(sql`update pair set v = v + 1 where n = ${second}`);
    });
  await Promise.all([both(1, 2), both(2, 1)]);
  assert.deepEqual(await database.rows(sql`select n, v from pair order by n`), [
    { n: 1, v: 2 },
    { n: 2, v: 2 },
  ]);
  assert.equal(runs, 3);
});

test('a server that accepts and says nothing is DatabaseUnavailable after the time-out', async (t) => {
  const silent = createServer().listen(0, '127.0.0.1');
  const sockets = new Set<{ destroy(): void }>();
  silent.on('connection', (socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  await once(silent, 'listening');
  const address = silent.address();
  assert.ok(typeof address === 'object' && address);
  await assert.rejects(
    openPostgres({ url: `postgres://x@127.0.0.1:${address.port}/x`, connectTimeout: 150 }),
    DatabaseUnavailable,
  );
});

test('a network that swallows answers: DatabaseUnavailable in bounded time, and the next caller gets a new connection', async (t) => {
  const { url } = await testPostgres(t, empty);
  const port = Number(new URL(url).port);
  let swallow = false;
  const sockets = new Set<Socket>();
  const proxy = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
    near.pipe(far);
    far.on('data', (chunk) => swallow || near.write(chunk));
  }).listen(0, '127.0.0.1');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  await once(proxy, 'listening');
  const address = proxy.address();
  assert.ok(typeof address === 'object' && address);
  const through = new URL(url);
  through.port = String(address.port);
  const database = await openPostgres({
    url: through.href,
    maxConnections: 1,
    statementTimeout: 50,
    connectTimeout: 500,
  });
  t.after(() => database.close());
  swallow = true;
  await assert.rejects(database.rows(sql`select 1 as n`), DatabaseUnavailable);
  swallow = false;
  assert.deepEqual(await database.rows(sql`select 2 as n`), [{ n: 2 }]);
});

test('no error shows the password of the database URL', async () => {
  for (const url of [
    'postgres://me:s3cret@exa mple/db',
    'mysql://me:s3cret@127.0.0.1/db',
    'postgres://me:s3cret@127.0.0.1:1/db',
    'postgres://me:s3cret@127.0.0.1:99999/db',
  ]) {
    const error = await openPostgres({ url, connectTimeout: 500 }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof Error, url);
    assert.ok(
      !`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`.includes('s3cret'),
      url,
    );
  }
});
