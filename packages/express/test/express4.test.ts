import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  declaration,
  hostilePaths,
  serve,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
// @ts-expect-error the types that come with Express are those of its current major
import express4 from 'express4';
import { authOf, gatewarden } from '../src/index.ts';

type Handler = (
  request: Parameters<ReturnType<typeof gatewarden>>[0],
  response: Parameters<ReturnType<typeof gatewarden>>[1],
) => void;
type App = { use(handler: unknown): void } & Handler;

test('Express 4: no spelling reaches a route without a token, and the route gets caller and body (RS-7, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const calls: unknown[] = [];
  const app: App = express4();
  app.use(gatewarden(declaration(issuer, { publicPaths: ['/health'] })));
  const route: Handler = (request, response) => {
    calls.push([authOf(request)?.clientId, request.body]);
    response.end('{}');
  };
  app.use(route);
  const { send } = await serve(t, app);

  for (const path of hostilePaths) {
    await send({ path });
    await send({ path, body: toolCall('list_todos') });
  }
  assert.deepEqual(calls, []);
  const answer = await send({ token: await issuer.token(), body: toolCall('list_todos') });
  assert.equal(answer.status, 200);
  assert.deepEqual(calls, [['skc_1', JSON.parse(toolCall('list_todos'))]]);
});
