import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../runtime/hash.ts';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import { setUserEnabled } from '../users/users.store.ts';
import { endActiveSessions } from './session-records.store.ts';
import * as store from './sessions.store.ts';

const environmentId = 'env_1';
const now = new Date('2026-05-01T12:00:00Z');
const after = (days: number) => new Date(now.getTime() + days * 86_400_000);
const browserHash = sha256('browser');
const token = (name: string) => sha256(name);

async function addPeople(db: Db): Promise<void> {
  await db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values (${environmentId}, 'https://e.example', '', 'DEVELOPMENT', ${now})`,
  );
  for (const id of ['usr_1', 'usr_2']) {
    const email = `${id}@example.com`;
    await db.rows(
      sql`insert into users (environment_id, id, email, email_key, revocation_secret, created_at, updated_at) values (${environmentId}, ${id}, ${email}, ${email}, ${sha256(id)}, ${now}, ${now})`,
    );
  }
}

function session(id: string, tokenName: string, userId = 'usr_1'): store.NewSession {
  return {
    environmentId,
    id,
    tokenHash: token(tokenName),
    browserHash,
    userId,
    method: 'email-code',
    now,
    idleSeconds: 7 * 86_400,
    organizationId: undefined,
    connectionId: undefined,
    idleExpiresAt: after(7),
    absoluteExpiresAt: after(30),
    address: '127.0.0.1',
    userAgent: 'test',
  };
}

const find = (
  db: Db,
  tokens: string[],
  more: Partial<Parameters<typeof store.findSessions>[1]> = {},
) =>
  store.findSessions(db, {
    environmentId,
    tokenHashes: tokens.map(token),
    browserHash,
    now,
    ...more,
  });

for (const engine of engines) {
  test(`a session is found only by its token, in its browser and environment, while it lives and its person is on (AS-30) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addPeople(db);
    assert.equal(await store.insertSession(db, session('ses_1', 'a')), true);
    assert.equal(await store.insertSession(db, session('ses_1', 'b')), false, 'the id is taken');
    const [found] = await find(db, ['x', 'a']);
    assert.deepEqual([found?.session.id, found?.session.email], ['ses_1', 'usr_1@example.com']);
    assert.deepEqual(await find(db, ['x']), []);
    assert.deepEqual(await find(db, ['a'], { browserHash: sha256('other') }), []);
    assert.deepEqual(await find(db, ['a'], { environmentId: 'env_2' }), []);
    assert.deepEqual(await find(db, ['a'], { now: after(7) }), [], 'idle');
    for (const day of [6, 12, 18, 24])
      await store.touchSession(db, { environmentId, id: 'ses_1', now: after(day) });
    assert.equal((await find(db, ['a'], { now: after(29) })).length, 1);
    assert.deepEqual(await find(db, ['a'], { now: after(30) }), [], 'absolute');
    await setUserEnabled(db, { environmentId, id: 'usr_1', enabled: false, now });
    assert.deepEqual(await find(db, ['a']), []);
  });

  test(`a token is replaced only by whoever still has the current one, and an ended session by nobody (fixation, replay) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addPeople(db);
    await store.insertSession(db, session('ses_1', 'a'));
    const replace = (from: string, to: string) =>
      store.replaceToken(db, {
        environmentId,
        id: 'ses_1',
        oldTokenHash: token(from),
        tokenHash: token(to),
      });
    assert.deepEqual([await replace('a', 'b'), await replace('a', 'c')], [true, false]);
    const renewal = { ...session('ses_1', 'd'), oldTokenHash: token('b'), now: after(1) };
    assert.equal(await store.renewSession(db, renewal), true);
    assert.equal(await store.renewSession(db, renewal), false);
    const [found] = await find(db, ['d'], { now: after(1) });
    assert.deepEqual(found?.session.authenticatedAt, after(1));
    const end = { environmentId, ids: ['ses_1', 'ses_2'], because: 'test', now };
    const ended = await endActiveSessions(db, { ...end, now: after(1) });
    assert.deepEqual(
      ended.map((one) => [one.id, one.userId]),
      [['ses_1', 'usr_1']],
    );
    assert.deepEqual(await endActiveSessions(db, { ...end, now: after(1) }), []);
    assert.equal(await replace('d', 'e'), false);
    assert.deepEqual(await find(db, ['d']), []);
  });

  test(`all sessions of one person end, and no one else’s; that somebody signed in here is remembered (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await addPeople(db);
    await store.insertSession(db, session('ses_1', 'a'));
    await store.insertSession(db, { ...session('ses_2', 'b'), browserHash: sha256('other') });
    await store.insertSession(db, session('ses_3', 'c', 'usr_2'));
    const own = { environmentId, userId: 'usr_1', because: 'test', now };
    assert.equal((await endActiveSessions(db, own)).length, 2);
    assert.deepEqual(
      (await find(db, ['a', 'b', 'c'])).map((one) => one.session.id),
      ['ses_3'],
    );
    const known = (emailKey: string, hash = browserHash) =>
      store.hasSignedInHere(db, { environmentId, browserHash: hash, emailKey });
    assert.equal(await known('usr_1@example.com'), true);
    assert.equal(await known('usr_2@example.com', sha256('other')), false);
    assert.equal(await known('nobody@example.com'), false);
  });
}
