import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { test } from 'node:test';
import { resourceId } from '@gatewarden/resource-server/testing/fake-issuer';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { createLocalJWKSet, createRemoteJWKSet, importSPKI, jwtVerify } from 'jose';
import { startProxied } from './proxied.ts';

test('a signed identity names the caller for one request, verified by the key set beside the health endpoints', async (t) => {
  const { send, seen, issuer, proxy, upstreamPort, entries } = await startProxied(t, undefined, {
    identity: 'signed',
    managementPort: 0,
  });
  const body = toolCall('list_todos');
  await send({
    body,
    token: await issuer.token({ org_id: 'org_1' }),
    headers: [['X-Gatewarden-Identity', 'forged']],
  });

  const [identity, ...others] = seen[0]?.header('x-gatewarden-identity') ?? [];
  assert.deepEqual(others, []);
  const keys = createRemoteJWKSet(new URL(`${proxy.managementUrl}/identity/jwks.json`));
  const { payload, protectedHeader } = await jwtVerify(identity ?? '', keys, {
    algorithms: ['ES256'],
    typ: 'gatewarden-identity+jwt',
    issuer: proxy.url,
    audience: `http://127.0.0.1:${upstreamPort}/mcp`,
    currentDate: issuer.clock.now,
  });
  const now = Math.floor(issuer.clock.now.getTime() / 1_000);
  assert.equal(protectedHeader.alg, 'ES256');
  assert.deepEqual(payload, {
    iss: proxy.url,
    aud: `http://127.0.0.1:${upstreamPort}/mcp`,
    sub: 'usr_1',
    client_id: 'skc_1',
    org_id: 'org_1',
    scope: 'todo:read',
    machine: false,
    iat: now,
    exp: now + 60,
    jti: entries[0]?.id,
    htm: 'POST',
    body_sha256: createHash('sha256').update(body).digest('base64url'),
  });
  assert.deepEqual(seen[0]?.header('x-request-id'), [payload.jti]);
});

test('an identity ends with the access token, is another one for each request, and is no access token (RS-21, RS-27)', async (t) => {
  const { send, seen, issuer, proxy } = await startProxied(t, undefined, {
    identity: 'signed',
    managementPort: 0,
  });
  const now = Math.floor(issuer.clock.now.getTime() / 1_000);
  const token = await issuer.token({ exp: now + 20 });
  const body = toolCall('list_todos');
  await send({ body, token });
  await send({ body, token });
  const [first = '', second = ''] = seen.flatMap(({ header }) => header('x-gatewarden-identity'));

  assert.notEqual(first, second);
  assert.equal(
    JSON.parse(Buffer.from(first.split('.')[1] ?? '', 'base64url').toString()).exp,
    now + 20,
  );
  assert.equal((await send({ body, token: first })).status, 401);
  const keySet = await (await fetch(`${proxy.managementUrl}/identity/jwks.json`)).json();
  assert.deepEqual(Object.keys(keySet.keys[0]).sort(), [
    'alg',
    'crv',
    'kid',
    'kty',
    'use',
    'x',
    'y',
  ]);
  await assert.rejects(
    jwtVerify(token, createLocalJWKSet(keySet), { algorithms: ['ES256'] }),
    'an access token passes for an identity',
  );
  const onPublicPort = await send({ path: '/identity/jwks.json' });
  assert.equal(onPublicPort.status, 401);
});

test('with a key of its own the operator can hand the public half to the upstream; weaker or other keys are refused', async (t) => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: typeof privateKey): string =>
    key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const { send, seen, issuer } = await startProxied(t, undefined, {
    identity: 'signed',
    identityKey: pem(privateKey),
  });
  await send({ token: await issuer.token() });
  const spki = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const { payload } = await jwtVerify(
    seen[0]?.header('x-gatewarden-identity')[0] ?? '',
    await importSPKI(spki, 'ES256'),
    { currentDate: issuer.clock.now },
  );
  assert.deepEqual([payload['htm'], payload.sub], ['GET', 'usr_1']);

  const others = [
    generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
    generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
    generateKeyPairSync('ed25519').privateKey,
  ].map(pem);
  for (const identityKey of [...others, spki, ''])
    await assert.rejects(startProxied(t, undefined, { identity: 'signed', identityKey }), {
      code: 'invalid_option',
    });
});

test('without signed identities the upstream learns nothing about the caller (RS-27)', async (t) => {
  const { send, seen, issuer } = await startProxied(t);
  await send({ body: toolCall('list_todos'), token: await issuer.token() });
  const [request] = seen;
  assert.ok(request);
  const text = JSON.stringify(request.names.map((name) => [name, ...request.header(name)]));
  for (const secret of ['usr_1', 'skc_1', resourceId, 'x-gatewarden'])
    assert.ok(!text.includes(secret), `${secret} reached the upstream`);
});

test('the sample in the documentation verifies an identity, and refuses it for another request', async (t) => {
  const { send, seen, issuer, proxy, upstreamPort } = await startProxied(t, undefined, {
    identity: 'signed',
    managementPort: 0,
    now: () => new Date(), // the sample has no other clock
    protect: { revocation: false },
  });
  issuer.clock.now = new Date();
  const body = toolCall('list_todos');
  await send({ body, token: await issuer.token() });
  const manual = await readFile(new URL('../../../docs/proxy.md', import.meta.url), 'utf8');
  const sample = /```ts\n(.*?)```/s.exec(manual)?.[1] ?? assert.fail('there is no sample');
  const here = sample
    .replace("'jose'", `'${import.meta.resolve('jose')}'`)
    .replace('http://127.0.0.1:8190', proxy.managementUrl ?? '')
    .replace('https://mcp.example.com/mcp', proxy.url)
    .replace('http://127.0.0.1:3000/mcp', `http://127.0.0.1:${upstreamPort}/mcp`);
  const { caller } = await import(
    `data:text/javascript,${encodeURIComponent(stripTypeScriptTypes(here))}`
  );
  const [identity] = seen[0]?.header('x-gatewarden-identity') ?? [];

  assert.equal((await caller(identity, 'POST', Buffer.from(body))).sub, 'usr_1');
  await assert.rejects(
    caller(identity, 'POST', Buffer.from(toolCall('add_todo'))),
    /another request/,
  );
  await assert.rejects(caller(identity, 'DELETE', Buffer.from(body)), /another request/);
});
