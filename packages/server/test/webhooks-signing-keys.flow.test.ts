import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startTestGatewarden, token } from '../src/testing.ts';
import { restApi } from './webhook-receiver.ts';

const gatewarden = await startTestGatewarden({ after });
const rest = await restApi(gatewarden);

type Key = { id: string; state: string; public_jwk?: Record<string, unknown> };

async function keys(): Promise<Key[]> {
  const { status, body } = await rest('GET', '/signing_keys');
  assert.equal(status, 200, JSON.stringify(body));
  return body.keys;
}

const idsOf = (list: readonly Key[], state: string): string[] =>
  list.filter((key) => key.state === state).map(({ id }) => id);

async function keyOfNewToken(): Promise<unknown> {
  const { id, secret } = gatewarden.client;
  const { body } = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
  });
  const [header = ''] = String(body['access_token']).split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
}

test('signing keys are listed with their public part only, as the key set has them (AS-14, AS-20)', async () => {
  const list = await keys();
  const published = await (await fetch(`${gatewarden.origin}/keys`)).json();
  assert.deepEqual(
    list.map(({ public_jwk }) => public_jwk?.['kid']).sort(),
    published.keys.map(({ kid }: { kid: string }) => kid).sort(),
  );
  assert.deepEqual([idsOf(list, 'current').length, idsOf(list, 'next').length], [1, 2]);
  for (const { public_jwk } of list)
    assert.deepEqual(Object.keys(public_jwk ?? {}).sort(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
});

test('a rotation signs with the next key and keeps the old one published; a key that verifiers cannot know yet is not used (AS-16, AS-17)', async () => {
  const before = await keys();
  const expected = idsOf(before, 'next').at(-1);
  const { status, body } = await rest('POST', '/signing_keys:rotate');
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(body, {
    previous_key_id: idsOf(before, 'current')[0],
    current_key_id: expected,
  });
  assert.equal(await keyOfNewToken(), expected);
  const list = await keys();
  assert.deepEqual(idsOf(list, 'retired'), idsOf(before, 'current'));
  assert.equal((await rest('GET', '/organizations')).status, 200, 'tokens of before remain good');
  assert.equal((await rest('POST', '/signing_keys:rotate')).status, 200, 'known from the start');
  const early = await rest('POST', '/signing_keys:rotate');
  assert.deepEqual([early.status, early.body.details[0].error_code], [400, 'SIGNING_KEY_TOO_NEW']);
  gatewarden.clock.advance({ minutes: 61 });
  assert.equal((await rest('POST', '/signing_keys:rotate')).status, 200);
});

test('after a theft every key goes at once; the caller says which is the current one, and the token of the caller is worth nothing afterwards (AS-18)', async () => {
  const before = await keys();
  const current = idsOf(before, 'current')[0];
  const wrong = await rest('POST', '/signing_keys:withdraw', {
    current_key_id: idsOf(before, 'next')[0],
  });
  assert.equal(wrong.status, 400);
  assert.equal((await rest('POST', '/signing_keys:withdraw', {})).status, 400);
  assert.deepEqual(await keys(), before, 'a refused call changes nothing');
  const { body } = await rest('POST', '/signing_keys:withdraw', { current_key_id: current });
  assert.ok(body.withdrawn_key_ids.includes(current));
  assert.ok(!body.withdrawn_key_ids.includes(body.current_key_id));
  assert.equal(await keyOfNewToken(), body.current_key_id);
  const published = await (await fetch(`${gatewarden.origin}/keys`)).json();
  for (const { kid } of published.keys) assert.ok(!body.withdrawn_key_ids.includes(kid));
  const list = await keys();
  for (const id of body.withdrawn_key_ids)
    assert.equal(list.find((key) => key.id === id)?.public_jwk, undefined);
});
