import assert from 'node:assert/strict';
import {
  connect,
  createServer,
  type Http2ServerResponse,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { guardNodeRequest, protectMcp } from '../src/index.ts';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, toolCall } from '../src/testing/guarded-server.ts';

type Sent = { method: string; headers?: Record<string, string>; authority?: string; body?: string };

/** A guard on Node's HTTP/2 server, and a client that sends one request after the other. */
async function startHttp2(
  t: TestContext,
  guard: ReturnType<typeof protectMcp>,
  answer = (response: Http2ServerResponse): unknown => response.end('{}'),
): Promise<{ calls: unknown[]; texts: string[]; send(sent: Sent): Promise<number> }> {
  const texts: string[] = [];
  const calls: unknown[] = [];
  const server = createServer(async (request, response) => {
    // Node's HTTP/2 objects offer what the guard uses of their HTTP/1.1 namesakes.
    const admitted = await guardNodeRequest(guard, request as never, response as never);
    if (!admitted) return;
    calls.push(admitted.body);
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => {
    session.destroy();
    server.close();
  });
  const send = ({ method, headers = {}, authority = 'localhost', body }: Sent): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request(
        { ':method': method, ':path': '/mcp', ':authority': authority, ...headers },
        { endStream: body === undefined },
      );
      stream.on('error', reject);
      stream.on('response', (answer: IncomingHttpHeaders & { ':status'?: number }) => {
        let text = '';
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        stream.on('close', () => {
          texts.push(text);
          resolve(answer[':status'] ?? 0);
        });
      });
      if (body !== undefined) stream.end(body);
    });
  return { calls, texts, send };
}

test('over HTTP/2 token, authority, body and scopes are checked as over HTTP/1.1 (RS-11, RS-36, RS-39, RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { calls, send } = await startHttp2(t, protectMcp(declaration(issuer)));
  const authorization = `Bearer ${await issuer.token()}`;
  const json = { authorization, 'content-type': 'application/json' };
  const origin = 'http://localhost:6274';
  const call = toolCall('list_todos');

  assert.equal(await send({ method: 'GET' }), 401);
  assert.equal(await send({ method: 'GET', headers: { authorization } }), 200);
  assert.equal(await send({ method: 'POST', headers: { ...json, origin }, body: call }), 200);
  assert.equal(await send({ method: 'POST', headers: json, body: toolCall('add_todo') }), 403);
  assert.equal(await send({ method: 'GET', headers: json, body: toolCall('add_todo') }), 400);
  assert.equal(await send({ method: 'DELETE', headers: json, body: toolCall('add_todo') }), 400);
  const rebound = { method: 'GET', headers: { authorization }, authority: 'evil.example' };
  assert.equal(await send(rebound), 403);
  assert.deepEqual(calls, [undefined, JSON.parse(call)]);
});

test('over HTTP/2 sessions are bound, tool lists shortened and streams ended as over HTTP/1.1 (RS-43, RS-48, RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const result = { tools: [{ name: 'list_todos' }, { name: 'add_todo' }] };
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, result });
  const guard = protectMcp(declaration(issuer, { hideUnpermittedTools: true }));
  const streaming: Http2ServerResponse[] = [];
  const { texts, send } = await startHttp2(t, guard, (response) => {
    response.setHeader('mcp-session-id', 's1');
    if (response.req.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': open\n\n');
      return streaming.push(response);
    }
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': list.length });
    response.write(list.slice(0, 10));
    return response.end(list.slice(10));
  });
  const headers = { authorization: `Bearer ${await issuer.token()}`, 'mcp-session-id': 's1' };
  const post = { ...headers, 'content-type': 'application/json' };
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
  assert.equal(await send({ method: 'POST', headers: post, body }), 200);
  assert.deepEqual(JSON.parse(texts[0] ?? '').result.tools, [{ name: 'list_todos' }]);
  const other = `Bearer ${await issuer.token({ sub: 'usr_2' })}`;
  assert.equal(
    await send({ method: 'POST', headers: { ...post, authorization: other }, body }),
    404,
  );
  issuer.advance(3_600 - 60.3);
  assert.equal(await send({ method: 'GET', headers }), 200);
  assert.equal(texts[2], ': open\n\n');
  streaming[0]?.write('late');
});
