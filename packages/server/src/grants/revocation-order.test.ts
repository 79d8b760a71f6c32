import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase, testPostgres } from '../testing/databases.ts';
import { findFeedHead, listRevocations, revokeToken } from './revocations.store.ts';

const NOW = new Date('2026-11-20T10:00:00Z');
const UNTIL = new Date('2026-11-21T10:00:00Z');
const of = (server: string) => ({ environmentId: 'env_1', mcpServerId: server });

const write = (db: Db, jti: string, server = 'res_1'): Promise<boolean> =>
  revokeToken(db, { ...of(server), jti, until: UNTIL, now: NOW });
async function read(db: Db, server = 'res_1'): Promise<{ jti: string; seq: number }[]> {
  const entries = await listRevocations(db, { ...of(server), now: NOW, limit: 1000 });
  return entries.map(({ seq, value }) => ({ jti: value, seq: Number(seq) })).reverse();
}

test('an entry whose transaction ends later has the higher number, whoever wrote first (AS-124)', async (t) => {
  const { database, open } = await testPostgres(t);
  const other = await open();
  const written = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<void>();
  const slow = database.transaction(async (tx) => {
    await write(tx, 'slow');
    written.resolve();
    await mayEnd.promise;
  });
  await written.promise;
  await write(other, 'fast');
  assert.deepEqual(await read(other), [{ jti: 'fast', seq: 1 }]);
  assert.equal((await findFeedHead(other, of('res_1'))).seq, 1n);
  mayEnd.resolve();
  await slow;
  // A follower that stands at 1 gets what it lacks.
  assert.deepEqual(await read(other), [
    { jti: 'fast', seq: 1 },
    { jti: 'slow', seq: 2 },
  ]);
});

test('a reader that looks all the time, while four hundred entries race, never sees one appear below another (AS-124)', async (t) => {
  const { database, open } = await testPostgres(t);
  const reader = await open();
  let racing = true;
  const seen = new Map<string, number>();
  const reading = (async () => {
    let highest = 0;
    let looks = 0;
    while (racing) {
      const head = await findFeedHead(reader, of('res_1'));
      const entries = await read(reader);
      assert.ok(Number(head.seq) <= (entries.at(-1)?.seq ?? 0));
      for (const { jti, seq } of entries) {
        if (seen.has(jti)) continue;
        assert.ok(seq > highest, `${jti} came as ${seq} after ${highest} had been seen`);
        seen.set(jti, seq);
      }
      highest = entries.at(-1)?.seq ?? 0;
      looks += 1;
    }
    return looks;
  })();
  for (let round = 0; round < 50; round += 1) {
    await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        database.transaction(async (tx) => {
          // Several servers in one transaction, in every order: nobody waits in a circle.
          const servers = index % 2 === 0 ? ['res_1', 'res_2'] : ['res_2', 'res_1'];
          for (const server of servers) await write(tx, `${round}-${index}`, server);
          if (index % 3 === 0) await tx.rows(sql`select pg_sleep(0.003)::text as slept`);
        }),
      ),
    );
  }
  racing = false;
  assert.ok((await reading) > 20);
  for (const server of ['res_1', 'res_2']) {
    const numbers = (await read(database, server)).map(({ seq }) => seq);
    assert.deepEqual(
      numbers,
      Array.from({ length: 400 }, (_, index) => index + 1),
    );
  }
});

for (const engine of engines) {
  test(`numbers go on after entries were forgotten and transactions undone, and each server counts for itself (AS-124) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await write(db, 'a');
    await write(db, 'b');
    await assert.rejects(
      db.transaction(async (tx) => {
        await write(tx, 'undone');
        throw new Error('undo');
      }),
    );
    await write(db, 'elsewhere', 'res_2');
    const before = await findFeedHead(db, of('res_1'));
    await db.rows(sql`delete from revocations`);
    assert.deepEqual(await findFeedHead(db, of('res_1')), before);
    await write(db, 'c');
    assert.deepEqual(await read(db), [{ jti: 'c', seq: 3 }]);
    await write(db, 'there', 'res_2');
    assert.deepEqual(await read(db, 'res_2'), [{ jti: 'there', seq: 2 }]);
  });

  test(`the origin of the numbers is another one for a table that was filled anew, and by hand (AS-124) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await write(db, 'a');
    const origin = async (): Promise<string> => (await findFeedHead(db, of('res_1'))).origin;
    const first = await origin();
    await write(db, 'b');
    assert.equal(await origin(), first);
    await db.rows(sql`create temp table copied as select * from revocation_feeds`);
    await db.rows(sql`truncate revocation_feeds`);
    await db.rows(sql`insert into revocation_feeds select * from copied`);
    const second = await origin();
    assert.notEqual(second, first);
    await db.rows(sql`update revocation_feeds set seed = gen_random_uuid()`);
    assert.notEqual(await origin(), second);
  });
}

test('a dump that is restored beside or in the place of the original has another origin (AS-124)', async (t) => {
  const original = await testPostgres(t);
  const copy = await testPostgres(t);
  await write(original.database, 'a');
  const [row] = await original.database.rows<{ seed: string }>(
    sql`select seed::text as seed from revocation_feeds where mcp_server_id = 'res_1'`,
  );
  await copy.database.rows(
    sql`insert into revocation_feeds (environment_id, mcp_server_id, newest_seq, seed) values ('env_1', 'res_1', 1, ${row?.seed}::uuid)`,
  );
  const heads = await Promise.all(
    [original, copy].map(({ database }) => findFeedHead(database, of('res_1'))),
  );
  assert.equal(heads[0]?.seq, heads[1]?.seq);
  assert.notEqual(heads[0]?.origin, heads[1]?.origin);
});
