import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import {
  declaration,
  hostilePaths,
  startGuarded,
  toolCall,
} from '../src/testing/guarded-server.ts';

test('no spelling of a public path reaches a handler without a token (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { publicPaths: ['/health'] }));
  for (const path of hostilePaths) {
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE', 'PUT']) {
      const body = method === 'POST' || method === 'PUT' ? { body: toolCall('list_todos') } : {};
      await server.send({ method, path, ...body });
    }
  }
  assert.deepEqual(server.calls, []);
});

test('a public path passes with GET and HEAD and with no other method (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { publicPaths: ['/health'] }));

  const statuses: number[] = [];
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
    statuses.push((await server.send({ method, path: '/health?full=1' })).status);
  }

  assert.deepEqual(statuses, [200, 200, 401, 401]);
  assert.deepEqual(
    server.calls.map(({ auth }) => auth),
    [undefined, undefined],
  );
});

test('the metadata is served at the root and at the suffixed path, with one slash and HEAD (RS-1, RS-2, RS-5)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, { name: 'To-dos', documentationUrl: 'https://docs.example.com' }),
  );
  const root = '/.well-known/oauth-protected-resource';
  for (const path of [root, `${root}/`, `${root}/mcp`, `${root}/mcp/`, `${root}/mcp?x=1`]) {
    const answer = await server.send({ path, headers: [['Origin', 'https://elsewhere.example']] });
    assert.equal(answer.status, 200, path);
    assert.deepEqual(JSON.parse(answer.text), {
      resource: 'http://localhost:3333/mcp',
      authorization_servers: [`${issuer.url}/resources/${resourceId}`],
      bearer_methods_supported: ['header'],
      scopes_supported: ['todo:read', 'todo:write'],
      resource_documentation: 'https://docs.example.com',
      resource_name: 'To-dos',
    });
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['cache-control'] ?? '', /max-age=3600/);
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
    const head = await server.send({ method: 'HEAD', path });
    assert.deepEqual([head.status, head.text], [200, '']);
  }
});

test('offline_access is for the authorization server and stands in no document (RS-2)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const tools = { list_todos: ['todo:read', 'offline_access'] };
  const server = await startGuarded(t, declaration(issuer, { tools }));
  const { text } = await server.send({ path: '/.well-known/oauth-protected-resource' });
  assert.deepEqual(JSON.parse(text).scopes_supported, ['todo:read']);
});

test('an unknown metadata suffix is 404 from the guard itself, with and without a token (RS-1)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  for (const path of ['other', 'MCP', 'mcp/x', '../../mcp']) {
    const url = `/.well-known/oauth-protected-resource/${path}`;
    assert.equal((await server.send({ path: url })).status, 404, path);
    assert.equal((await server.send({ path: url, token })).status, 404, path);
  }
  assert.deepEqual(server.calls, []);
});

test('a browser can read that there is no document at an address (RS-1, RS-5)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const path = '/.well-known/oauth-protected-resource/other';
  const headers: [string, string][] = [['Origin', 'https://elsewhere.example']];
  for (const method of ['GET', 'OPTIONS', 'POST']) {
    const answer = await server.send({ method, path, headers });
    assert.equal(answer.status, 404, method);
    assert.equal(answer.headers['access-control-allow-origin'], '*', method);
  }
});

test('the metadata answers a preflight and refuses to be written (RS-5)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const path = '/.well-known/oauth-protected-resource/mcp';

  const preflight = await server.send({
    method: 'OPTIONS',
    path,
    headers: [['Origin', 'https://elsewhere.example']],
  });
  const post = await server.send({ path, body: '{}', token: await issuer.token() });

  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], '*');
  assert.match(preflight.headers['access-control-allow-headers'] ?? '', /MCP-Protocol-Version/);
  assert.equal(post.status, 405);
  assert.equal(post.headers['access-control-allow-origin'], '*');
  assert.deepEqual(server.calls, []);
});

test('forged Host and forwarded headers change nothing that clients are told (RS-4)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const path = '/.well-known/oauth-protected-resource/mcp';
  const forged: [string, string][] = [
    ['X-Forwarded-Host', 'evil.example'],
    ['X-Forwarded-Proto', 'https'],
    ['Forwarded', 'host=evil.example;proto=https'],
  ];

  const plain = await server.send({ path });
  const [document, challenge] = [
    await server.send({ path, headers: [...forged, ['Host', 'evil.example']] }),
    await server.send({ headers: forged }),
  ];

  assert.equal(document.text, plain.text);
  assert.equal(
    challenge.headers['www-authenticate'],
    `Bearer resource_metadata="http://localhost:3333${path}"`,
  );
});
