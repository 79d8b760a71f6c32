import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../runtime/hash.ts';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import { addUpRowCounts, rowCount } from './row-counts.store.ts';

const now = new Date('2026-05-01T12:00:00Z');

async function addEnvironment(db: Db, id: string): Promise<void> {
  const url = `https://${id}.example`;
  await db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values (${id}, ${url}, '', 'DEVELOPMENT', ${now})`,
  );
}

/** People with the numbers from `first` to `last`, in one statement. */
async function addPeople(
  db: Db,
  environmentId: string,
  first: number,
  last: number,
): Promise<void> {
  await db.rows(sql`
    insert into users (environment_id, id, email, email_key, revocation_secret, created_at, updated_at)
    select ${environmentId}, 'usr_' || i, i || '@example.com', i || '@example.com', ${sha256('x')}::bytea, ${now}::timestamptz, ${now}::timestamptz
      from generate_series(${first}::int, ${last}::int) as i`);
}

async function counted(db: Db, environmentId: string): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(rowCount(environmentId, 'users'));
  return Number(rows[0]?.count ?? -1);
}

async function notes(db: Db): Promise<number> {
  const rows = await db.rows<{ count: bigint }>(
    sql`select count(*) as count from row_counts where table_name = 'users'`,
  );
  return Number(rows[0]?.count ?? -1);
}

for (const engine of engines) {
  test(`the count of a list is that of its rows: added, removed, rolled back, of another environment (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addEnvironment(db, 'env_1');
    await addEnvironment(db, 'env_2');
    assert.equal(await counted(db, 'env_1'), 0);
    await addPeople(db, 'env_1', 1, 7);
    await addPeople(db, 'env_2', 1, 3);
    assert.deepEqual([await counted(db, 'env_1'), await counted(db, 'env_2')], [7, 3]);
    await db.rows(
      sql`delete from users where environment_id = 'env_1' and id in ('usr_1', 'usr_2')`,
    );
    await assert.rejects(
      db.transaction(async (tx) => {
        await addPeople(tx, 'env_1', 10, 20);
        throw new Error('changed my mind');
      }),
    );
    await assert.rejects(addPeople(db, 'env_1', 7, 7), 'the id is taken');
    assert.deepEqual([await counted(db, 'env_1'), await counted(db, 'env_2')], [5, 3]);
  });

  test(`adding up leaves the count as it is, also when several do it while rows come and go (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addEnvironment(db, 'env_1');
    for (let i = 0; i < 110; i += 1) await addPeople(db, 'env_1', i, i);
    const work = [1, 2, 3].map(() => addUpRowCounts(db));
    for (let i = 110; i < 130; i += 1) work.push(addPeople(db, 'env_1', i, i).then(() => 0));
    work.push(
      db
        .rows(sql`delete from users where environment_id = 'env_1' and id < 'usr_11'`)
        .then(() => 0),
    );
    const seen: number[] = [];
    const watch = Promise.all(work).then(() => 'over');
    while ((await Promise.race([watch, counted(db, 'env_1')])) !== 'over')
      seen.push(await counted(db, 'env_1'));
    const real = await db.rows<{ count: bigint }>(sql`select count(*) as count from users`);
    assert.equal(await counted(db, 'env_1'), Number(real[0]?.count));
    assert.ok(
      seen.every((count) => count >= 100),
      `a half sum was seen: ${Math.min(...seen)}`,
    );
    assert.ok((await notes(db)) < 50, `${await notes(db)} notes are left`);
    assert.equal(await addUpRowCounts(db), 0, 'few notes are left alone');
  });
}
