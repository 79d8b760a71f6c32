import assert from 'node:assert/strict';
import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { createSecrets } from '../../runtime/secrets.ts';
import { testPostgres } from '../../testing/databases.ts';
import {
  currentOf,
  firstRefreshToken,
  looksLikeRefreshToken,
  successorOf,
} from './refresh-ratchet.ts';
import {
  makeClient,
  makeCode,
  makeServer,
  redeem,
  refresh,
  SECRET_KEY,
  startSite,
} from './test-site.ts';

const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
const NEW_KEY = new Uint8Array(32).fill(9);

test('a successor is HMAC-SHA-256 over token and salt with a key for this use only (AS-108, AS-150)', () => {
  const secrets = createSecrets([SECRET_KEY], random);
  const salt = new Uint8Array(32).fill(1);
  const token = `rt_${'A'.repeat(43)}`;
  const key = Buffer.from(
    hkdfSync('sha256', SECRET_KEY, 'gatewarden', 'gatewarden refresh-ratchet v1', 32),
  );
  const expected = createHmac('sha256', key).update(token).update(salt).digest('base64url');
  assert.equal(successorOf({ secrets }, token, salt, secrets.keyId), `rt_${expected}`);
  assert.notEqual(
    successorOf({ secrets }, token, new Uint8Array(32), secrets.keyId),
    `rt_${expected}`,
  );
  assert.notEqual(
    Buffer.from(secrets.mac('csrf', Buffer.concat([Buffer.from(token), salt]))).toString(
      'base64url',
    ),
    expected,
  );
});

test('the way to the current token ends at the first salt that is gone (AS-108)', () => {
  const secrets = createSecrets([SECRET_KEY], random);
  const first = firstRefreshToken({ random });
  const steps = [1, 2, 3].map((fill) => ({
    salt: new Uint8Array(32).fill(fill),
    keyId: secrets.keyId,
  }));
  const expected = steps.reduce(
    (token, { salt, keyId }) => successorOf({ secrets }, token, salt, keyId),
    first,
  );
  assert.equal(currentOf({ secrets }, first, steps), expected);
  assert.equal(currentOf({ secrets }, first, []), first);
  assert.equal(
    currentOf(
      { secrets },
      first,
      [steps[0], { salt: undefined, keyId: secrets.keyId }].flatMap((step) => step ?? []),
    ),
    undefined,
  );
});

test('only values of our own form are looked up', () => {
  assert.equal(looksLikeRefreshToken(firstRefreshToken({ random })), true);
  for (const value of [
    '',
    'rt_',
    `rt_${'A'.repeat(42)}`,
    `rt_${'A'.repeat(44)}`,
    `RT_${'A'.repeat(43)}`,
    `rt_${'A'.repeat(42)}=`,
    `rt_${'A'.repeat(42)}\n`,
  ]) {
    assert.equal(looksLikeRefreshToken(value), false, JSON.stringify(value));
  }
});

test('replacing the operator key changes no refresh token, not even inside a grace (AS-108)', async (t) => {
  const postgres = await testPostgres(t);
  const before = await startSite(t, { database: postgres.database });
  const server = await makeServer(before);
  const client = await makeClient(before, { mcpServerId: server.id });
  const first = (await redeem(server.issuer, await makeCode(before, { server, client }), client))
    .body['refresh_token'];
  const second = (await refresh(server.issuer, first, client)).body['refresh_token'];

  const after = await startSite(t, {
    database: await postgres.open(),
    url: before.E,
    secretKeys: [NEW_KEY, SECRET_KEY],
  });
  const issuer = `${after.origin}/resources/${server.id}`;
  assert.equal((await refresh(issuer, first, client)).body['refresh_token'], second);
  const third = (await refresh(issuer, second, client)).body['refresh_token'];
  assert.equal(
    (await refresh(issuer, first, client)).body['refresh_token'],
    third,
    'over a step of each key',
  );

  const without = await startSite(t, {
    database: await postgres.open(),
    url: before.E,
    secretKeys: [NEW_KEY],
  });
  const answer = await refresh(`${without.origin}/resources/${server.id}`, third, client);
  assert.deepEqual(
    [answer.status, answer.body['error']],
    [503, 'temporarily_unavailable'],
    'a missing key is our trouble, not the client’s (AS-89)',
  );
});
