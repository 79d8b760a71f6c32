import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { startProxied } from './proxied.ts';

function connection(t: TestContext, port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.after(() => socket.destroy());
  return socket;
}

async function allOf(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (part) => {
    text += String(part);
  });
  await once(socket, 'close');
  return text;
}

test('heads and bodies that never end are cut off (slowloris)', async (t) => {
  const { proxy, issuer, seen } = await startProxied(t, undefined, {
    headersTimeoutMs: 300,
    requestTimeoutMs: 600,
  });
  const head = connection(t, proxy.port);
  head.write('POST /mcp HTTP/1.1\r\nX-A: ');
  const body = connection(t, proxy.port);
  body.write(
    `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${await issuer.token()}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`,
  );

  const silent = connection(t, proxy.port);

  const answers = await Promise.all([allOf(head), allOf(body), allOf(silent)]);

  for (const answer of answers) assert.match(answer, /^(HTTP\/1\.1 4\d\d|$)/);
  assert.deepEqual(seen, []);
});

test('the limits for requests do not end a stream that was opened within them (RS-46)', async (t) => {
  const { open, issuer } = await startProxied(
    t,
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      setTimeout(() => response.end('data: late\n\n'), 1_500);
    },
    { headersTimeoutMs: 200, requestTimeoutMs: 200, upstreamTimeoutMs: 1_000 },
  );
  const { next } = await open({ token: await issuer.token() });
  assert.equal(await next(), 'data: late\n\n');
});

test('a head that is too large is 431', async (t) => {
  const { send, issuer } = await startProxied(t);
  const answer = await send({
    body: toolCall('list_todos'),
    token: await issuer.token(),
    headers: [['X-A', 'a'.repeat(40_000)]],
  });
  assert.equal(answer.status, 431);
});

test('connections above the limit are closed and counted, and those within it still work', async (t) => {
  const { proxy, send, issuer } = await startProxied(t, undefined, {
    maxConnections: 2,
    managementPort: 0,
  });
  const held = [connection(t, proxy.port), connection(t, proxy.port)];
  await Promise.all(held.map((socket) => once(socket, 'connect')));

  const third = connection(t, proxy.port);
  assert.equal(await allOf(third), '');

  held[0]?.destroy();
  await once(held[0] ?? assert.fail(), 'close');
  const call = { body: toolCall('list_todos'), token: await issuer.token() };
  // The proxy hears of the closed connection a moment after its owner.
  let status = 0;
  for (let tries = 0; status !== 200 && tries < 20; tries += 1)
    status = await send(call).then(
      (answer) => answer.status,
      () => 0,
    );
  assert.equal(status, 200);
  const metrics = await (await fetch(`${proxy.managementUrl}/metrics`)).text();
  assert.match(metrics, /gatewarden_proxy_connections_dropped_total [1-9]/);
});

test('many requests on one connection reach the upstream one after the other', async (t) => {
  const waiting: ServerResponse[] = [];
  const arrivals: (() => void)[] = [];
  const { proxy, issuer, seen } = await startProxied(t, (_request, response) => {
    waiting.push(response);
    for (const tell of arrivals.splice(0)) tell();
  });
  const call = toolCall('list_todos');
  const request = `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${await issuer.token()}\r\nContent-Type: application/json\r\nContent-Length: ${call.length}\r\n\r\n${call}`;
  const socket = connection(t, proxy.port);
  socket.write(request.repeat(20));
  for (let answered = 0; answered < 3; answered += 1) {
    if (waiting.length === answered) await new Promise<void>((tell) => arrivals.push(tell));
    // Far longer than an exchange takes: a second one would have arrived.
    await new Promise((resolve) => setTimeout(resolve, 60));
    assert.equal(seen.length, answered + 1);
    waiting[answered]?.end('{}');
  }
});

test('closing waits for a call, ends streams and half requests after the grace, and then nobody listens', async (t) => {
  const held: ServerResponse[] = [];
  const { proxy, open, send, issuer } = await startProxied(
    t,
    (request, response) => {
      if (request.method === 'GET') {
        response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
        return;
      }
      held.push(response);
      setTimeout(() => response.end('{"late":true}'), 100);
    },
    { shutdownGraceMs: 600 },
  );
  const token = await issuer.token();
  const stream = await open({ token });
  const half = connection(t, proxy.port);
  half.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Le');
  await once(half, 'connect');
  const call = send({ body: toolCall('list_todos'), token });
  const end = performance.now() + 10_000;
  while (held.length === 0) {
    assert.ok(performance.now() < end, 'the call did not reach the upstream');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }

  const closed = proxy.close();

  assert.equal((await call).text, '{"late":true}');
  await closed;
  assert.equal(await stream.ended, 'cut');
  await assert.rejects(send({ token }));
});

test('options that cannot work stop the start', async (t) => {
  const wrong = [
    { upstream: 'ftp://localhost/mcp' },
    { upstream: '/mcp' },
    { upstream: 'http://user:secret@localhost/mcp' },
    { upstream: 'http://localhost/mcp#x' },
    { upstreamTimeoutMs: 0 },
    { maxConnections: -1 },
    { idleTimeoutMs: Number.NaN },
    { toolsFile: '/nowhere/tools.yaml' },
    { identity: 'signed', identityKey: 'no key' },
    { protect: { defaultPolicy: 'none' } },
    { protect: { serverUrl: 'mcp.example.com' } },
  ];
  // Wrong on purpose, as a caller without types may be.
  for (const options of wrong)
    await assert.rejects(startProxied(t, undefined, options as never), (error: Error) => {
      assert.equal(error.name, 'ConfigurationError', JSON.stringify(options));
      assert.doesNotMatch(error.message, /secret/);
      return true;
    });
});

test('clear text beyond this machine is warned of: on the way to the upstream and in the public URL', async (t) => {
  const { events } = await startProxied(t, undefined, {
    upstream: 'http://10.1.2.3:3000/mcp',
    protect: { serverUrl: 'http://mcp.example.com/mcp' },
  });
  const warnings = events.filter(({ event }) => event === 'clear_text');
  assert.equal(warnings.length, 2);
  const quiet = await startProxied(t, undefined, {
    protect: { serverUrl: 'https://mcp.example.com/mcp' },
  });
  assert.deepEqual(
    quiet.events.filter(({ event }) => event === 'clear_text'),
    [],
  );
});
