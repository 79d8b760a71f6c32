import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startEntryPoints } from '../src/testing/entry-points.ts';
import { scopeClaims, siblingId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, toolCall } from '../src/testing/guarded-server.ts';

test('202 keeps its empty body, and what a handler sends is what arrives (RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const answers = [
    () => new Response(null, { status: 202 }),
    () => new Response(null, { status: 204, headers: { 'x-more': '1' } }),
    () => new Response('{"a":1}', { headers: { 'content-type': 'application/json', etag: '"1"' } }),
    () => new Response('gone', { status: 410, headers: { 'content-type': 'text/plain' } }),
  ];
  const notification = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
  const token = await issuer.token();
  for (const answer of answers) {
    for (const entry of await startEntryPoints(t, declaration(issuer), answer)) {
      const got = await entry.send({ token, body: notification });
      const expected = answer();
      assert.deepEqual(
        [got.status, got.text],
        [expected.status, await expected.text()],
        entry.name,
      );
      const type = got.headers['content-type'] ?? null;
      assert.equal(type, expected.headers.get('content-type'));
      assert.equal(got.headers.etag ?? null, expected.headers.get('etag'));
      if (got.text === '') assert.ok(['0', undefined].includes(got.headers['content-length']));
    }
  }
});

test('a call needs no initialize before it, and no session (RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const entries = await startEntryPoints(t, declaration(issuer), () => new Response('{}'));
  for (const entry of entries) {
    const sent = { token: await issuer.token(), body: toolCall('list_todos') };
    assert.equal((await entry.send(sent)).status, 200, entry.name);
  }
});

test('every method needs a token on every request; a session is none (RS-47)', async (t) => {
  const issuer = await startFakeIssuer(t);
  let reached = 0;
  const entries = await startEntryPoints(t, declaration(issuer), () => {
    reached += 1;
    return new Response('{}', { headers: { 'mcp-session-id': 's1' } });
  });
  const session: [string, string] = ['Mcp-Session-Id', 's1'];
  const token = await issuer.token();
  for (const entry of entries) {
    assert.equal((await entry.send({ token, body: toolCall('list_todos') })).status, 200);
    const before = reached;
    for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
      const body = method === 'POST' ? { body: toolCall('list_todos') } : {};
      for (const headers of [[], [session], [session, ['Last-Event-ID', '1'] as const]]) {
        const answer = await entry.send({ method, headers, ...body });
        assert.equal(answer.status, 401, `${entry.name} ${method}`);
        assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer /);
      }
      const expired = await issuer.token({ exp: 1 });
      assert.equal(
        (await entry.send({ method, token: expired, headers: [session], ...body })).status,
        401,
      );
    }
    for (const method of ['PUT', 'PATCH', 'PROPFIND']) {
      assert.equal((await entry.send({ method, token })).status, 405);
    }
    assert.equal(reached, before);
  }
});

test('servers of one process keep apart at both entry points: metadata, audience, scopes, hidden tools, sessions (RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const tools = ['list_todos', 'list_notes'].map((name) => ({ name }));
  const entries = await startEntryPoints(
    t,
    [
      declaration(issuer, { defaultPolicy: 'deny', hideUnpermittedTools: true }),
      declaration(issuer, {
        resourceId: siblingId,
        serverUrl: 'http://localhost:3333/notes',
        tools: { list_notes: 'notes:read' },
        defaultPolicy: 'deny',
        hideUnpermittedTools: true,
      }),
    ],
    () =>
      Response.json(
        { jsonrpc: '2.0', id: 1, result: { tools } },
        { headers: { 'mcp-session-id': 'same' } },
      ),
  );
  const todos = await issuer.token(scopeClaims('todo:read notes:read'));
  const notes = await issuer.token({ aud: siblingId, ...scopeClaims('todo:read notes:read') });
  const shown = (text: string): string[] =>
    JSON.parse(text).result.tools.map(({ name }: { name: string }) => name);
  for (const entry of entries) {
    const at = async (path: string, token: string, body = list): ReturnType<typeof entry.send> =>
      entry.send({ path, token, body });
    assert.deepEqual(shown((await at('/mcp', todos)).text), ['list_todos'], entry.name);
    assert.deepEqual(shown((await at('/notes', notes)).text), ['list_notes']);
    const crossed = await at('/notes', todos);
    assert.deepEqual([crossed.status, challengeOf(crossed)['error']], [401, 'invalid_token']);
    assert.match(
      challengeOf(crossed)['resource_metadata'] ?? '',
      /oauth-protected-resource\/notes$/,
    );
    assert.equal((await at('/mcp', notes)).status, 401);
    assert.equal((await at('/notes', notes, toolCall('list_todos'))).status, 403);
    assert.equal((await at('/mcp', todos, toolCall('list_notes'))).status, 403);
    for (const path of ['/mcp', '/notes']) {
      const { text } = await entry.send({ path: `/.well-known/oauth-protected-resource${path}` });
      assert.equal(JSON.parse(text).resource, `http://localhost:3333${path}`);
    }
    const other = await issuer.token({ sub: 'usr_2', ...scopeClaims('todo:read') });
    const stolen = { path: '/mcp', token: other, headers: [['Mcp-Session-Id', 'same']] as const };
    assert.equal((await entry.send({ ...stolen, body: list })).status, 404);
  }
});
