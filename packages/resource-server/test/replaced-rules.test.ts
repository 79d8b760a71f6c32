import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardNodeRequest, protectMcp } from '../src/index.ts';
import { serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve, toolCall } from '../src/testing/guarded-server.ts';

test('tool rules are replaced at work, all or nothing, and sessions keep their owners (RS-35, RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const guard = protectMcp(declaration(issuer, { revocation: false }));
  const { send } = await serve(t, async (request, response) => {
    if (await guardNodeRequest(guard, request, response))
      response.setHeader('mcp-session-id', 'session-1').end('{}');
  });
  const token = await issuer.token();
  const thief = await issuer.token({ client_id: 'skc_2' });
  const call = async (name: string, by = token): Promise<number> =>
    (await send({ body: toolCall(name), token: by, headers: [['Mcp-Session-Id', 'session-1']] }))
      .status;
  assert.deepEqual([await call('list_todos'), await call('add_todo')], [200, 403]);

  guard.replaceToolRules(serverUrl, {
    tools: { add_todo: 'todo:read', list_todos: 'todo:list' },
    defaultPolicy: 'deny',
  });

  assert.deepEqual(
    [await call('list_todos'), await call('add_todo'), await call('other')],
    [403, 200, 403],
  );
  assert.equal(await call('add_todo', thief), 404);
  const metadata = JSON.parse((await send({ path: '/.well-known/oauth-protected-resource' })).text);
  assert.deepEqual(metadata.scopes_supported, ['todo:read', 'todo:list']);

  assert.throws(() => guard.replaceToolRules(serverUrl, { tools: { add_todo: 'not a scope' } }), {
    code: 'unknown_scope',
  });
  assert.throws(() => guard.replaceToolRules('http://localhost:1/mcp', {}), {
    code: 'invalid_url',
  });
  assert.equal(await call('add_todo'), 200);
});
