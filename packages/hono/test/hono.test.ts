import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration, serve, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { type GatewardenVariables, gatewarden } from '../src/index.ts';

test('Hono: a route reads the checked body in any way, and finds the caller (RS-26, RS-36, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = new Hono<{ Variables: GatewardenVariables }>();
  app.use(gatewarden(declaration(issuer)));
  app.post('/mcp', async (c) =>
    c.json({ read: await c.req.json(), given: c.get('body'), client: c.get('auth')?.clientId }),
  );
  const { send } = await serve(t, getRequestListener(app.fetch));
  const answer = await send({
    token: await issuer.token(),
    body: toolCall('list_todos'),
    headers: [['Origin', 'http://localhost:6274']],
  });
  const message: unknown = JSON.parse(toolCall('list_todos'));
  assert.deepEqual(JSON.parse(answer.text), { read: message, given: message, client: 'skc_1' });
  assert.equal(answer.headers['access-control-allow-origin'], 'http://localhost:6274');
});

test('Hono: a body that was read before the guard lets nothing through (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = new Hono();
  let reached = 0;
  app.use(async (c, next) => {
    await c.req.json();
    await next();
  });
  app.use(gatewarden(declaration(issuer)));
  app.post('/mcp', (c) => c.text(String(++reached)));
  const { send } = await serve(t, getRequestListener(app.fetch));
  const answer = await send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.deepEqual([answer.status, reached], [400, 0]);
});

test('Hono: a challenge or CORS header that other middleware sets gives way to ours (RS-16, RS-52)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = new Hono();
  app.use(async (c, next) => {
    c.header('WWW-Authenticate', 'Basic realm="other"');
    await next();
  });
  app.use(gatewarden(declaration(issuer)));
  app.post('/mcp', (c) => {
    c.header('Access-Control-Allow-Origin', '*');
    return c.text('handled');
  });
  const { send } = await serve(t, getRequestListener(app.fetch));
  const refused = await send({ body: toolCall('list_todos') });
  const called = await send({
    token: await issuer.token(),
    body: toolCall('list_todos'),
    headers: [['Origin', 'http://localhost:6274']],
  });
  assert.match(String(refused.headers['www-authenticate']), /^Bearer resource_metadata="[^"]+"$/);
  assert.equal(called.headers['access-control-allow-origin'], 'http://localhost:6274');
});
