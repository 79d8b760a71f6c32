import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import {
  type FakeIssuer,
  newKey,
  resourceId,
  type SigningKey,
  scopeClaims,
  serverUrl,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import {
  Gatewarden,
  type GatewardenOptions,
  KeysUnavailableException,
  Scalekit,
  ScalekitClient,
  ScalekitException,
  ScalekitValidateTokenFailureException,
  validateToken,
} from '../src/index.ts';

let key: SigningKey;
let nextKey: SigningKey;
before(async () => {
  [key, nextKey] = await Promise.all([newKey('snk_1'), newKey('snk_2')]);
});

async function start(
  t: TestContext,
  options: GatewardenOptions = {},
): Promise<{ issuer: FakeIssuer; sdk: Gatewarden }> {
  const issuer = await startFakeIssuer(t, key);
  const own = { now: () => issuer.clock.now, log: () => undefined, ...options };
  return { issuer, sdk: new Gatewarden(issuer.url, 'skc_1', 'secret', own) };
}

/** The code with which a call refuses. */
async function refusal(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof ScalekitValidateTokenFailureException, String(error));
    assert.ok(error instanceof ScalekitException);
    assert.equal(error.name, 'ScalekitValidateTokenFailureException');
    return error.code;
  }
  return 'accepted';
}

test('the claims come back as signed when issuer, audience and scopes are right (RS-28)', async (t) => {
  const { issuer, sdk } = await start(t);
  const token = await issuer.token({ xoid: 'acme', ...scopeClaims('todo:read todo:write') });

  const claims = await sdk.validateToken<{ sub: string; scopes: string[] }>(token, {
    issuer: issuer.url,
    audience: [serverUrl],
    requiredScopes: ['todo:write', 'todo:read'],
  });

  assert.deepEqual(claims, issuer.claims({ xoid: 'acme', ...scopeClaims('todo:read todo:write') }));
  assert.deepEqual([Scalekit, ScalekitClient], [Gatewarden, Gatewarden]);
});

test('what a caller does to the claims reaches no other call (RS-28, RS-57)', async (t) => {
  const { issuer, sdk } = await start(t);
  const token = await issuer.token({ act: { sub: 'usr_2', of: ['a'] } });
  type Claims = { scopes: string[]; act: { sub: string; of: string[] } };
  const first = await sdk.validateToken<Claims>(token);
  first.scopes.push('todo:write');
  first.act.sub = 'usr_admin';
  first.act.of.push('b');

  const second = await sdk.validateToken<Claims>(token);

  assert.deepEqual(second, issuer.claims({ act: { sub: 'usr_2', of: ['a'] } }));
  assert.equal(
    await refusal(sdk.validateToken(token, { requiredScopes: ['todo:write'] })),
    'insufficient_scope',
  );
});

test('the issuer is E to the letter, a slash in the configuration aside (RS-28, RS-18)', async (t) => {
  const { issuer } = await start(t);
  const own = { now: () => issuer.clock.now, log: () => undefined };
  const sdk = new Gatewarden(`${issuer.url}/`, 'skc_1', 'secret', own);
  const token = await issuer.token();
  await sdk.validateToken(token);
  await sdk.validateToken(token, { issuer: issuer.url });
  await sdk.validateToken(token, { issuer: `${issuer.url}/` });
  const ofServer = `${issuer.url}/resources/${resourceId}`;
  assert.equal(await refusal(sdk.validateToken(token, { issuer: ofServer })), 'issuer');
  await sdk.validateToken(await issuer.token({ iss: ofServer }), { issuer: ofServer });
  for (const iss of [`${issuer.url}/`, ofServer, 'https://evil.example', undefined, [issuer.url]])
    assert.equal(await refusal(sdk.validateToken(await issuer.token({ iss }))), 'issuer', `${iss}`);
});

test("another application's token is refused when an audience is asked for, and a forgotten setting accepts none (RS-28, RS-19)", async (t) => {
  const { issuer, sdk } = await start(t);
  const token = await issuer.token({ aud: ['skc_1', 'https://api.example.com'] });
  for (const audience of ['skc_1', ['skc_2', 'skc_1'], 'https://api.example.com/'])
    await sdk.validateToken(token, { audience });
  for (const audience of ['skc_2', ['SKC_1'], [], '', [''], 'https://api.example.com/x'])
    assert.equal(await refusal(sdk.validateToken(token, { audience })), 'audience', `${audience}`);
  // Once accepted without the question, still refused with it.
  await sdk.validateToken(token);
  assert.equal(await refusal(sdk.validateToken(token, { audience: 'skc_2' })), 'audience');
  const without = await issuer.token({ aud: undefined });
  assert.equal(await refusal(sdk.validateToken(without, { audience: 'skc_1' })), 'audience');
});

test('scopes are read from scope, from scopes, or from both when they agree (RS-28, RS-24)', async (t) => {
  const { issuer, sdk } = await start(t);
  const needed = { requiredScopes: ['todo:read', 'todo:write'] };
  for (const claims of [
    scopeClaims('todo:read todo:write'),
    { scope: 'todo:write todo:read', scopes: ['todo:read', 'todo:write'] },
    { scope: 'todo:read todo:write', scopes: undefined },
    { scope: undefined, scopes: ['todo:read', 'todo:write'] },
  ])
    await sdk.validateToken(await issuer.token(claims), needed);
  for (const [code, claims] of [
    ['scope_mismatch', { scope: 'todo:read', scopes: ['todo:read', 'todo:write'] }],
    ['scope_mismatch', { scope: 'todo:read todo:write', scopes: [] }],
    ['scope_mismatch', { scope: 'todo:read todo:write', scopes: 'todo:read todo:write' }],
    ['scope_mismatch', { scope: undefined, scopes: ['todo:read', 7] }],
    ['insufficient_scope', { scope: 'todo:read', scopes: ['todo:read'] }],
    ['insufficient_scope', { scope: undefined, scopes: undefined }],
    ['scope_mismatch', { scope: ['todo:read', 'todo:write'], scopes: undefined }],
  ] as const)
    assert.equal(
      await refusal(sdk.validateToken(await issuer.token(claims), needed)),
      code,
      JSON.stringify(claims),
    );
});

test('an ID token, a logout token and a login of an identity provider are no access tokens (RS-28, RS-21, AS-145)', async (t) => {
  const { issuer, sdk } = await start(t);
  const audience = { audience: ['skc_1'] };
  const claims = { aud: ['skc_1'] };
  await sdk.validateToken(await issuer.token(claims), audience);
  await sdk.validateToken(await issuer.token(claims, { typ: 'JWT' }), audience);
  await sdk.validateToken(await issuer.token(claims, { typ: undefined }), audience);
  const idToken = { ...claims, client_id: undefined, scope: undefined, scopes: undefined };
  const others: readonly [Record<string, unknown>, Record<string, unknown>][] = [
    [{ ...idToken, azp: 'skc_1', sid: 'ses_1' }, { typ: 'JWT' }],
    [{ ...claims, at_hash: 'x' }, { typ: 'JWT' }],
    [{ ...claims, c_hash: 'x' }, { typ: 'JWT' }],
    [{ ...claims, nonce: 'n' }, { typ: undefined }],
    [{ ...claims, events: {} }, { typ: 'JWT' }],
    [{ ...claims, jti: undefined }, { typ: 'JWT' }],
    ...['logout+jwt', 'idp-login+jwt', 'gatewarden-revocations+jwt', 'AT+JWT', 'jwt', 7].map(
      (typ): [Record<string, unknown>, Record<string, unknown>] => [claims, { typ }],
    ),
  ];
  for (const [payload, header] of others)
    assert.equal(
      await refusal(sdk.validateToken(await issuer.token(payload, header), audience)),
      'type',
      JSON.stringify([payload, header]),
    );
});

test('forged, ended and malformed tokens are refused without a word of theirs in the message (RS-28, RS-17, RS-29)', async (t) => {
  const { issuer, sdk } = await start(t);
  const now = issuer.clock.now.getTime() / 1_000;
  const stranger = await newKey('snk_1');
  const valid = await issuer.token();
  const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${valid.split('.')[1]}.`;
  const refused: readonly [string, unknown][] = [
    ['signature', await issuer.token({}, {}, stranger)],
    ['signature', `${valid.slice(0, -8)}AAAAAAAA`],
    ['algorithm', none],
    ['expired', await issuer.token({ exp: now - 31 })],
    ['missing_claim', await issuer.token({ exp: undefined })],
    ['not_yet_valid', await issuer.token({ nbf: now + 60 })],
    ['missing_claim', await issuer.token({ client_id: undefined })],
    ['unknown_key', await issuer.token({}, { kid: undefined })],
    ['sender_constrained', await issuer.token({ cnf: { jkt: 'x' } })],
    ['malformed', 'hello'],
    ['malformed', ''],
    ['malformed', undefined],
    ['malformed', { token: valid }],
    ['too_large', 'a'.repeat(20_000)],
  ];
  for (const [code, token] of refused) {
    // What code without types may hand over.
    const call = sdk.validateToken(token as string);
    await call.catch((error: Error) => assert.doesNotMatch(error.message, /eyJ|usr_1|tkn_1|snk_1/));
    assert.equal(await refusal(call), code);
    assert.equal(await sdk.validateAccessToken(token as string), false);
  }
  assert.equal(await sdk.validateAccessToken(valid), true);
});

test('an accepted token is refused again when it ends or its key is withdrawn (RS-28, RS-57)', async (t) => {
  const { issuer, sdk } = await start(t);
  const token = await issuer.token();
  await sdk.validateToken(token);
  issuer.advance(3_631);
  assert.equal(await refusal(sdk.validateToken(token)), 'expired');
  const next = await issuer.token();
  await sdk.validateToken(next);
  issuer.published = [nextKey.jwk];
  issuer.advance(3_601);
  assert.equal(await refusal(sdk.validateToken(next)), 'unknown_key');
});

test('a rotated key is picked up without a restart, by one fetch (RS-28, RS-30)', async (t) => {
  const { issuer, sdk } = await start(t);
  await sdk.validateToken(await issuer.token());
  issuer.advance(60);
  issuer.published = [nextKey.jwk, key.jwk];
  const token = await issuer.token({}, {}, nextKey);
  await Promise.all([1, 2, 3].map(() => sdk.validateToken(token)));
  assert.equal(issuer.fetches, 2);
});

test('a key set that cannot be had is an error of its own: no token is to blame (RS-28, RS-31)', async (t) => {
  const { issuer, sdk } = await start(t);
  issuer.answer = (response) => response.writeHead(500).end();
  const token = await issuer.token();
  await assert.rejects(sdk.validateToken(token), (error) => {
    assert.ok(error instanceof KeysUnavailableException && error instanceof ScalekitException);
    assert.ok(error.retryAfterSeconds >= 1 && error.retryAfterSeconds <= 30);
    return true;
  });
  assert.equal(await sdk.validateAccessToken(token), false);
});

test('algorithms other than RS256 are refused unless they are listed (RS-28, RS-17)', async (t) => {
  const ec = await newKey('snk_ec', 'ES256');
  const { issuer, sdk } = await start(t);
  issuer.published = [key.jwk, ec.jwk];
  const token = await issuer.token({}, {}, ec);
  assert.equal(await refusal(sdk.validateToken(token)), 'algorithm');
  const own = { now: () => issuer.clock.now, algorithms: ['ES256'] as const };
  const wider = new Gatewarden(issuer.url, 'skc_1', 'secret', own);
  await wider.validateToken(token);
  assert.equal(await refusal(wider.validateToken(await issuer.token())), 'algorithm');
});

test('the call without a client keeps to the issuer it was given, and to its keys (RS-28)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const other = await startFakeIssuer(t, nextKey);
  for (const one of [issuer, other]) one.clock.now = new Date();
  const ofServer = `${issuer.url}/resources/${resourceId}`;
  const rules = { audience: [resourceId], requiredScopes: ['todo:read'] };
  const claims = await validateToken(await issuer.token(), { issuer: issuer.url, ...rules });
  assert.equal(claims.sub, 'usr_1');
  await validateToken(await issuer.token({ iss: ofServer }), { issuer: ofServer, ...rules });
  await validateToken(await other.token({}, {}, nextKey), { issuer: other.url, ...rules });
  assert.equal(
    await refusal(validateToken(await other.token(), { issuer: issuer.url, ...rules })),
    'issuer',
  );
  const forged = await issuer.token({}, { kid: 'snk_1' }, nextKey);
  assert.equal(await refusal(validateToken(forged, { issuer: issuer.url, ...rules })), 'signature');
  assert.deepEqual([issuer.fetches, other.fetches], [1, 1]);
  await assert.rejects(validateToken(forged, { issuer: 'http://auth.example.com' }), {
    code: 'invalid_url',
  });
});
