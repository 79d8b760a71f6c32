import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { ConfigurationError, type McpServerOptions, protectMcp } from '../src/index.ts';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { resourceId, siblingId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, hostilePaths, serve, startGuarded } from '../src/testing/guarded-server.ts';

const path = '/.well-known/oauth-authorization-server';

/** An authorization server that answers its metadata as a test wants. */
async function startAuthorizationServer(t: TestContext): Promise<{
  options: McpServerOptions;
  state: { status: number; issuer: string; headers: Record<string, string>; asked: string[] };
  advance(seconds: number): void;
}> {
  const issuer = await startFakeIssuer(t);
  const state = { status: 200, issuer: '', headers: {}, asked: [] as string[] };
  const { port } = await serve(t, (request, response) => {
    state.asked.push(request.url ?? '');
    response.writeHead(state.status, { 'content-type': 'application/json', ...state.headers });
    response.end(JSON.stringify({ issuer: state.issuer, token_endpoint: 'https://x.example/t' }));
  });
  state.issuer = `http://127.0.0.1:${port}/resources/${resourceId}`;
  const options = declaration(issuer, {
    environmentUrl: `http://127.0.0.1:${port}`,
    proxyAsMetadata: true,
  });
  return { options, state, advance: (seconds) => issuer.advance(seconds) };
}

test('the metadata of R is served at the host of the MCP server, when that is wanted (RS-6)', async (t) => {
  const { options, state } = await startAuthorizationServer(t);
  const entries = await startEntryPoints(t, options, () => new Response('reached'));
  for (const entry of entries) {
    const answer = await entry.send({ path: `${path}?x=1` });
    assert.equal(answer.status, 200, entry.name);
    assert.equal(JSON.parse(answer.text).issuer, state.issuer);
    assert.equal(answer.headers['access-control-allow-origin'], '*');
    assert.match(answer.headers['cache-control'] ?? '', /max-age=\d+/);
    const head = await entry.send({ path, method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [200, '']);
    assert.equal((await entry.send({ path, method: 'OPTIONS' })).status, 204);
    assert.equal((await entry.send({ path, method: 'POST', body: '{}' })).status, 405);
  }
  assert.deepEqual(
    state.asked,
    [1, 2].map(() => `${path}/resources/${resourceId}`),
    'once for each guard',
  );
});

test('only the exact path is open, and without the option not even that (RS-6, RS-7)', async (t) => {
  const { options } = await startAuthorizationServer(t);
  const server = await startGuarded(t, options);
  const paths = [
    `${path}/`,
    `${path}/mcp`,
    `${path};x`,
    `${path}%2f`,
    `/${path}`,
    path.toUpperCase(),
    `${path}/../mcp`,
    '/.well-known/openid-configuration',
    ...hostilePaths.filter((hostile) => hostile !== path),
  ];
  for (const other of paths) {
    const { status } = await server.send({ path: other });
    assert.ok(status !== 200 || other.startsWith('/.well-known/oauth-protected-resource'), other);
  }
  const without = await startGuarded(t, { ...options, proxyAsMetadata: false });
  assert.equal((await without.send({ path })).status, 401);
  assert.deepEqual([...server.calls, ...without.calls], []);
});

test('an authorization server that is down, wrong or another one is 503, and asked again after a while (RS-6)', async (t) => {
  const { options, state, advance } = await startAuthorizationServer(t);
  const server = await startGuarded(t, options);
  const genuine = state.issuer;
  state.status = 500;
  const down = await server.send({ path });
  assert.deepEqual([down.status, down.headers['retry-after']], [503, '30']);
  assert.equal(down.headers['www-authenticate'], undefined);
  state.status = 200;
  assert.equal((await server.send({ path })).status, 503, 'not asked for every request');
  assert.equal(state.asked.length, 1);
  advance(31);
  state.issuer = 'https://evil.example';
  assert.equal((await server.send({ path })).status, 503);
  advance(31);
  state.issuer = genuine;
  assert.equal((await server.send({ path })).status, 200);
  state.status = 500;
  advance(3_700);
  assert.equal((await server.send({ path })).status, 200, 'the known document while it is down');
  advance(86_400);
  assert.equal((await server.send({ path })).status, 503, 'but not for ever');
});

test('many who ask at once cause one fetch, and a redirect to another host is not followed (RS-6, RS-32)', async (t) => {
  const { options, state, advance } = await startAuthorizationServer(t);
  const server = await startGuarded(t, options);
  await Promise.all(Array.from({ length: 20 }, () => server.send({ path })));
  assert.equal(state.asked.length, 1);
  const fresh = await startGuarded(t, options);
  state.status = 302;
  state.headers = { location: 'http://localhost:1/x' };
  advance(10);
  assert.equal((await fresh.send({ path })).status, 503);
});

test('a declaration without R, or with the path twice, stops the start (RS-6)', async (t) => {
  const { options } = await startAuthorizationServer(t);
  const foreign: McpServerOptions = {
    serverUrl: 'https://mcp.example.com/mcp',
    issuers: [{ issuer: 'https://idp.example', audiences: ['x'] }],
    proxyAsMetadata: true,
  };
  const second = { ...options, serverUrl: 'http://localhost:3333/two', resourceId: siblingId };
  for (const wrong of [foreign, [options, second]])
    assert.throws(() => protectMcp(wrong), ConfigurationError);
  protectMcp([options, { ...second, proxyAsMetadata: false }]).close();
});
