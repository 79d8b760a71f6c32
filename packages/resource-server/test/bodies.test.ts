import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { challengeOf, declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const both = scopeClaims('todo:read todo:write');

test('the body that was checked is the body the handler gets (RS-36, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const body = toolCall('list_todos', { text: 'Grüße ✓', deep: [{ a: 1 }] });

  for (const type of [
    'application/json',
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
  ]) {
    const answer = await server.send({
      token: await issuer.token(),
      body,
      headers: [['Content-Type', type]],
    });
    assert.equal(answer.status, 200, type);
    assert.deepEqual(server.calls.at(-1)?.body, JSON.parse(body));
  }
});

test('headers that name a harmless tool do not cover an admin call in the body (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const answer = await server.send({
    token: await issuer.token(),
    headers: [
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', 'list_todos'],
      ['X-HTTP-Method-Override', 'GET'],
    ],
    body: toolCall('add_todo'),
  });
  assert.deepEqual([answer.status, challengeOf(answer)['scope']], [403, 'todo:write']);
  assert.deepEqual(server.calls, []);
});

test('JSON that two parsers may read differently is refused (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(both);
  const head = '"jsonrpc":"2.0","id":1';
  const call = `${head},"method":"tools/call"`;
  const bodies = [
    `{${call},"params":{"name":"list_todos","name":"add_todo"}}`,
    `{${call},"params":{"name":"list_todos","n\\u0061me":"add_todo"}}`,
    `{${call},"params":{"name":"list_todos","Name":"add_todo"}}`,
    `{${call},"params":{"Name":"add_todo"}}`,
    `{${call},"params":{"NAME":"add_todo","name":"list_todos"}}`,
    `{${call},"params":{"name":"list_todos"},"params":{"name":"add_todo"}}`,
    `{${call},"params":{"name":"list_todos"},"Params":{"name":"add_todo"}}`,
    `{${call},"params":{"name":"list_todos"},"param\u017f":{"name":"add_todo"}}`,
    `{${call},"method":"ping","params":{"name":"add_todo"}}`,
    `{${head},"method":"ping","Method":"tools/call","params":{"name":"add_todo"}}`,
    `{${head},"Method":"tools/call","params":{"name":"add_todo"}}`,
    `{${head},"result":{},"Method":"tools/call","params":{"name":"add_todo"}}`,
    `{${head},"result":{},"method":"tools/call","params":{"name":"add_todo"}}`,
    `{${call},"params":{"name":"list_todos","arguments":{"a":1,"a":2}}}`,
    `{${call},"params":{"name":"list_todos","arguments":{},"Arguments":{"a":2}}}`,
    `{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"list_todos"}}`,
  ];
  for (const body of bodies) assert.equal((await server.send({ token, body })).status, 400, body);
  assert.deepEqual(server.calls, []);
});

test('messages of the wrong form are JSON-RPC errors, not calls (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(both);
  const cases: [unknown, number][] = [
    [{ jsonrpc: '2.0', id: 1, method: ['tools/call'], params: { name: 'add_todo' } }, -32600],
    [{ jsonrpc: '2.0', id: 1, method: { toString: 'tools/call' } }, -32600],
    [{ jsonrpc: '2.0', id: 1, method: null }, -32600],
    [{ jsonrpc: '2.0', id: 1 }, -32600],
    [{ jsonrpc: '1.0', id: 1, method: 'ping' }, -32600],
    [{ id: 1, method: 'ping' }, -32600],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: ['add_todo'] }, -32600],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: null }, -32600],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: ['add_todo'] } }, -32602],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: {} }, -32602],
    [{ jsonrpc: '2.0', id: 1, method: 'tools/call' }, -32602],
    [{ jsonrpc: '2.0', method: 'tools/call' }, -32602],
    ['text', -32600],
    [7, -32600],
    [null, -32600],
    [[], -32600],
    [[[]], -32600],
    [[[JSON.parse(toolCall('add_todo'))]], -32600],
    [[JSON.parse(toolCall('list_todos')), 'text'], -32600],
    [Array(1_001).fill({ jsonrpc: '2.0', method: 'ping' }), -32600],
  ];
  for (const [message, code] of cases) {
    const answer = await server.send({ token, body: JSON.stringify(message) });
    assert.equal(answer.status, 400, JSON.stringify(message));
    assert.equal(JSON.parse(answer.text).error.code, code, JSON.stringify(message));
    assert.equal(JSON.parse(answer.text).id, null);
  }
  assert.deepEqual(server.calls, []);
});

test('only uncompressed UTF-8 JSON is read: no other charset, coding or byte order mark (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token(both);
  const text = toolCall('add_todo');
  const json: [string, string] = ['Content-Type', 'application/json'];
  const utf16 = Buffer.from(text, 'utf16le');
  const cases: [string | Uint8Array, [string, string][], number][] = [
    [`\ufeff${text}`, [json], 400],
    [utf16, [json], 400],
    [Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]), [json], 400],
    [utf16, [['Content-Type', 'application/json; charset=utf-16']], 415],
    [text, [['Content-Type', 'application/json; charset=utf-7']], 415],
    [text, [['Content-Type', 'application/json; charset=utf-8; charset=utf-16']], 415],
    [gzipSync(text), [json, ['Content-Encoding', 'gzip']], 415],
    [gzipSync(text), [json], 400],
    [text, [json, ['Content-Encoding', 'identity, gzip']], 415],
    [text, [['Content-Type', 'text/plain']], 415],
    [text, [['Content-Type', 'application/jsonp']], 415],
    [text, [['Content-Type', 'multipart/form-data; boundary=x']], 415],
    [text, [json, ['Content-Type', 'text/plain']], 415],
    [
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xc0, 0x80]), Buffer.from('}')]),
      [json],
      400,
    ],
    [Buffer.from(text.replace('{}', '"\xff"'), 'latin1'), [json], 400],
    [Buffer.from(text.replace('{}', '"\xc0\x80"'), 'latin1'), [json], 400],
    ['', [json], 400],
    ['{', [json], 400],
    [`${text}${text}`, [json], 400],
    [`${text}\0`, [json], 400],
    [
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`,
      [json],
      400,
    ],
    [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, [json], 400],
  ];
  for (const [body, headers, status] of cases) {
    const answer = await server.send({ token, body, headers });
    assert.equal(answer.status, status, `${headers.join()} ${String(body).slice(0, 40)}`);
  }
  const untyped = await server.send({ method: 'POST', token });
  assert.equal(untyped.status, 415);
  assert.deepEqual(server.calls, []);
});

test('a body above the limit is 413, declared or chunked, and never reaches a handler (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { maxBodyBytes: 1_000 }));
  const token = await issuer.token();
  const large = toolCall('list_todos', { text: 'x'.repeat(2_000) });
  const chunked: [string, string][] = [['Transfer-Encoding', 'chunked']];

  assert.equal((await server.send({ token, body: large })).status, 413);
  assert.equal((await server.send({ token, body: large, headers: chunked })).status, 413);
  const announced = await server.raw(
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 5000000\r\n\r\n`,
  );
  assert.match(announced, /^HTTP\/1\.1 413 /, 'without waiting for what was announced');
  assert.deepEqual(server.calls, []);
  const small = await server.send({ token, body: toolCall('list_todos'), headers: chunked });
  assert.equal(small.status, 200);
});

test('without an accepted token the body is not read at all (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const answer = await server.raw(
    'POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\nConnection: close\r\n\r\n{',
  );
  assert.match(answer, /^HTTP\/1\.1 401 /);
});

test('a batch is decided as a whole (RS-38)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const read = JSON.parse(toolCall('list_todos'));
  const write = JSON.parse(toolCall('add_todo'));
  const ping = { jsonrpc: '2.0', id: 2, method: 'ping' };
  const token = await issuer.token();

  const mixed = await server.send({ token, body: JSON.stringify([read, ping, write]) });
  const allowed = await server.send({ token, body: JSON.stringify([read, ping]) });
  const full = await server.send({
    token: await issuer.token(both),
    body: JSON.stringify([read, write]),
  });

  assert.deepEqual([mixed.status, challengeOf(mixed)['scope']], [403, 'todo:read todo:write']);
  const turned = await server.send({ token, body: JSON.stringify([write, read]) });
  assert.deepEqual([turned.status, allowed.status, full.status], [403, 200, 200]);
  assert.equal(server.calls.length, 2);
});

test('batches of later protocol versions can be refused (RS-38)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { refuseLaterBatches: true }));
  const token = await issuer.token();
  const statusOf = async (version: string): Promise<number> =>
    (
      await server.send({
        token,
        body: `[${toolCall('list_todos')}]`,
        headers: [['MCP-Protocol-Version', version]],
      })
    ).status;
  assert.deepEqual([await statusOf('2025-03-26'), await statusOf('2025-11-25')], [200, 400]);
});
