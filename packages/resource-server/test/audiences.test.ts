import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceId, serverUrl, siblingId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded } from '../src/testing/guarded-server.ts';

const siblingUrl = 'http://localhost:3334/mcp';

test('a sibling server has no use for our token, nor we for its, by Server URL alone or by id alone (RS-19)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const byUrl = await startGuarded(t, declaration(issuer, { audiences: [serverUrl] }));
  const byId = await startGuarded(t, declaration(issuer, { audiences: [resourceId] }));
  const cases: [unknown, number, number][] = [
    [[serverUrl, resourceId], 200, 200],
    [[siblingUrl, siblingId], 401, 401],
    [[siblingUrl, resourceId], 401, 200],
    [[serverUrl, siblingId], 200, 401],
    [serverUrl, 200, 401],
    [resourceId, 401, 200],
    [resourceId.toUpperCase(), 401, 401],
    [issuer.url, 401, 401],
  ];
  for (const [aud, atUrl, atId] of cases) {
    const token = await issuer.token({ aud });
    const statuses = [(await byUrl.send({ token })).status, (await byId.send({ token })).status];
    assert.deepEqual(statuses, [atUrl, atId], JSON.stringify(aud));
  }
});

test('a bare origin equals the same origin with a slash, and nothing longer does (RS-19)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, {
      serverUrl: 'http://localhost:3333',
      audiences: ['http://localhost:3333'],
    }),
  );
  const statuses: number[] = [];
  for (const aud of [
    'http://localhost:3333',
    'http://localhost:3333/',
    'http://localhost:3333//',
    resourceId,
  ]) {
    statuses.push((await server.send({ token: await issuer.token({ aud }) })).status);
  }
  assert.deepEqual(statuses, [200, 200, 401, 401]);
});
