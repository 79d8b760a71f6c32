import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../runtime/hash.ts';
import { sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import * as store from './passwordless.store.ts';

const environmentId = 'env_1';
const id = 'request';
const now = new Date('2026-05-01T12:00:00Z');
const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
const request = {
  environmentId,
  id,
  email: 'Ana@example.com',
  emailKey: 'ana@example.com',
  type: 'LINK_OTP',
  template: 'SIGNIN',
  magiclinkAuthUri: 'https://app.example/',
  state: undefined,
  expiresIn: 300,
  templateVariables: {},
  codeMac: sha256('code'),
  linkHash: sha256('link'),
  secretsSealed: new Uint8Array([1]),
  now,
  expiresAt: after(300),
} as const;

for (const engine of engines)
  test(`five different tries are counted and no sixth, at once or one after the other; a repeated one counts once (guessing, AS-147) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await db.rows(
      sql`insert into environments (id, url, display_name, kind, created_at) values (${environmentId}, 'https://e.example', '', 'DEVELOPMENT', ${now})`,
    );
    await store.insertPasswordlessRequest(db, request);
    const attempt = (typed: string, more: { environmentId?: string; now?: Date } = {}) =>
      store.countPasswordlessTry(db, {
        environmentId,
        id,
        tryMac: sha256(typed),
        most: 5,
        now,
        ...more,
      });
    assert.equal((await attempt('a'))?.attempts, 1);
    assert.equal((await attempt('a'))?.attempts, 1, 'again');
    assert.equal(await attempt('b', { environmentId: 'env_2' }), undefined);
    assert.equal(await attempt('b', { now: after(300) }), undefined, 'expired');
    const raced = await Promise.all(Array.from({ length: 12 }, (_, index) => attempt(`${index}`)));
    assert.equal(raced.filter((one) => one !== undefined).length, 4);
    assert.equal(await attempt('z'), undefined);

    const proof = { environmentId, id, now };
    const wrong = { ...proof, codeMac: sha256('other') };
    assert.equal(await store.usePasswordlessRequest(db, wrong), false, 'replaced meanwhile');
    const uses = await Promise.all([
      store.usePasswordlessRequest(db, { ...proof, codeMac: sha256('code') }),
      store.usePasswordlessRequest(db, { ...proof, linkHash: sha256('link') }),
      store.usePasswordlessRequest(db, { ...proof, codeMac: sha256('code') }),
    ]);
    assert.deepEqual(uses.filter(Boolean), [true]);
    const used = await store.lockPasswordlessRequest(db, proof);
    assert.equal(used?.secretsSealed, undefined, 'nothing of it can be mailed again');
    await store.deletePasswordlessRequests(db, after(300));
    assert.ok(await store.lockPasswordlessRequest(db, proof));
    await store.deletePasswordlessRequests(db, after(301));
    assert.equal(await store.lockPasswordlessRequest(db, proof), undefined);
  });
