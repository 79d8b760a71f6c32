import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase, testPostgres } from '../testing/databases.ts';
import {
  findUserByEmail,
  findUserRow,
  insertUser,
  noteProof,
  setUserEnabled,
} from './users.store.ts';

const now = new Date('2026-05-01T12:00:00Z');
const later = new Date('2026-05-02T12:00:00Z');
const environmentId = 'env_1';

async function addEnvironments(db: Db): Promise<void> {
  for (const id of [environmentId, 'env_2']) {
    await db.rows(
      sql`insert into environments (id, url, display_name, kind, created_at) values (${id}, ${`https://${id}.example`}, '', 'DEVELOPMENT', ${now})`,
    );
  }
}

function person(id: string, email: string) {
  const revocationSecret = new Uint8Array(randomBytes(32));
  return {
    environmentId,
    id,
    email,
    emailKey: email.toLowerCase(),
    name: 'Ana',
    revocationSecret,
    now,
  };
}

for (const engine of engines) {
  test(`a person is found by id and by address, in their own environment only (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addEnvironments(db);
    const made = await insertUser(db, person('usr_1', 'Ana@example.com'));
    assert.deepEqual(
      [made?.email, made?.emailKey, made?.enabled],
      ['Ana@example.com', 'ana@example.com', true],
    );
    assert.deepEqual(await findUserRow(db, { environmentId, id: 'usr_1' }), made);
    assert.deepEqual(
      await findUserByEmail(db, { environmentId, emailKey: 'ana@example.com' }),
      made,
    );
    assert.equal(await findUserRow(db, { environmentId: 'env_2', id: 'usr_1' }), undefined);
    assert.equal(
      await findUserByEmail(db, { environmentId: 'env_2', emailKey: 'ana@example.com' }),
      undefined,
    );
  });

  test(`a taken address or id makes no second person (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addEnvironments(db);
    await insertUser(db, person('usr_1', 'ana@example.com'));
    assert.equal(await insertUser(db, person('usr_2', 'ANA@example.com')), undefined);
    assert.equal(await insertUser(db, person('usr_1', 'bob@example.com')), undefined);
    const rows = await db.rows<{ count: number }>(sql`select count(*)::int as count from users`);
    assert.equal(rows[0]?.count, 1);
  });

  test(`switching off works once and moves the row version; a proof of somebody who is off notes nothing (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addEnvironments(db);
    await insertUser(db, person('usr_1', 'ana@example.com'));
    const off = { environmentId, id: 'usr_1', enabled: false, now: later };
    assert.deepEqual([await setUserEnabled(db, off), await setUserEnabled(db, off)], [true, false]);
    assert.equal(
      await setUserEnabled(db, { ...off, environmentId: 'env_2', enabled: true }),
      false,
    );
    const proof = { environmentId, emailKey: 'ana@example.com', now: later };
    assert.equal((await noteProof(db, proof))?.enabled, false);
    const read = () =>
      db.rows<{ last_login_at: Date; row_version: bigint }>(
        sql`select last_login_at, row_version from users`,
      );
    assert.deepEqual(await read(), [{ last_login_at: now, row_version: 2n }]);
    await setUserEnabled(db, { ...off, enabled: true });
    await noteProof(db, proof);
    assert.deepEqual(await read(), [{ last_login_at: later, row_version: 3n }]);
  });
}

test('of two processes that see the same new address proven at once, one adds the person', async (t) => {
  const { database, open } = await testPostgres(t);
  await addEnvironments(database);
  const other = await open();
  const made = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      insertUser(index % 2 === 0 ? database : other, person(`usr_${index}`, 'new@example.com')),
    ),
  );
  assert.equal(made.filter((user) => user !== undefined).length, 1);
});
