import assert from 'node:assert/strict';
import type http from 'node:http';
import http2 from 'node:http2';
import { test } from 'node:test';
import { type Answer, form, routes, send, start } from './test-edge.ts';

test('forms: duplicates, escapes, encodings and media types are read strictly (AS-84)', async (t) => {
  const { port } = await start(t, routes);
  const post = (body: string | Buffer, headers: http.OutgoingHttpHeaders = form): Promise<Answer> =>
    send(port, 'POST', '/oauth/token?scope=from-query', headers, body);
  const good = JSON.parse(
    (await post('a=1+2%2B3&resource=x&resource=y&empty=&scope=a&scope=b&__proto__=p')).body,
  );
  assert.deepEqual(good, {
    params: { a: '1 2+3', scope: 'a', ['__proto__']: 'p' },
    resources: ['x', 'y'],
    duplicates: ['scope'],
    lists: {},
  });
  for (const [body, headers] of [
    ['a=%zz', form],
    ['a=%ff', form],
    [Buffer.from([0x61, 0x3d, 0xff]), form],
    ['a=%00', form],
    ['=1', form],
    ['a=1&'.repeat(300), form],
    ['{"a":1}', { 'content-type': 'application/json' }],
    ['a=1', { 'content-type': 'text/plain' }],
    ['a=1', { 'content-type': 'application/x-www-form-urlencoded; charset=utf-16' }],
    ['a=1', {}],
  ] as const) {
    const answer = await post(body, headers);
    assert.deepEqual(
      [String(body), answer.status, JSON.parse(answer.body).error],
      [String(body), 400, 'invalid_request'],
    );
    assert.equal(answer.headers['access-control-allow-origin'], '*');
  }
});

test('bodies over the limit are 413, malformed JSON is 400, prototype keys are refused, nothing is echoed', async (t) => {
  const { port } = await start(t, routes, { bodyLimit: 1000 });
  const json = { 'content-type': 'application/json' };
  const large = await send(port, 'POST', '/json', json, JSON.stringify({ a: 'x'.repeat(2000) }));
  assert.deepEqual([large.status, JSON.parse(large.body).error], [413, 'invalid_request']);
  const chunked = await send(
    port,
    'POST',
    '/json',
    { ...json, 'transfer-encoding': 'chunked' },
    JSON.stringify({ a: 'x'.repeat(2000) }),
  );
  assert.equal(chunked.status, 413);
  for (const body of [
    '{"secret":',
    '{"__proto__":{"admin":true}}',
    '{"constructor":{"prototype":{}}}',
    '\xff',
  ]) {
    const answer = await send(port, 'POST', '/json', json, Buffer.from(body, 'latin1'));
    assert.equal(answer.status, 400);
    assert.doesNotMatch(answer.body, /secret|admin/);
  }
  assert.deepEqual(JSON.parse((await send(port, 'POST', '/json', json)).body), { body: 'none' });
  assert.equal(
    (await send(port, 'POST', '/json', { ...json, 'content-encoding': 'gzip' }, 'x')).status,
    415,
  );
  assert.equal((await send(port, 'GET', '/where%zz')).status, 400);
});

test('a body over the limit is 413 over HTTP/2 too', async (t) => {
  const { port } = await start(t, routes, { bodyLimit: 1000 });
  const session = http2.connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': '/json',
    'content-type': 'application/json',
    'content-length': '2000',
  });
  stream.on('error', () => undefined);
  stream.end('x'.repeat(2000));
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) =>
    stream.once('response', resolve),
  );
  assert.equal(headers[':status'], 413);
});
