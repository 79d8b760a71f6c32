import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { newKey, type SigningKey, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

let key: SigningKey;
before(async () => {
  key = await newKey('snk_1');
});

test('what the guard asks of others never carries the token it was given (RS-27)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  const foreign = await startFakeIssuer(t, key);
  const sent: string[] = [];
  const server = await startGuarded(
    t,
    declaration(issuer, {
      issuers: [{ issuer: foreign.url }],
      fetch: (url, init) => {
        const { body, method = 'GET' } = init;
        assert.deepEqual([method, body ?? undefined], ['GET', undefined]);
        sent.push(JSON.stringify([url, ...new Headers(init.headers)]));
        return fetch(url, init);
      },
    }),
  );
  const tokens = [
    await issuer.token(),
    await foreign.token(),
    await issuer.token({}, { kid: 'x' }),
  ];
  for (const token of tokens) await server.send({ token, body: toolCall('list_todos') });

  assert.ok(
    sent.length >= 4,
    'the key set, and the metadata of the foreign issuer at three places',
  );
  for (const token of tokens)
    for (const piece of token.split('.')) assert.ok(!sent.join().includes(piece));
  assert.ok(!sent.join().toLowerCase().includes('authorization"'));
});

test('a key set that never arrives ends in 503 after 5 seconds, for all who wait (RS-31, RS-32)', async (t) => {
  const issuer = await startFakeIssuer(t, key);
  issuer.answer = (response) => {
    response.write('{"keys":');
    const timer = setInterval(() => response.write(' '), 500);
    response.on('close', () => clearInterval(timer));
  };
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const started = performance.now();
  const answers = await Promise.all([1, 2, 3].map(() => server.send({ token })));
  const seconds = (performance.now() - started) / 1_000;
  assert.deepEqual(
    answers.map(({ status }) => status),
    [503, 503, 503],
  );
  assert.ok(seconds > 4 && seconds < 20, `${seconds} s`);
  assert.equal(issuer.fetches, 1);
});

test('an issuer named like a key set of another does not get its keys (RS-18)', async (t) => {
  const ours = await startFakeIssuer(t, key);
  const evil = await newKey('snk_1');
  const { port } = await serve(t, (request, response) => {
    const self = `http://127.0.0.1:${port}/keys`;
    const document =
      request.url === '/keys' ? { keys: [key.jwk] } : { issuer: self, jwks_uri: `${self}2` };
    response.end(JSON.stringify(request.url === '/keys2' ? { keys: [evil.jwk] } : document));
  });
  const address = `http://127.0.0.1:${port}/keys`;
  const server = await startGuarded(t, {
    issuers: [{ issuer: ours.url, jwksUri: address }, { issuer: address }],
    serverUrl: 'http://localhost:3333/mcp',
    now: () => ours.clock.now,
  });
  assert.equal((await server.send({ token: await ours.token() })).status, 200);
  const named = await ours.token({ iss: address }, {}, key);
  assert.equal((await server.send({ token: named })).status, 401);
  assert.equal(
    (await server.send({ token: await ours.token({ iss: address }, {}, evil) })).status,
    200,
  );
});
