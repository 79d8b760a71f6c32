import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeRequest } from '@gatewarden/resource-server';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration, serve, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { gatewarden } from '../src/index.ts';

test('xmcp: behind the body parser xmcp puts first, what was parsed is what is checked and run (RS-36, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const ran: unknown[] = [];
  const middleware = gatewarden(declaration(issuer));
  const { send } = await serve(t, async (request: NodeRequest, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    request.body = JSON.parse(Buffer.concat(chunks).toString()); // xmcp does this before any middleware
    middleware(request, response, () => {
      ran.push([request.body, 'auth' in request]);
      response.end('{}');
    });
  });
  const token = await issuer.token();
  const twice = toolCall('list_todos').replace('"name"', '"name":"list_todos","name"');
  const hidden = toolCall('add_todo').replace('"name"', '"name":"list_todos","name"');

  assert.equal((await send({ body: twice })).status, 401);
  assert.equal((await send({ token, body: hidden })).status, 403, 'the last name counts');
  assert.equal((await send({ token, body: twice })).status, 200);
  assert.deepEqual(ran, [[JSON.parse(toolCall('list_todos')), true]]);
});
