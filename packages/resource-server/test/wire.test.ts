import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopeClaims, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const json = 'Content-Type: application/json\r\n';

function withLength(body: string): string {
  return `${json}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

test('a body where none belongs is refused, so that no handler can run what nobody checked (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const call = toolCall('add_todo');
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    const declared = await server.send({
      method,
      token,
      body: call,
      headers: [['Content-Length', String(call.length)]],
    });
    const chunked = await server.send({
      method,
      token,
      body: call,
      headers: [['Transfer-Encoding', 'chunked']],
    });
    assert.deepEqual([declared.status, chunked.status], [400, 400], method);
  }
  assert.deepEqual(server.calls, []);
  const empty = await server.send({ method: 'DELETE', token, headers: [['Content-Length', '0']] });
  assert.equal(empty.status, 200);
});

test('HTTP/1.0, absolute targets and asterisks give nobody a way in (RS-7, RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { publicPaths: ['/health'] }));
  const token = await issuer.token();
  const bearer = `Authorization: Bearer ${token}\r\n`;
  const end = 'Connection: close\r\n\r\n';
  const cases: [string, number][] = [
    [`GET /mcp HTTP/1.0\r\n${bearer}\r\n`, 403],
    [`GET /mcp HTTP/1.0\r\nHost: evil.example\r\n${bearer}\r\n`, 403],
    [`GET /mcp HTTP/1.1\r\n${bearer}${end}`, 400],
    [`GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n${end}`, 401],
    [`GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n${end}`, 401],
    [`GET http://localhost/mcp HTTP/1.1\r\nHost: evil.example\r\n${bearer}${end}`, 403],
    [`GET /health#/../mcp HTTP/1.1\r\nHost: localhost\r\n${end}`, 401],
    [`OPTIONS * HTTP/1.1\r\nHost: localhost\r\n${end}`, 204],
    [`OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n${end}`, 403],
  ];
  for (const [bytes, status] of cases) {
    const answer = await server.raw(bytes);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `), bytes.slice(0, 60));
  }
  assert.deepEqual(server.calls, []);
});

test('the rest of a refused request is never taken for a request of its own (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { maxBodyBytes: 100 }));
  const token = await issuer.token(scopeClaims('todo:read todo:write'));
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost\r\n`;
  const bearer = `Authorization: Bearer ${token}\r\n`;
  const hidden = `${head}${bearer}${withLength(toolCall('add_todo'))}`;
  const wraps: [string, RegExp][] = [
    [`${head}${withLength(hidden)}`, /^HTTP\/1\.1 401 /],
    [`${head}${bearer}${withLength(hidden)}`, /^HTTP\/1\.1 413 /],
    [`${head}Transfer-Encoding: chunked\r\n${withLength(hidden)}`, /^HTTP\/1\.1 400 /],
    [`${head}Transfer-Encoding: chunked, identity\r\n${withLength(hidden)}`, /^HTTP\/1\.1 400 /],
    [`${head}Content-Length: 4\r\n${withLength(hidden)}`, /^HTTP\/1\.1 400 /],
    [`${head}Content-Length : 4\r\n\r\n${hidden}`, /^HTTP\/1\.1 400 /],
  ];
  for (const [bytes, expected] of wraps) {
    const answer = await server.raw(bytes);
    assert.match(answer, expected, bytes.slice(0, 120));
    assert.equal(answer.match(/HTTP\/1\.1 [2-5]/g)?.length, 1, 'one answer');
  }
  assert.deepEqual(server.calls, []);
});

test('a request that waits for 100-continue is decided like any other (RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n';
  const expecting = `${head}Expect: 100-continue\r\n${withLength(toolCall('add_todo'))}`;
  const bearer = `Authorization: Bearer ${await issuer.token()}\r\n`;

  assert.match(await server.raw(expecting), /\r\n\r\nHTTP\/1\.1 401 /);
  assert.match(
    await server.raw(expecting.replace('Expect', `${bearer}Expect`)),
    /\r\n\r\nHTTP\/1\.1 403 /,
  );
  assert.match(await server.raw(expecting.replace('100-continue', 'magic')), /^HTTP\/1\.1 417 /);
  assert.deepEqual(server.calls, []);
});

test('a connection kept alive carries no caller from one request to the next (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const head = 'POST /mcp HTTP/1.1\r\nHost: localhost\r\n';
  const body = withLength(toolCall('list_todos'));
  const first = `${head}Authorization: Bearer ${await issuer.token()}\r\n${body}`;
  const answer = await server.raw(`${first}${head}Connection: close\r\n${body}`);
  assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 401']);
  assert.equal(server.calls.length, 1);
});

test('ten thousand messages in one batch are refused whole and quickly (RS-38)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const batch = `[${Array(10_000).fill(toolCall('list_todos')).join(',')}]`;
  const answer = await server.send({ token, body: batch });
  assert.deepEqual([answer.status, JSON.parse(answer.text).error.code], [400, -32600]);
  assert.deepEqual(server.calls, []);
});
