import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routes, send, start } from './test-edge.ts';

test('open paths send CORS headers on errors and preflights, all others send none (AS-136, AS-137)', async (t) => {
  const { port } = await start(t, routes);
  const preflight = {
    origin: 'https://app.example',
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'mcp-protocol-version',
  };
  const open = await send(port, 'OPTIONS', '/oauth/token', preflight);
  assert.deepEqual(
    [
      open.status,
      open.headers['access-control-allow-origin'],
      open.headers['access-control-allow-methods'],
      open.headers['access-control-max-age'],
    ],
    [204, '*', 'POST', '86400'],
  );
  assert.match(open.headers['access-control-allow-headers'] ?? '', /MCP-Protocol-Version.*DPoP/);
  assert.equal(open.headers['access-control-allow-credentials'], undefined);
  for (const [method, path] of [
    ['GET', '/oauth/token'],
    ['POST', '/oauth/token'],
  ] as const) {
    const failed = await send(port, method, path, { origin: 'https://app.example' });
    assert.equal(failed.headers['access-control-allow-origin'], '*');
    assert.match(failed.headers['access-control-expose-headers'] ?? '', /WWW-Authenticate/);
  }
  for (const [method, path] of [
    ['OPTIONS', '/page'],
    ['GET', '/page'],
    ['GET', '/oauth/tokenx'],
  ] as const) {
    const closed = await send(port, method, path, preflight);
    assert.equal(closed.headers['access-control-allow-origin'], undefined);
    assert.notEqual(closed.status, 204);
  }
});
