import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { createDualServer, type DualServer, type DualServerOptions } from './dual-server.ts';

const echo = (request: IncomingMessage, response: ServerResponse): void => {
  let body = '';
  request.on('data', (chunk) => {
    body += chunk;
  });
  request.on('end', () =>
    response.end(`${request.httpVersion} ${request.method} ${request.url} ${body}`),
  );
};

async function listen(
  t: TestContext,
  options: DualServerOptions = {},
  handler = echo,
): Promise<{ server: DualServer; port: number }> {
  const server = createDualServer(handler, { closeTimeout: 200, ...options });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(
    () => new Promise((resolve) => (server.listening ? server.close(resolve) : resolve(undefined))),
  );
  return { server, port: (server.address() as AddressInfo).port };
}

/** Sends pieces with a pause between them; gives back all bytes until the server ends the connection. */
async function raw(port: number, pieces: readonly string[], pause = 5): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  let received = '';
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1');
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  for (const piece of pieces) {
    if (!socket.destroyed) socket.write(piece);
    await wait(pause);
  }
  await closed;
  return received;
}

async function h2Get(url: string, options: http2.SecureClientSessionOptions = {}): Promise<string> {
  const session = http2.connect(url, options);
  const stream = session.request({ ':path': '/two' });
  let body = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    body += chunk;
  });
  await new Promise((resolve, reject) => stream.once('end', resolve).once('error', reject));
  session.close();
  return body;
}

test('one plain port answers HTTP/1.1 and HTTP/2 with prior knowledge (RFC 9113 §3.3)', async (t) => {
  const { port } = await listen(t);
  const one = await fetch(`http://127.0.0.1:${port}/one`, { method: 'POST', body: 'x' });
  assert.equal(await one.text(), '1.1 POST /one x');
  assert.equal(await h2Get(`http://127.0.0.1:${port}`), '2.0 GET /two ');
});

test('requests that arrive byte by byte are understood, also those that begin like the HTTP/2 preface', async (t) => {
  const { port } = await listen(t);
  for (const method of ['POST', 'PUT', 'PRX']) {
    const request = `${method} /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok`;
    const answer = await raw(port, [...request], 1);
    if (method === 'PRX') assert.match(answer, /^HTTP\/1\.1 400 /);
    else assert.match(answer, new RegExp(`1\\.1 ${method} /slow ok$`));
  }
  const socket = net.connect(port, '127.0.0.1');
  const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  for (const byte of 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n') {
    socket.write(byte, 'latin1');
    await wait(1);
  }
  assert.equal((await answered)[3], 4, 'the first frame of an HTTP/2 server is SETTINGS');
  socket.destroy();
});

test('one byte and then silence neither spins nor holds the connection beyond the sniff time-out', async (t) => {
  const { port } = await listen(t, { sniffTimeout: 150 });
  const before = process.cpuUsage();
  const started = performance.now();
  assert.equal(await raw(port, ['P']), '');
  assert.ok(performance.now() - started < 1500);
  assert.ok(
    process.cpuUsage(before).user / 1000 < 120,
    'a held byte must not keep the event loop busy',
  );
});

test('bytes that are no protocol get 400, oversized headers 431, and the connection ends', async (t) => {
  const { port } = await listen(t);
  assert.match(
    await raw(port, ['\x16\x03\x01 this is not HTTP\r\n\r\n']),
    /^HTTP\/1\.1 400 [\s\S]*"error":"invalid_request"/,
  );
  assert.match(
    await raw(port, [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`]),
    /^HTTP\/1\.1 431 /,
  );
  assert.match(
    await raw(port, ['PRI * HTTP/9.9\r\n\r\n']),
    /./,
    'a broken preface is answered with an HTTP/2 goodbye',
  );
});

test('smuggling: a request with both a length and chunks is refused (RFC 9112 §6.3)', async (t) => {
  const { port } = await listen(t);
  const answer = await raw(port, [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ]);
  assert.match(answer, /^HTTP\/1\.1 400 /);
});

test('slow loris: half a request is cut off at the headers time-out, half a body at the request time-out', async (t) => {
  const { port } = await listen(t, { headersTimeout: 200, requestTimeout: 400, checkInterval: 50 });
  const started = performance.now();
  assert.match(await raw(port, ['GET / HTTP/1.1\r\nHost: a\r\nX-']), /^HTTP\/1\.1 408 /);
  assert.match(
    await raw(port, ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf']),
    /^HTTP\/1\.1 408 /,
  );
  assert.ok(performance.now() - started < 3000);
});

test('slow loris over HTTP/2: a stream that never ends its body and a session that never opens a stream are cut off', async (t) => {
  const { port } = await listen(t, { headersTimeout: 200, requestTimeout: 300 });
  const idle = http2.connect(`http://127.0.0.1:${port}`);
  const idleClosed = new Promise((resolve) => idle.once('close', resolve));
  const busy = http2.connect(`http://127.0.0.1:${port}`);
  const stream = busy.request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => undefined);
  stream.write('x');
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_CANCEL);
  await idleClosed;
  busy.destroy();
});

test('over HTTP/2 the time to send a request is not the time to answer one that has no body', async (t) => {
  const slow = (_request: IncomingMessage, response: ServerResponse): void => {
    setTimeout(() => response.end('late'), 350);
  };
  const { port } = await listen(t, { headersTimeout: 200, requestTimeout: 250 }, slow);
  const session = http2.connect(`http://127.0.0.1:${port}`);
  const stream = session.request({ ':path': '/' });
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(text, 'late');
  session.destroy();
});

test('close() lets requests in flight finish on both protocols and refuses new connections', async (t) => {
  const bothArrived = Promise.withResolvers<void>();
  let arrived = 0;
  const slow = (_request: IncomingMessage, response: ServerResponse): void => {
    setTimeout(() => response.end('done'), 250);
    arrived += 1;
    if (arrived === 2) bothArrived.resolve();
  };
  const { server, port } = await listen(t, { closeTimeout: 3000 }, slow);
  const agent = new http.Agent({ keepAlive: true });
  const one = new Promise<number | undefined>((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', agent }, (response) =>
        response.resume().once('end', () => resolve(response.statusCode)),
      )
      .once('error', reject);
  });
  const two = h2Get(`http://127.0.0.1:${port}`);
  await bothArrived.promise;
  const started = performance.now();
  const closed = new Promise((resolve) => server.close(resolve));
  assert.equal(await raw(port, ['x\r\n\r\n']), '', 'refused: an open port would answer 400');
  assert.equal(await one, 200);
  assert.equal(await two, 'done');
  await closed;
  assert.ok(
    performance.now() - started < 1500,
    'the kept-alive connection does not hold the server',
  );
  agent.destroy();
});

test('close() is over within closeTimeout when clients hold half a request, one byte, or an open stream (ruling: shutdown)', async (t) => {
  const never = (): void => undefined;
  const { server, port } = await listen(t, { closeTimeout: 300 }, never);
  const sockets = [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
    'GET / HTTP/1.1\r\nHo',
    'P',
    '',
  ].map((text) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', never);
    socket.write(text);
    return socket;
  });
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', never);
  session.request({ ':method': 'POST', ':path': '/' }).on('error', never);
  await wait(150);
  const started = performance.now();
  await new Promise((resolve) => server.close(resolve));
  assert.ok(performance.now() - started < 1500);
  for (const socket of sockets) socket.destroy();
});

test('under TLS, ALPN chooses the protocol; a handshake that never ends is dropped', async (t) => {
  const tls = selfSigned(t);
  const { port } = await listen(t, { tls, sniffTimeout: 300 });
  assert.equal(
    await h2Get(`https://localhost:${port}`, { ca: tls.cert, lookup: loopback }),
    '2.0 GET /two ',
  );
  const body = await new Promise<string>((resolve, reject) => {
    https
      .get(
        {
          host: '127.0.0.1',
          port,
          path: '/one',
          ca: tls.cert,
          servername: 'localhost',
          agent: false,
        },
        (response) => {
          response.setEncoding('utf8').once('data', resolve);
        },
      )
      .once('error', reject);
  });
  assert.equal(body, '1.1 GET /one ');
  assert.equal(await raw(port, ['\x16\x03\x01']), '');
});

const loopback: net.LookupFunction = (_host, _options, callback) =>
  callback(null, [{ address: '127.0.0.1', family: 4 }]);

function selfSigned(t: TestContext): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gatewarden-tls-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = [
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
  ];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '1',
      '-keyout',
      key,
      '-out',
      cert,
      ...subject,
    ],
    { stdio: 'ignore' },
  );
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
