import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { siblingId, startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  declaration,
  type Guarded,
  hostilePaths,
  serve,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import express from 'express';
import { authOf, gatewarden } from '../src/index.ts';

type App = Pick<Guarded, 'send' | 'port' | 'raw'> & {
  calls: { path: string; auth: unknown; body: unknown }[];
};

/** An app whose every route, also the ones Express finds by its loose matching, counts as a tool call. */
async function startApp(
  t: Parameters<typeof serve>[0],
  servers: McpServerOptions | McpServerOptions[],
  before?: express.RequestHandler,
): Promise<App> {
  const app = express();
  const calls: App['calls'] = [];
  if (before) app.use(before);
  app.use(gatewarden(servers));
  app.all('/mcp', (request, response) => {
    calls.push({ path: request.originalUrl, auth: authOf(request), body: request.body });
    response.json({ handled: true });
  });
  app.use((request, response) => {
    calls.push({ path: request.originalUrl, auth: authOf(request), body: request.body });
    response.json({ handled: true });
  });
  return { calls, ...(await serve(t, app)) };
}

test('Express: no spelling of a public path reaches a route without a token (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, declaration(issuer, { publicPaths: ['/health'] }));
  for (const path of hostilePaths) {
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE']) {
      await app.send({
        method,
        path,
        ...(method === 'POST' ? { body: toolCall('list_todos') } : {}),
      });
    }
  }
  assert.deepEqual(app.calls, []);
  assert.equal((await app.send({ path: '/health' })).status, 200);
});

test('Express: metadata, challenge, preflight and origin check work in front of the routes (RS-1, RS-11, RS-15, RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, declaration(issuer));
  const metadata = await app.send({ path: '/.well-known/oauth-protected-resource/mcp' });
  const refused = await app.send({ body: toolCall('list_todos') });
  const preflight = await app.send({
    method: 'OPTIONS',
    headers: [['Origin', 'http://localhost:6274']],
  });
  const foreign = await app.send({
    token: await issuer.token(),
    headers: [['Origin', 'https://evil.example']],
  });

  assert.equal(JSON.parse(metadata.text).resource, 'http://localhost:3333/mcp');
  assert.deepEqual([refused.status, preflight.status, foreign.status], [401, 204, 403]);
  assert.match(refused.headers['www-authenticate'] ?? '', /^Bearer resource_metadata="http/);
  assert.deepEqual(app.calls, []);
});

test('Express: a body another parser read is the one that is checked and handed on (RS-36, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  for (const parser of [
    express.json(),
    express.raw({ type: '*/*' }),
    express.text({ type: '*/*' }),
  ]) {
    const app = await startApp(t, declaration(issuer), parser);
    const refused = await app.send({ token, body: toolCall('add_todo') });
    const allowed = await app.send({ token, body: toolCall('list_todos') });
    assert.deepEqual([refused.status, allowed.status], [403, 200]);
    assert.deepEqual(
      app.calls.map(({ body }) => body),
      [JSON.parse(toolCall('list_todos'))],
    );
  }
});

test('Express: a body that was swallowed before the guard lets nothing through (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, declaration(issuer), (request, _response, next) => {
    request.resume().on('end', () => next());
  });
  const answer = await app.send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.equal(answer.status, 400);
  assert.deepEqual(app.calls, []);
});

test('Express: a placeholder body of an older parser is not taken for the message (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, declaration(issuer), (request, _response, next) => {
    request.body = JSON.parse(toolCall('list_todos'));
    next();
  });
  const answer = await app.send({ token: await issuer.token(), body: toolCall('add_todo') });
  assert.equal(answer.status, 403);
});

test('Express: a parser after the guard keeps the checked body (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = express();
  app.use(gatewarden(declaration(issuer)), express.json({ strict: false }));
  app.post('/mcp', (request, response) => {
    response.json(request.body);
  });
  const { send } = await serve(t, app);
  const answer = await send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.deepEqual(JSON.parse(answer.text), JSON.parse(toolCall('list_todos')));
});

test('Express: a token for one server of the app fails at the other, however its path is spelled (RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, [
    declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/notes' }),
    declaration(issuer),
  ]);
  const sibling = await issuer.token({ aud: siblingId });
  const statuses: number[] = [];
  for (const path of ['/mcp', '/mcp/', '/MCP', '/%6dcp', '/notes/../mcp', '/notes']) {
    statuses.push((await app.send({ path, token: sibling })).status);
  }
  assert.deepEqual(statuses, [401, 401, 404, 404, 404, 200]);
});

test('Express: a broken rule is 500 from the guard, and no route is reached (RS-35)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(
    t,
    declaration(issuer, { tools: { x: () => assert.fail('broken rule') } }),
  );
  const answer = await app.send({ token: await issuer.token(), body: toolCall('x') });
  assert.deepEqual([answer.status, JSON.parse(answer.text).error], [500, 'server_error']);
  assert.deepEqual(app.calls, []);
});

test('Express: a challenge that other middleware has set gives way to ours, on 401 and 403 (RS-52)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = await startApp(t, declaration(issuer), (_request, response, next) => {
    response.setHeader('www-authenticate', 'Basic realm="other"');
    next();
  });
  const refused = await app.send({ body: toolCall('list_todos') });
  assert.equal(refused.status, 401);
  assert.match(String(refused.headers['www-authenticate']), /^Bearer /);
  assert.ok(!String(refused.headers['www-authenticate']).includes('Basic'));
});
