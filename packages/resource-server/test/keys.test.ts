import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { exportJWK, generateKeyPair } from 'jose';
import { newKey, type SigningKey, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, startGuarded } from '../src/testing/guarded-server.ts';

let first: SigningKey;
let second: SigningKey;
before(async () => {
  [first, second] = await Promise.all([newKey('snk_1'), newKey('snk_2')]);
});

test('1000 random key ids cause one fetch in 30 seconds, and a real rotation is still seen (RS-30)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer));
  const valid = await issuer.token();
  await server.send({ token: valid });
  assert.equal(issuer.fetches, 1);

  const garbage = await Promise.all(
    Array.from({ length: 500 }, (_, n) => issuer.token({}, { kid: `snk_x${n}` })),
  );
  for (const token of garbage) assert.equal((await server.send({ token })).status, 401);
  assert.equal(issuer.fetches, 1, 'within 30 seconds of the first fetch');
  issuer.advance(31);
  await Promise.all(garbage.map((token) => server.send({ token })));
  assert.equal(issuer.fetches, 2, 'one more, shared by all that came at once');

  issuer.published = [second.jwk, first.jwk];
  const rotated = await issuer.token({}, {}, second);
  assert.equal((await server.send({ token: rotated })).status, 401, 'no budget yet');
  issuer.advance(31);
  const mixed = await Promise.all(
    [...garbage.slice(0, 50), rotated, ...garbage.slice(50, 100)].map((token) =>
      server.send({ token }),
    ),
  );
  assert.equal(mixed[50]?.status, 200);
  assert.equal(issuer.fetches, 3);
  assert.equal((await server.send({ token: valid })).status, 200);
});

test('tokens for other servers or issuers never cause a fetch (RS-30)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer));
  for (const claims of [
    { aud: 'res_2' },
    { iss: 'https://evil.example' },
    { exp: 1 },
    { sub: undefined },
  ]) {
    assert.equal(
      (await server.send({ token: await issuer.token(claims, { kid: 'snk_x' }) })).status,
      401,
    );
  }
  assert.equal(issuer.fetches, 0);
});

test('a key set is kept between 5 minutes and 1 hour, whatever max-age says (RS-30)', async (t) => {
  for (const [cacheControl, seconds] of [
    ['max-age=0', 300],
    ['public, max-age=600', 600],
    ['max-age=999999', 3_600],
    ['no-store', 3_600],
  ] as const) {
    const issuer = await startFakeIssuer(t, first);
    issuer.answer = (response) => {
      response.setHeader('cache-control', cacheControl);
      response.end(JSON.stringify({ keys: issuer.published }));
    };
    const server = await startGuarded(t, declaration(issuer));
    const token = await issuer.token({ exp: 4_000_000_000 });
    await server.send({ token });
    issuer.advance(seconds - 1);
    await server.send({ token });
    assert.equal(issuer.fetches, 1, cacheControl);
    issuer.advance(2);
    await server.send({ token });
    assert.equal(issuer.fetches, 2, cacheControl);
  }
});

test('without keys the answer is 503 with Retry-After and no challenge (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  issuer.answer = (response) => response.writeHead(500).end();
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();

  for (let n = 0; n < 20; n += 1) {
    const answer = await server.send({ token });
    assert.equal(answer.status, 503);
    assert.match(answer.headers['retry-after'] ?? '', /^[1-9][0-9]*$/);
    assert.equal(answer.headers['www-authenticate'], undefined);
  }
  assert.equal(issuer.fetches, 1, 'an issuer that is down is not hammered');
  issuer.answer = undefined;
  issuer.advance(6);
  assert.equal((await server.send({ token })).status, 200);
});

test('known keys serve 24 hours while the issuer is down, no longer; new ids get 503 (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ exp: 4_000_000_000 });
  const unknown = await issuer.token({ exp: 4_000_000_000 }, {}, second);
  await server.send({ token });
  issuer.answer = (response) => response.destroy();

  issuer.advance(23 * 3_600);
  assert.equal((await server.send({ token })).status, 200);
  assert.equal((await server.send({ token: unknown })).status, 503);
  issuer.advance(3_601);
  assert.equal((await server.send({ token })).status, 503);
});

test('a key set that lies is not used: huge, redirected, not JSON, not a set (RS-32)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const set = JSON.stringify({ keys: [first.jwk] });
  const other = await serve(t, (_request, response) => response.end(set));
  const answers: Record<string, NonNullable<typeof issuer.answer>> = {
    huge: (response) => response.end(`${set}${' '.repeat(70_000)}`),
    endless: (response) => {
      const write = (): void => {
        while (!response.destroyed && response.write(' '.repeat(10_000)));
      };
      response.on('drain', write);
      write();
    },
    'redirect to another host': (response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${other.port}/keys` }).end(),
    'redirect to http elsewhere': (response) =>
      response.writeHead(302, { location: 'http://keys.example/keys' }).end(),
    'redirect to itself': (response) => response.writeHead(302, { location: '/keys' }).end(),
    'not JSON': (response) => response.end('<html>'),
    'not a set': (response) => response.end('{"keys":{}}'),
    empty: (response) => response.end('{"keys":[]}'),
    'not found': (response) => response.writeHead(404).end(set),
  };
  for (const [name, answer] of Object.entries(answers)) {
    issuer.answer = answer;
    const server = await startGuarded(t, declaration(issuer));
    assert.equal((await server.send({ token: await issuer.token() })).status, 503, name);
  }
});

test('a redirect within the issuer is followed (RS-32)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  issuer.answer = (response) => {
    issuer.answer = undefined;
    response.writeHead(307, { location: '/keys' }).end();
  };
  const server = await startGuarded(t, declaration(issuer));
  assert.equal((await server.send({ token: await issuer.token() })).status, 200);
});

test('keys nobody may use are skipped without harm to the others (RS-33)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const weak = await generateKeyPair('RS256', { modulusLength: 1024, extractable: true }).catch(
    () => undefined,
  );
  const weakJwk = weak
    ? await exportJWK(weak.publicKey)
    : { kty: 'RSA', e: 'AQAB', n: 'x'.repeat(171) };
  const privateJwk = await exportJWK(first.privateKey);
  issuer.published = [
    null,
    'text',
    { kid: 'snk_0' },
    { kty: 'XYZ', kid: 'snk_1' },
    { kty: 'oct', kid: 'snk_1', k: 'c2VjcmV0', alg: 'HS256' },
    { ...weakJwk, kid: 'snk_1' },
    { ...first.jwk, use: 'enc' },
    { ...first.jwk, key_ops: ['encrypt'] },
    { ...first.jwk, alg: 'RS512' },
    { ...privateJwk, kid: 'snk_1' },
    { ...first.jwk, n: '!!' },
    { ...first.jwk, kid: 7 },
  ];
  const without = await startGuarded(t, declaration(issuer));
  assert.equal((await without.send({ token: await issuer.token() })).status, 401);
  issuer.published.push(first.jwk);
  const withKey = await startGuarded(t, declaration(issuer));
  assert.equal((await withKey.send({ token: await issuer.token() })).status, 200);
});

test('a fixed key set needs no network (RS-34)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer, { keys: { keys: [first.jwk] } }));
  assert.equal((await server.send({ token: await issuer.token() })).status, 200);
  assert.equal((await server.send({ token: await issuer.token({}, {}, second) })).status, 401);
  assert.equal(issuer.fetches, 0);
});

test('an issuer whose key set hangs delays one request by a quarter of a second and then none, while known keys serve (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ exp: 4_000_000_000 });
  const timed = async (): Promise<number> => {
    const began = performance.now();
    assert.equal((await server.send({ token })).status, 200);
    return performance.now() - began;
  };
  await timed();
  issuer.answer = () => undefined;
  issuer.advance(3_601);
  assert.ok((await timed()) < 1_500, 'the first one');
  for (const seconds of [0, 1, 31, 31]) {
    issuer.advance(seconds);
    const took = await timed();
    assert.ok(took < 200, `${took} ms`);
  }
  assert.ok(issuer.fetches >= 2, 'it is asked in the background');
});

test('a key set that hung is renewed as soon as it can be had (RS-31)', async (t) => {
  const issuer = await startFakeIssuer(t, first);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token({ exp: 4_000_000_000 });
  await server.send({ token });
  let held: import('node:http').ServerResponse | undefined;
  issuer.answer = (response) => {
    held = response;
  };
  issuer.advance(3_601);
  assert.equal((await server.send({ token })).status, 200);
  issuer.answer = undefined;
  held?.end(JSON.stringify({ keys: [second.jwk] }));
  const end = performance.now() + 2_000;
  while ((await server.send({ token })).status !== 401) assert.ok(performance.now() < end);
  const rotated = await issuer.token({ exp: 4_000_000_000 }, {}, second);
  assert.equal((await server.send({ token: rotated })).status, 200);
});
