import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { startProxied, within } from './proxied.ts';

const events = { 'content-type': 'text/event-stream', 'cache-control': 'public, max-age=60' };

/** An upstream whose responses the test writes itself. */
function held(): {
  readonly handler: (request: unknown, response: ServerResponse) => void;
  readonly next: () => Promise<ServerResponse>;
} {
  const waiting: ((response: ServerResponse) => void)[] = [];
  const arrived: ServerResponse[] = [];
  return {
    handler: (_request, response) => {
      const take = waiting.shift();
      if (take) take(response);
      else arrived.push(response);
    },
    next: async () =>
      arrived.shift() ??
      (await within('a request at the upstream', (resolve) => waiting.push(resolve))),
  };
}

test('an event arrives before the next one is sent, and nothing of the stream may be kept (RS-46)', async (t) => {
  const upstream = held();
  const { open, issuer, logged } = await startProxied(t, upstream.handler);
  const opening = open({ body: toolCall('list_todos'), token: await issuer.token() });
  const response = await upstream.next();
  response.writeHead(200, events).flushHeaders();
  const { response: head, next, ended } = await opening; // the head alone, before any event
  response.write('data: 1\n\n');
  assert.equal(await next(), 'data: 1\n\n');
  response.write('data: 2\n\n');
  assert.equal(await next(), 'data: 2\n\n');
  response.end();

  assert.equal(await next(), undefined);
  assert.equal(await ended, 'end');
  assert.equal(head.headers['cache-control'], 'no-store, no-transform');
  assert.equal(head.headers['x-accel-buffering'], 'no');
  assert.equal((await logged(() => true)).bytes, 18);
});

test('GET streams, HEAD, DELETE, 202 and sessions pass both ways (RS-46, RS-47)', async (t) => {
  const { send, seen, issuer } = await startProxied(t, (request, response) => {
    if (request.method === 'GET') response.writeHead(200, events).end('data: hello\n\n');
    else if (request.method === 'HEAD') response.writeHead(200, { 'content-length': '77' }).end();
    else if (request.method === 'DELETE') response.writeHead(204).end();
    else response.writeHead(202, { 'mcp-session-id': 'session-1' }).end();
  });
  const token = await issuer.token();
  const session = ['Mcp-Session-Id', 'session-1'] as const;

  const posted = await send({ body: '{"jsonrpc":"2.0","method":"notifications/x"}', token });
  const got = await send({ token, headers: [session, ['Last-Event-ID', '41']] });
  const head = await send({ method: 'HEAD', token, headers: [session] });
  const deleted = await send({ method: 'DELETE', token, headers: [session] });

  assert.deepEqual([posted.status, posted.text], [202, '']);
  assert.equal(posted.headers['mcp-session-id'], 'session-1');
  assert.equal(got.text, 'data: hello\n\n');
  assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '77', '']);
  assert.equal(deleted.status, 204);
  assert.deepEqual(
    seen.map(({ method, header }) => [
      method,
      ...header('mcp-session-id'),
      ...header('last-event-id'),
    ]),
    [['POST'], ['GET', 'session-1', '41'], ['HEAD', 'session-1'], ['DELETE', 'session-1']],
  );
});

test('every method needs a token, also with a session id (RS-47)', async (t) => {
  const { send, seen } = await startProxied(t);
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'PUT', 'PATCH', 'TRACE', 'PROPFIND'])
    assert.equal((await send({ method, headers: [['Mcp-Session-Id', 's']] })).status, 401, method);
  assert.deepEqual(seen, []);
});

test('a client that leaves ends the request at the upstream, before the head and within a stream (RS-46)', async (t) => {
  const upstream = held();
  const { open, issuer, logged } = await startProxied(t, upstream.handler);
  const token = await issuer.token();

  const opening = open({ token });
  const streaming = await upstream.next();
  streaming.writeHead(200, events).flushHeaders();
  const { request } = await opening;
  const closed = once(streaming, 'close', { signal: AbortSignal.timeout(20_000) });
  request.destroy();
  await closed;
  assert.equal((await logged(({ method }) => method === 'GET')).outcome, 'left');

  const early = new AbortController();
  const waiting = open({ body: toolCall('list_todos'), token, signal: early.signal });
  const silent = await upstream.next();
  const ended = once(silent, 'close', { signal: AbortSignal.timeout(20_000) });
  early.abort();
  await assert.rejects(waiting);
  await ended;
  const { outcome, status } = await logged(({ method }) => method === 'POST');
  assert.deepEqual([outcome, status], ['left', 0]);
});

test("an upstream that breaks off within a response breaks off the client's, so that nobody takes a part for the whole", async (t) => {
  const upstream = held();
  const { open, issuer, logged } = await startProxied(t, upstream.handler);
  for (const head of [events, { 'content-type': 'application/json', 'content-length': '100' }]) {
    const opening = open({ body: toolCall('list_todos'), token: await issuer.token() });
    const response = await upstream.next();
    response.writeHead(200, head).write('half');
    const { next, ended } = await opening;
    assert.equal(await next(), 'half');
    response.destroy();

    assert.equal(await ended, 'cut');
  }
  assert.deepEqual(
    [(await logged(() => true)).outcome, (await logged(() => true)).reason],
    ['failed', 'upstream_aborted'],
  );
});

test('a response that breaks off is reset for a client of HTTP/1.0, to whom a closed connection means the end', async (t) => {
  const upstream = held();
  const { proxy, issuer } = await startProxied(t, upstream.handler);
  const token = await issuer.token();
  const ending = async (end: (response: ServerResponse) => void): Promise<unknown[]> => {
    const call = toolCall('list_todos');
    const socket = connect(proxy.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(
      `POST /mcp HTTP/1.0\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${call.length}\r\n\r\n${call}`,
    );
    const ended = within<string>('the end of the connection', (resolve) => {
      socket.once('end', () => resolve('end'));
      socket.once('error', () => resolve('reset'));
    });
    let text = '';
    const half = within<void>('the first half', (resolve) => {
      socket.setEncoding('latin1').on('data', (part) => {
        text += String(part);
        if (text.endsWith('half')) resolve();
      });
    });
    const response = await upstream.next();
    response.writeHead(200, { 'content-type': 'application/json' }).write('half');
    await half;
    end(response);
    return [await ended, text.split('\r\n\r\n')[1]];
  };

  assert.deepEqual(await ending((response) => response.end('whole')), ['end', 'halfwhole']);
  assert.deepEqual(await ending((response) => response.destroy()), ['reset', 'half']);
});

test('a stream that falls silent is ended, anything else that does is broken off', async (t) => {
  const upstream = held();
  const { open, issuer } = await startProxied(t, upstream.handler, { idleTimeoutMs: 1_200 });
  const token = await issuer.token();
  const streaming = open({ token });
  (await upstream.next()).writeHead(200, events).write('data: 1\n\n');
  const stream = await streaming;
  const plainly = open({ body: toolCall('list_todos'), token });
  (await upstream.next()).writeHead(200, { 'content-type': 'application/json' }).write('{');
  const plain = await plainly;

  assert.deepEqual([await stream.next(), await stream.next()], ['data: 1\n\n', undefined]);
  assert.deepEqual([await plain.next(), await plain.next()], ['{', undefined]);
  assert.deepEqual([await stream.ended, await plain.ended], ['end', 'cut']);
});

test('a client that does not read slows the upstream down instead of filling memory, and is cut off in the end', async (t) => {
  const upstream = held();
  const { open, issuer, logged } = await startProxied(t, upstream.handler, {
    idleTimeoutMs: 1_500,
  });
  const opening = open({ body: toolCall('list_todos'), token: await issuer.token() });
  const response = await upstream.next();
  response.writeHead(200, { 'content-type': 'application/octet-stream' }).flushHeaders();
  await opening; // its body is never read
  const block = Buffer.alloc(1_048_576);
  let written = 0;
  const closed = once(response, 'close', { signal: AbortSignal.timeout(20_000) });
  // Each block is counted, and after the last one the response ends: a relay that takes everything fails here
  // instead of being fed for ever.
  const fill = (): void => {
    let more = true;
    while (more && written < 128) {
      written += 1;
      more = response.write(block);
    }
    if (written === 128) response.end();
  };
  response.on('drain', fill);
  fill();
  await closed;

  assert.ok(written < 64, `${written} MiB were taken for a client that reads nothing`);
  assert.equal((await logged(() => true)).outcome, 'left');
});

test('a stream ends a minute before its token, and with it the request at the upstream (RS-49)', async (t) => {
  const upstream = held();
  const { open, issuer } = await startProxied(t, upstream.handler);
  const now = Math.floor(issuer.clock.now.getTime() / 1_000);
  const opening = open({ token: await issuer.token({ exp: now + 61 }) });
  const response = await upstream.next();
  const closed = once(response, 'close', { signal: AbortSignal.timeout(20_000) });
  response.writeHead(200, events).write('data: 1\n\n');
  const { next, ended } = await opening;
  assert.equal(await next(), 'data: 1\n\n');

  assert.deepEqual([await next(), await ended], [undefined, 'end']);
  await closed;
});
