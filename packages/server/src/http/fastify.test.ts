import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createLog } from '../runtime/log.ts';
import { createHttp } from './fastify.ts';
import { form, routes, send, start } from './test-edge.ts';

test('a forged Host gets 404 without content on every path, health excepted (AS-5)', async (t) => {
  const { port } = await start(t, routes);
  for (const host of [
    'evil.example',
    'auth.example.com.evil.example',
    'evil@auth.example.com',
    'auth.example.com:1',
  ]) {
    for (const path of ['/where', '/nowhere', '/oauth/token']) {
      const answer = await send(port, 'GET', path, { host });
      assert.deepEqual([host, answer.status, answer.body], [host, 404, '']);
    }
  }
  assert.equal((await send(port, 'GET', '/healthz', { host: 'evil.example' })).body, 'ok');
  assert.equal((await send(port, 'GET', '/where', { host: 'AUTH.example.com' })).status, 200);
});

test('two Host headers and a target with a host of its own are refused (RFC 9112 §3.2)', async (t) => {
  const { port } = await start(t, routes);
  const exchange = async (text: string): Promise<string> => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    let received = '';
    for await (const chunk of socket) received += chunk;
    return received;
  };
  const two = await exchange(
    'GET /where HTTP/1.1\r\nHost: auth.example.com\r\nHost: evil.example\r\nConnection: close\r\n\r\n',
  );
  assert.match(two, /^HTTP\/1\.1 40[04] /);
  const absolute = await exchange(
    'GET http://evil.example/where HTTP/1.1\r\nHost: auth.example.com\r\nConnection: close\r\n\r\n',
  );
  assert.match(absolute, /^HTTP\/1\.1 400 /);
});

test('an unknown :authority over HTTP/2 gets 404 without content (AS-5)', async (t) => {
  const { port } = await start(t, routes);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const status = async (
    headers: http2.OutgoingHttpHeaders,
  ): Promise<[number | undefined, string]> => {
    const stream = session.request({ ':path': '/where', ...headers });
    const answered = new Promise<number | undefined>((resolve) =>
      stream.once('response', (h) => resolve(h[':status'])),
    );
    let body = '';
    for await (const chunk of stream) body += chunk;
    return [await answered, body];
  };
  assert.deepEqual(await status({ ':authority': 'evil.example' }), [404, '']);
  assert.deepEqual(await status({ ':authority': 'auth.example.com', host: 'evil.example' }), [
    404,
    '',
  ]);
  assert.equal((await status({ ':authority': 'auth.example.com' }))[0], 200);
  await assert.rejects(
    status({ ':authority': 'auth.example.com', 'x-large': 'y'.repeat(40_000) }),
    /ENHANCE_YOUR_CALM/,
  );
});

test('forged X-Forwarded-* and Forwarded change nothing (AS-5)', async (t) => {
  const { port } = await start(t, routes);
  const plain = JSON.parse((await send(port, 'GET', '/where')).body);
  const forged = JSON.parse(
    (
      await send(port, 'GET', '/where', {
        'x-forwarded-host': 'evil.example',
        'x-forwarded-proto': 'gopher',
        'x-forwarded-for': '203.0.113.9',
        'x-forwarded-port': '1',
        forwarded: 'host=evil.example;for=203.0.113.9',
        'x-request-id': 'req_mine',
      })
    ).body,
  );
  assert.notEqual(forged.requestId, plain.requestId);
  assert.deepEqual({ ...forged, requestId: '' }, { ...plain, requestId: '' });
  assert.match(plain.requestId, /^req_[0-9a-z]{16}$/);
});

test('X-Forwarded-For is believed from its end, and only through our own proxies', async (t) => {
  const { port } = await start(t, routes, { trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
  const addressFor = async (forwarded: string): Promise<string> =>
    JSON.parse((await send(port, 'GET', '/where', { 'x-forwarded-for': forwarded })).body).network
      .address;
  assert.equal(await addressFor('203.0.113.9'), '203.0.113.9');
  assert.equal(
    await addressFor('1.1.1.1, 203.0.113.9, 10.1.1.1'),
    '203.0.113.9',
    'what the caller wrote itself stands further left',
  );
  assert.equal(await addressFor('203.0.113.9, garbage'), '127.0.0.1');
  await assert.rejects(
    async () => await start(t, routes, { trustedProxies: ['10.0.0.0/99'] }),
    /GATEWARDEN_TRUSTED_PROXIES/,
  );
});

test('literal colons, doubled leading slashes, one slash at the end and HEAD reach their routes', async (t) => {
  const { port } = await start(t, routes);
  assert.deepEqual(
    JSON.parse((await send(port, 'POST', '/api/v1/resources/res_1/clients:register')).body),
    { resource_id: 'res_1' },
  );
  assert.equal((await send(port, 'POST', '/api/v1/resources/res_1/clientsXregister')).status, 404);
  assert.deepEqual(
    JSON.parse((await send(port, 'GET', '/sso/v1/oidc/conn_1/partner:callback')).body),
    { id: 'conn_1' },
  );
  assert.equal((await send(port, 'GET', '//where')).status, 200);
  assert.equal((await send(port, 'GET', '/where/')).status, 200);
  const head = await send(port, 'HEAD', '/where');
  assert.deepEqual([head.status, head.body], [200, '']);
});

test('a part of a path that is far too long is nothing that is there, and nothing for the log', async (t) => {
  const { port, lines } = await start(t, routes);
  for (const length of [1001, 5000])
    assert.equal((await send(port, 'GET', `/sso/v1/oidc/${'a'.repeat(length)}/x`)).status, 404);
  assert.ok(!lines.some((line) => line.includes('aaaaaaaaaa')), lines.join(''));
});

test('an unknown path is a JSON 404, a known one with the wrong method 405 with Allow (AS-84)', async (t) => {
  const { port } = await start(t, routes);
  const unknown = await send(port, 'GET', '/nowhere', { accept: 'text/html' });
  assert.equal(unknown.status, 404);
  assert.equal(JSON.parse(unknown.body).error, 'not_found');
  const wrong = await send(port, 'GET', '/oauth/token');
  assert.deepEqual(
    [wrong.status, wrong.headers.allow, wrong.headers['cache-control']],
    [405, 'POST', 'no-store'],
  );
  assert.equal((await send(port, 'DELETE', '/where')).headers.allow, 'GET, HEAD');
  assert.equal(
    (await send(port, 'GET', '/api/v1/resources/res_1/clients:register')).headers.allow,
    'POST',
  );
});

test('a person gets an error page with the headers of every page, a program JSON, both with a reference (AS-129, AS-141)', async (t) => {
  const { port } = await start(t, routes);
  const page = await send(port, 'GET', '/page?a=%ff', {
    accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
  });
  assert.equal(page.status, 400);
  assert.match(page.headers['content-type'] ?? '', /^text\/html/);
  assert.match(
    String(page.headers['content-security-policy']),
    /frame-ancestors 'none'.*form-action 'self'/,
  );
  assert.equal(page.headers['strict-transport-security'], 'max-age=31536000');
  assert.match(page.body, /Reference req_[0-9a-z]{16}/);
  for (const accept of [
    'application/json',
    'application/json, text/plain, */*',
    'text/html;q=0.1, application/json',
  ]) {
    const json = await send(port, 'GET', '/page?a=%ff', { accept });
    assert.match(JSON.parse(json.body).reference, /^req_/);
  }
});

test('a bug is server_error and an unreachable database temporarily_unavailable, and neither says why (AS-85)', async (t) => {
  const { port, lines } = await start(t, routes);
  const bug = await send(port, 'GET', '/bug');
  assert.deepEqual([bug.status, JSON.parse(bug.body).error], [500, 'server_error']);
  assert.doesNotMatch(bug.body, /hunter2/);
  const down = await send(port, 'GET', '/down');
  assert.deepEqual(
    [down.status, JSON.parse(down.body).error, down.headers['retry-after']],
    [503, 'temporarily_unavailable', '1'],
  );
  assert.doesNotMatch(down.body, /10\.1\.2\.3/);
  assert.ok(
    lines.some((line) => line.includes(String(JSON.parse(bug.body).reference))),
    'the log has the reference',
  );
});

test('the log has neither query, cookie, authorization nor body', async (t) => {
  const { port, lines } = await start(t, routes);
  await send(
    port,
    'POST',
    '/oauth/token?code=s3cret1',
    { ...form, authorization: 'Bearer s3cret2', cookie: 'a=s3cret3' },
    'code=s3cret4',
  );
  await send(port, 'GET', '/nowhere/s3cret5?token=s3cret6');
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join(''), /s3cret/);
});

test('shutdown: a client that holds half a request cannot hold the process (ruling: 10 s, here 300 ms)', async () => {
  const app = createHttp({
    environmentOf: () => ({ environmentId: 'env_1', issuer: 'http://localhost' }),
    random: randomBytes,
    log: createLog('silent'),
    server: { closeTimeout: 300 },
  });
  app.post('/json', (request) => ({ body: request.body ?? 'none' }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const socket = net.connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(
    'POST /json HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"a"',
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  const started = performance.now();
  await app.close();
  assert.ok(performance.now() - started < 2000);
  socket.destroy();
});
