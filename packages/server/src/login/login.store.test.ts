import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../runtime/hash.ts';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import * as requests from './login-requests.store.ts';
import * as codes from './sign-in-codes.store.ts';

const environmentId = 'env_1';
const now = new Date('2026-05-01T12:00:00Z');
const after = (seconds: number) => new Date(now.getTime() + seconds * 1000);
const id = 'a'.repeat(43);
const by = { environmentId, id, now };

const request: requests.NewLoginRequest = {
  environmentId,
  id,
  browserHash: sha256('browser'),
  flowId: 'flow_1',
  authRequestId: 'req_1',
  issuer: 'https://e.example',
  clientId: 'skc_1',
  mcpServerId: undefined,
  redirectUri: 'https://app.example/callback',
  details: {
    purpose: { kind: 'app', app: 'Acme' },
    prompts: ['login'],
    parameters: { state: 'x"y' },
  },
  network: '127.0.0.1/32',
  now,
  expiresAt: after(600),
};

function code(name: string, more: Partial<codes.NewCode> = {}): codes.NewCode {
  return {
    environmentId,
    id: name,
    loginRequestId: id,
    browserHash: sha256('browser'),
    email: 'Ana@example.com',
    emailKey: 'ana@example.com',
    displayName: 'Ana',
    codeMac: sha256(`mac ${name}`),
    linkHash: sha256(`link ${name}`),
    pairingCodeSealed: new Uint8Array([1]),
    sent: true,
    lastOutcome: undefined,
    waitUntil: undefined,
    now,
    expiresAt: after(600),
    address: '127.0.0.1',
    userAgent: 'test',
    ...more,
  };
}

for (const engine of engines) {
  test(`a login request is read back as it was frozen, and only in its environment (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await requests.insertLoginRequest(db, request);
    const found = await requests.findLoginRequest(db, by);
    assert.deepEqual(found?.details, request.details);
    assert.deepEqual(
      [found?.promptDone, found?.decision, found?.endedAt],
      [false, undefined, undefined],
    );
    assert.equal(await requests.findLoginRequest(db, { environmentId: 'env_2', id }), undefined);
    await assert.rejects(requests.insertLoginRequest(db, request), 'an id is never used twice');
    const elsewhere = { ...request, id: 'elsewhere', authRequestId: 'req_2' };
    const details = { ...request.details, ownSignIn: 'conn_1' };
    await requests.insertLoginRequest(db, { ...elsewhere, details });
    const log = await db.rows(
      sql`select id, state, workflow, client_id, connection_id from auth_requests order by id`,
    );
    const line = { state: 'INITIATED', workflow: 'LOGIN', client_id: 'skc_1' };
    assert.deepEqual(log, [
      { id: 'req_1', ...line, connection_id: null },
      { id: 'req_2', ...line, connection_id: 'conn_1' },
    ]);
  });

  test(`the first decision is the only one, and a request that is over takes none (AS-128) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await requests.insertLoginRequest(db, request);
    const allow = {
      ...by,
      kind: 'allow' as const,
      digest: sha256('allow'),
      sessionId: 'ses_1',
      code: { sealed: new Uint8Array([9]), hash: sha256('code') },
    };
    assert.equal(
      await requests.decideLoginRequest(db, { ...allow, now: after(600) }),
      false,
      'expired',
    );
    const won = await Promise.all([1, 2, 3].map(() => requests.decideLoginRequest(db, allow)));
    assert.deepEqual(won.sort(), [false, false, true]);
    assert.equal(await requests.decideLoginRequest(db, { ...allow, kind: 'deny' }), false);
    assert.equal(await requests.setLoginEmail(db, { ...by, email: 'x', emailKey: 'x' }), false);
    const found = await requests.findLoginRequest(db, by);
    assert.deepEqual([found?.decision?.kind, found?.codeSealed], ['allow', new Uint8Array([9])]);
    assert.deepEqual(
      [await requests.endLoginRequest(db, by), await requests.endLoginRequest(db, by)],
      [true, false],
    );
    assert.equal(
      (await requests.findLoginRequest(db, by))?.codeSealed,
      undefined,
      'the raw code is gone',
    );
    assert.equal(await requests.setPromptDone(db, by), false);
  });

  test(`only live requests of the same network count as pending; old ones and raw codes are swept (AS-65) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    const pending = (network: string, at = now) =>
      db.transaction((tx) => requests.pendingOfNetwork(tx, { environmentId, network, now: at }));
    await requests.insertLoginRequest(db, request);
    await requests.insertLoginRequest(db, {
      ...request,
      id: 'b'.repeat(43),
      network: '10.0.0.1/32',
    });
    assert.deepEqual(await pending(request.network), { count: 1, firstEnds: after(600) });
    assert.equal((await pending(request.network, after(600))).count, 0);
    await requests.endLoginRequest(db, by);
    assert.equal((await pending(request.network)).count, 0);
    await requests.deleteLoginRequests(db, { expiredBefore: after(601), now });
    assert.equal(await requests.findLoginRequest(db, by), undefined);
  });

  test(`five tries are counted and no sixth, none after the end, and none of another request (AS-147) (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await requests.insertLoginRequest(db, request);
    await codes.replaceCode(db, code('one'));
    const of = { environmentId, loginRequestId: id };
    const tryIt = (more = {}) => codes.countTry(db, { ...of, id: 'one', now, ...more });
    assert.equal(await tryIt({ now: after(600) }), undefined, 'expired');
    assert.equal(await tryIt({ loginRequestId: 'other' }), undefined);
    assert.equal(await tryIt({ environmentId: 'env_2' }), undefined);
    const counted = await Promise.all(Array.from({ length: 9 }, () => tryIt()));
    assert.deepEqual(counted.flatMap((one) => one?.attempts ?? []).sort(), [1, 2, 3, 4, 5]);
    await codes.replaceCode(db, code('two', { now: after(1) }));
    assert.equal(await codes.countTry(db, { ...of, id: 'one', now }), undefined, 'superseded');
    assert.equal((await codes.findNewestCode(db, of))?.id, 'two');
    assert.deepEqual(
      (await codes.findOlderCodes(db, of)).map((one) => one.id),
      ['one'],
    );
  });

  test(`a code is used once, never after a refusal, a newer code, or the end of its request (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await requests.insertLoginRequest(db, request);
    const use = (name: string, at = now) => codes.useCode(db, { environmentId, id: name, now: at });
    await codes.replaceCode(db, code('one'));
    await codes.replaceCode(db, code('two'));
    assert.equal(await use('one'), false, 'superseded');
    assert.equal(await use('two', after(600)), false, 'expired');
    const used = await Promise.all([use('two'), use('two'), use('two')]);
    assert.deepEqual(used.sort(), [false, false, true]);
    assert.equal(
      await codes.refuseCode(db, { environmentId, id: 'two', now }),
      false,
      'used before',
    );
    await codes.replaceCode(db, code('three'));
    assert.equal(await codes.refuseCode(db, { environmentId, id: 'three', now }), true);
    assert.equal(await use('three'), false, 'refused');
    await codes.replaceCode(db, code('four'));
    await requests.endLoginRequest(db, by);
    assert.equal(await use('four'), false, 'its request is over');
  });

  test(`a code is found by its link, says what the last try came to, and is swept when it is old (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await codes.replaceCode(db, code('one'));
    const byLink = (environment = environmentId) =>
      codes.findCodeByLink(db, { environmentId: environment, linkHash: sha256('link one') });
    assert.equal((await byLink())?.email, 'Ana@example.com');
    assert.equal(await byLink('env_2'), undefined);
    await codes.noteOutcome(db, {
      environmentId,
      id: 'one',
      outcome: 'wait',
      waitUntil: after(20),
    });
    const noted = await byLink();
    assert.deepEqual([noted?.lastOutcome, noted?.waitUntil], ['wait', after(20)]);
    await codes.endCodes(db, { environmentId, loginRequestId: id, now });
    assert.equal((await byLink())?.over, true);
    await codes.deleteCodesExpiredBefore(db, after(600));
    assert.equal(await codeCount(db), 1);
    await codes.deleteCodesExpiredBefore(db, after(601));
    assert.equal(await codeCount(db), 0);
  });
}

async function codeCount(db: Db): Promise<number> {
  const rows = await db.rows<{ count: number }>(
    sql`select count(*)::int as count from sign_in_codes`,
  );
  return rows[0]?.count ?? -1;
}
