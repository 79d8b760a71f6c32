import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { startProxied } from './proxied.ts';

test('a tool call with its scope reaches the upstream byte for byte, and its answer comes back (RS-36, RS-46)', async (t) => {
  const { send, seen, issuer } = await startProxied(t);
  const body = ` {"jsonrpc":"2.0",\n"id":7,"method":"tools/call","params":{"name":"list_todos","arguments":{"a":"\\u00e9"}}} `;

  const answer = await send({ body, token: await issuer.token() });

  assert.deepEqual([answer.status, answer.text], [200, '{"handled":true}']);
  assert.deepEqual(
    seen.map(({ method, path, body: got }) => ({ method, path, body: got })),
    [{ method: 'POST', path: '/mcp', body }],
  );
});

test('without a token, with a foreign one or without its scope nothing reaches the upstream (RS-11, RS-39)', async (t) => {
  const { send, seen, issuer, proxy } = await startProxied(t);

  const none = await send({ body: toolCall('list_todos') });
  const foreign = await send({
    body: toolCall('list_todos'),
    token: await issuer.token({ aud: 'https://elsewhere.example/mcp' }),
  });
  const scope = await send({ body: toolCall('add_todo'), token: await issuer.token() });

  assert.deepEqual([none.status, foreign.status, scope.status], [401, 401, 403]);
  assert.equal(
    none.headers['www-authenticate'],
    `Bearer resource_metadata="http://localhost:${proxy.port}/.well-known/oauth-protected-resource/mcp"`,
  );
  assert.match(scope.headers['www-authenticate'] ?? '', /insufficient_scope.*todo:write/);
  assert.deepEqual(seen, []);
});
