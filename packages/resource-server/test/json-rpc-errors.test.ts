import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, toolCall } from '../src/testing/guarded-server.ts';

test('a refused call can be answered with a JSON-RPC error of its id (RS-53)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, { jsonRpcErrorBody: true, defaultPolicy: 'deny' });
  const entries = await startEntryPoints(t, options, () => new Response('{}'));
  const token = await issuer.token();
  for (const entry of entries) {
    const answer = await entry.send({ token, body: toolCall('add_todo', {}, 42) });
    const body = JSON.parse(answer.text);
    assert.equal(answer.status, 403, entry.name);
    assert.deepEqual([body.jsonrpc, body.id], ['2.0', 42]);
    assert.deepEqual(
      [body.error.data.error, body.error.data.scope],
      ['insufficient_scope', 'todo:write'],
    );
    assert.equal(challengeOf(answer)['scope'], 'todo:write', 'the header is the same');
    const nobody = await entry.send({ token, body: toolCall('unlisted', {}, 43) });
    assert.deepEqual([nobody.status, JSON.parse(nobody.text).id], [403, 43]);
    const broken = await entry.send({
      token,
      body: '{"jsonrpc":"2.0","id":"a","method":"tools/call"}',
    });
    const { id, error } = JSON.parse(broken.text);
    assert.deepEqual([broken.status, id, error.code], [400, 'a', -32602]);
    const batch = `[${toolCall('list_todos', {}, 1)},${toolCall('add_todo', {}, 2)}]`;
    const long = toolCall('add_todo').replace('"id":1', `"id":"${'x'.repeat(257)}"`);
    assert.ok(!(await entry.send({ token, body: long })).text.includes('xxx'));
    const many = `[${Array(1_001).fill(toolCall('add_todo')).join(',')}]`;
    assert.ok((await entry.send({ token, body: many })).text.length < 200);
    const errors = JSON.parse((await entry.send({ token, body: batch })).text);
    assert.deepEqual(
      errors.map((one: { id: number }) => one.id),
      [1, 2],
    );
  }
});

test('a call whose rule throws is a JSON-RPC error too, and does not run (RS-35, RS-53)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, {
    jsonRpcErrorBody: true,
    tools: {
      list_todos: () => {
        throw new Error('a mistake in a rule');
      },
    },
  });
  const entries = await startEntryPoints(t, options, () => new Response('{}'));
  for (const entry of entries) {
    const sent = { token: await issuer.token(), body: toolCall('list_todos', {}, 5) };
    const { status, text } = await entry.send(sent);
    assert.deepEqual([status, JSON.parse(text).id], [500, 5], entry.name);
    assert.ok(!text.includes('mistake'));
  }
});

test('a refusal nobody waits for by an id, or one before the body was read, keeps its own body (RS-53)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, { jsonRpcErrorBody: true });
  const entries = await startEntryPoints(t, options, () => new Response('{}'));
  const silent = '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"add_todo"}}';
  const odd = silent.replace('{', '{"id":{"a":1},');
  for (const entry of entries) {
    for (const body of [silent, odd]) {
      const answer = await entry.send({ token: await issuer.token(), body });
      assert.equal(JSON.parse(answer.text).error, 'insufficient_scope', entry.name);
    }
    const anonymous = await entry.send({ body: toolCall('add_todo') });
    assert.deepEqual([anonymous.status, JSON.parse(anonymous.text).error], [401, 'unauthorized']);
  }
});

test('without the option the body of a refusal is that of OAuth (RS-53)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const [node] = await startEntryPoints(t, declaration(issuer), () => new Response('{}'));
  const answer = await node?.send({ token: await issuer.token(), body: toolCall('add_todo') });
  assert.equal(JSON.parse(answer?.text ?? '').error, 'insufficient_scope');
});
