import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type FakeIssuer,
  siblingId,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import {
  declaration,
  type Guarded,
  hostilePaths,
  serve,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import express from 'express';
import { gatewarden } from '../src/index.ts';

type Client = Pick<Guarded, 'send'>;

/** Counts as a tool call whatever gets through, by any method and path. */
function counting(calls: unknown[]): express.RequestHandler {
  return (request, response) => {
    calls.push([request.method, request.originalUrl, request.body]);
    response.json({ handled: true });
  };
}

async function sendAll(client: Client, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const body = method === 'POST' ? { body: toolCall('list_todos') } : {};
      await client.send({ method, path, ...body });
    }
  }
}

test('Express: whatever earlier middleware makes of the path, the one on the wire decides (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const calls: unknown[] = [];
  const app = express();
  app.use((request, _response, next) => {
    const decoded = request.url.toLowerCase().replace(/%2e/g, '.').replace(/%68/g, 'h');
    request.url = decoded.replace(/\/+/g, '/').replace(/[;\\].*$/, '');
    next();
  });
  app.use(gatewarden(declaration(issuer, { publicPaths: ['/health'] })));
  app.use(counting(calls));
  const client = await serve(t, app);

  await sendAll(client, hostilePaths);
  assert.deepEqual(calls, []);
});

test('Express: below a mount path and in an app of an app nothing passes without a token (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const calls: unknown[] = [];
  const inner = express();
  const options = declaration(issuer, {
    serverUrl: 'http://localhost:3333/v1/mcp',
    publicPaths: ['/health'],
  });
  inner.use(gatewarden(options));
  inner.use(counting(calls));
  const app = express();
  app.use('/v1', inner);
  const client = await serve(t, app);

  // `/health` is public at the root of the host only, not below the mount path.
  await sendAll(client, ['/v1/mcp', '/V1/MCP', '/v1//mcp', '/v1/health', '/v1/', '/v1']);
  await sendAll(
    client,
    hostilePaths.map((path) => `/v1${path}`),
  );
  assert.deepEqual(calls, []);
  const token = await issuer.token({ aud: options.resourceId });
  const called = await client.send({ path: '/v1/mcp', token, body: toolCall('list_todos') });
  assert.equal(called.status, 200);
  assert.equal(calls.length, 1);
});

/** An app that takes calls by any method, with middleware around the guard as old apps have it. */
async function startLoose(
  t: TestContext,
  issuer: FakeIssuer,
  around: { before?: express.RequestHandler; after?: express.RequestHandler },
): Promise<Client & { calls: unknown[] }> {
  const calls: unknown[] = [];
  const app = express();
  if (around.before) app.use(around.before);
  app.use(gatewarden(declaration(issuer)));
  if (around.after) app.use(around.after);
  app.use(counting(calls));
  return { calls, ...(await serve(t, app)) };
}

test('Express: a call hidden in the body of GET or DELETE is refused, parsed before or not (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const body = toolCall('add_todo');
  for (const around of [{}, { before: express.json() }, { after: express.json() }]) {
    const app = await startLoose(t, issuer, around);
    for (const method of ['GET', 'DELETE']) {
      const headers: [string, string][] = [['Content-Length', String(body.length)]];
      const answer = await app.send({ method, token, body, headers });
      assert.equal(answer.status, 400, method);
    }
    assert.deepEqual(app.calls, []);
  }
});

test('Express: a method override, before or after the guard, runs no call that was not checked (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const body = toolCall('add_todo');
  const override: express.RequestHandler = (request, _response, next) => {
    const method = request.headers['x-http-method-override'];
    if (typeof method === 'string') request.method = method;
    next();
  };
  for (const around of [{ before: override }, { after: override }]) {
    const app = await startLoose(t, issuer, around);
    for (const [method, other] of [
      ['GET', 'POST'],
      ['POST', 'GET'],
      ['DELETE', 'POST'],
      ['POST', 'DELETE'],
      ['POST', 'OPTIONS'],
      ['POST', 'HEAD'],
    ] as const) {
      const headers: [string, string][] = [
        ['X-HTTP-Method-Override', other],
        ['Content-Length', String(body.length)],
        ['Content-Type', 'application/json'],
      ];
      await app.send({ method, token, body, headers });
    }
    assert.deepEqual(app.calls, []);
  }
});

test('Express: the bytes a transport finds are those of the checked body, not of an earlier one (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const found: unknown[] = [];
  const app = express();
  const parser = express.json({
    verify: (request) => Object.assign(request, { rawBody: Buffer.from(toolCall('add_todo')) }),
  });
  app.use(parser, gatewarden(declaration(issuer)));
  app.post('/mcp', (request, response) => {
    found.push('rawBody' in request ? String(request.rawBody) : undefined);
    response.end();
  });
  const { send } = await serve(t, app);
  const answer = await send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.equal(answer.status, 200);
  assert.deepEqual(found, [toolCall('list_todos')]);
});

test('Express: two guards in one app each take their own server, and a token crosses neither (RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const app = express();
  const calls: unknown[] = [];
  app.use('/a', gatewarden(declaration(issuer, { serverUrl: 'http://localhost:3333/a/mcp' })));
  app.use(
    '/b',
    gatewarden(
      declaration(issuer, { resourceId: siblingId, serverUrl: 'http://localhost:3333/b/mcp' }),
    ),
  );
  app.use(['/a', '/b'], counting(calls));
  const { send } = await serve(t, app);
  const forA = await issuer.token({ aud: 'http://localhost:3333/a/mcp' });
  const statuses: number[] = [];
  for (const path of ['/a/mcp', '/A/mcp', '/b/mcp', '/B/MCP', '/a/../b/mcp', '/b/..%2fa/mcp'])
    statuses.push((await send({ path, token: forA })).status);
  assert.deepEqual(statuses, [200, 200, 401, 401, 200, 401]);
  assert.deepEqual(
    calls.map((call) => (Array.isArray(call) ? call[1] : call)),
    ['/a/mcp', '/A/mcp', '/a/../b/mcp'],
  );
});
