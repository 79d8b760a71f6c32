import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newKey, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

test('the keys of one issuer never prove a token of another (RS-18)', async (t) => {
  const [ours, theirs] = [await startFakeIssuer(t), await startFakeIssuer(t)];
  const server = await startGuarded(
    t,
    declaration(ours, { issuers: [{ issuer: theirs.url, jwksUri: `${theirs.url}/keys` }] }),
  );
  const mixed = await ours.token({ iss: ours.url }, {}, theirs.key);
  const mixedToo = await theirs.token({ iss: theirs.url }, {}, ours.key);
  const proper = await theirs.token();

  assert.equal((await server.send({ token: mixed })).status, 401);
  assert.equal((await server.send({ token: mixedToo })).status, 401);
  assert.equal((await server.send({ token: proper })).status, 200);
});

test('a foreign issuer may spell scopes its way; a machine is known by sub and client (RS-22, RS-24)', async (t) => {
  const theirs = await startFakeIssuer(t);
  const server = await startGuarded(t, {
    issuers: [{ issuer: theirs.url, jwksUri: `${theirs.url}/keys` }],
    serverUrl,
    tools: { list_todos: 'todo:read' },
    now: () => theirs.clock.now,
  });
  const spellings = [
    { scope: 'todo:read', scopes: undefined },
    { scope: ['todo:read'], scopes: undefined },
    { scope: undefined, scopes: undefined, scp: 'todo:read' },
    { scope: undefined, scopes: undefined, scp: ['todo:read'] },
    { scope: undefined, scopes: ['todo:read'] },
  ];
  for (const claims of spellings) {
    const token = await theirs.token({ ...claims, sub: 'machine', client_id: 'machine' });
    const answer = await server.send({ token, body: toolCall('list_todos') });
    assert.equal(answer.status, 200, JSON.stringify(claims));
  }
  assert.partialDeepStrictEqual(server.calls[0]?.auth, { extra: { machine: true } });
  const firstWins = await theirs.token({ scope: '', scopes: undefined, scp: 'todo:read' });
  assert.equal((await server.send({ token: firstWins, body: toolCall('list_todos') })).status, 403);
});

test('the key set is discovered from metadata that names the same issuer (RS-32, RFC 8414 §3.3)', async (t) => {
  const key = await newKey('k1');
  const documents: Record<string, unknown> = {};
  const { port } = await serve(t, (request, response) => {
    const document = documents[request.url ?? ''];
    response.writeHead(document ? 200 : 404).end(JSON.stringify(document ?? {}));
  });
  const issuer = `http://127.0.0.1:${port}/tenant`;
  documents['/jwks'] = { keys: [key.jwk] };
  documents['/.well-known/oauth-authorization-server/tenant'] = {
    issuer: 'https://evil.example',
    jwks_uri: `http://127.0.0.1:${port}/jwks`,
  };
  const signer = await startFakeIssuer(t, key);
  const server = await startGuarded(t, {
    issuers: [{ issuer }],
    serverUrl,
    now: () => signer.clock.now,
  });
  const token = await signer.token({ iss: issuer });

  assert.equal(
    (await server.send({ token })).status,
    503,
    'a document of another issuer is not used',
  );
  documents['/tenant/.well-known/openid-configuration'] = {
    issuer,
    jwks_uri: `http://127.0.0.1:${port}/jwks`,
  };
  signer.advance(31);
  assert.equal((await server.send({ token })).status, 200);
});

test('a key set that metadata puts behind plain http is never asked for (RS-32)', async (t) => {
  const asked: string[] = [];
  const server = await startGuarded(t, {
    issuers: [{ issuer: 'https://idp.example' }],
    serverUrl,
    fetch: async (url) => {
      asked.push(url);
      return Response.json({ issuer: 'https://idp.example', jwks_uri: 'http://idp.example/keys' });
    },
  });
  const signer = await startFakeIssuer(t);
  const token = await signer.token({
    iss: 'https://idp.example',
    exp: 4_000_000_000,
    iat: undefined,
  });
  assert.equal((await server.send({ token })).status, 503);
  assert.equal(asked.length, 3);
  assert.ok(asked.every((url) => url.startsWith('https://idp.example/')));
});

test('algorithms are allowed per issuer (RS-17)', async (t) => {
  const ec = await newKey('ec', 'ES256');
  const ed = await newKey('ed', 'EdDSA');
  const theirs = await startFakeIssuer(t, ec);
  const options = { serverUrl, now: () => theirs.clock.now };
  const keys = { keys: [ec.jwk, ed.jwk] };
  const strict = await startGuarded(t, { ...options, issuers: [{ issuer: theirs.url, keys }] });
  const open = await startGuarded(t, {
    ...options,
    issuers: [{ issuer: theirs.url, keys, algorithms: ['ES256', 'EdDSA'] }],
  });
  for (const key of [ec, ed]) {
    const token = await theirs.token({}, {}, key);
    assert.equal((await strict.send({ token })).status, 401);
    assert.equal((await open.send({ token })).status, 200);
  }
});

test('metadata of an issuer elsewhere cannot send us to this machine or into our network for keys (RS-32)', async (t) => {
  for (const host of [
    'http://127.0.0.1:9',
    'https://localhost',
    'https://127.1',
    'https://[::1]:9',
    'https://a.localhost.',
    'https://10.0.0.1',
    'https://0xa9fea9fe',
    'https://[fd00::1]',
  ]) {
    const asked: string[] = [];
    const server = await startGuarded(t, {
      issuers: [{ issuer: 'https://idp.example' }],
      serverUrl,
      fetch: async (url) => {
        asked.push(url);
        return Response.json({ issuer: 'https://idp.example', jwks_uri: `${host}/keys` });
      },
    });
    const signer = await startFakeIssuer(t);
    const claims = { iss: 'https://idp.example', exp: 4_000_000_000, iat: undefined };
    assert.equal((await server.send({ token: await signer.token(claims) })).status, 503);
    assert.ok(
      asked.every((url) => url.startsWith('https://idp.example/')),
      asked.join(' '),
    );
  }
});
