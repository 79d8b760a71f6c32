import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  clientOf,
  declaration,
  type Guarded,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import fastify, { type FastifyInstance, type FastifyPluginCallback } from 'fastify';
import { authOf, gatewarden } from '../src/index.ts';

async function listen(
  t: TestContext,
  app: FastifyInstance,
): Promise<Pick<Guarded, 'port' | 'send' | 'raw'>> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => {
    app.server.closeAllConnections();
    return app.close();
  });
  return clientOf((app.server.address() as AddressInfo).port);
}

test('Fastify: the body is the checked one, whatever parsers the app has, before and after (RS-36, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = fastify();
  const seen: unknown[] = [];
  // A parser that would run another tool than the one that was checked.
  app.removeContentTypeParser('application/json');
  app.addContentTypeParser('application/json', (_request, _payload, done) =>
    done(null, JSON.parse(toolCall('add_todo'))),
  );
  await app.register(gatewarden(declaration(issuer)));
  await app.register((child, _options, done) => {
    child.removeContentTypeParser('application/json');
    child.addContentTypeParser(
      'application/json',
      { parseAs: 'string' },
      (_request, body, parsed) => {
        seen.push(body);
        parsed(null, JSON.parse(toolCall('add_todo')));
      },
    );
    child.post('/mcp', async (request) => ({ body: request.body }));
    done();
  });
  app.post('/other', async (request) => ({ body: request.body }));
  const { send } = await listen(t, app);
  const token = await issuer.token();

  for (const path of ['/mcp', '/other']) {
    const answer = await send({ path, token, body: toolCall('list_todos') });
    assert.deepEqual(JSON.parse(answer.text), { body: JSON.parse(toolCall('list_todos')) });
  }
  assert.deepEqual(seen, [toolCall('list_todos')], 'a parser of the app gets the same bytes');
});

test('Fastify: a call that names __proto__ is decided by the guard and not by a second parser (RS-36, RS-45)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = fastify();
  await app.register(gatewarden(declaration(issuer)));
  app.post('/mcp', async (request) => ({ text: JSON.stringify(request.body) }));
  const { send } = await listen(t, app);
  const body = toolCall('list_todos').replace('"arguments":{}', '"arguments":{"__proto__":{}}');
  const answer = await send({ token: await issuer.token(), body });
  assert.deepEqual(JSON.parse(answer.text), { text: body });
});

test('Fastify: a body larger than the limit of Fastify is the guard’s to decide (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = fastify({ bodyLimit: 1_000 });
  await app.register(gatewarden(declaration(issuer, { maxBodyBytes: 10_000 })));
  app.post('/mcp', async () => 'handled');
  const { send } = await listen(t, app);
  const token = await issuer.token();
  const sized = (length: number): string => toolCall('list_todos', { text: 'x'.repeat(length) });
  const statuses = [
    await send({ token, body: sized(5_000) }),
    await send({ token, body: sized(20_000) }),
  ];
  assert.deepEqual(
    statuses.map(({ status }) => status),
    [200, 413],
  );
});

test('Fastify: routes before and after it and below it need a token, and no error handler answers in its place (RS-7, RS-52)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = fastify();
  const reached: string[] = [];
  app.setErrorHandler((_error, _request, reply) => reply.status(418).send());
  app.setNotFoundHandler((_request, reply) => reply.status(200).send('found'));
  app.get('/before', async () => reached.push('before'));
  await app.register(gatewarden(declaration(issuer)));
  app.get('/after', async () => reached.push('after'));
  const below: FastifyPluginCallback = (child, _options, done) => {
    child.get('/below', async () => reached.push('below'));
    done();
  };
  await app.register(below, { prefix: '/v1' });
  const { send } = await listen(t, app);
  for (const path of ['/before', '/after', '/v1/below', '/nowhere', '/%']) {
    const answer = await send({ path });
    assert.equal(answer.status, path === '/%' ? answer.status : 401, path);
    assert.notEqual(answer.text, 'found', path);
  }
  assert.deepEqual(reached, []);
});

test('Fastify: the caller of a request is with the request, and CORS headers stay on replies (RS-16, RS-26)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = fastify();
  await app.register(gatewarden(declaration(issuer, { publicPaths: ['/health'] })));
  app.post('/mcp', async (request) => ({ client: authOf(request)?.clientId }));
  app.get('/health', async (request) => ({ client: authOf(request) ?? 'nobody' }));
  const { send } = await listen(t, app);
  const answer = await send({
    token: await issuer.token(),
    body: toolCall('list_todos'),
    headers: [['Origin', 'http://localhost:6274']],
  });
  assert.deepEqual(JSON.parse(answer.text), { client: 'skc_1' });
  assert.equal(answer.headers['access-control-allow-origin'], 'http://localhost:6274');
  assert.deepEqual(JSON.parse((await send({ path: '/health' })).text), { client: 'nobody' });
});
