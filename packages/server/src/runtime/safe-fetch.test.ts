import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { createSafeFetch, type FetchOutcome, type SafeFetchOptions } from './safe-fetch.ts';
import { isPublicAddress } from './safe-fetch-address.ts';

const LIMITS = { timeoutMs: 1500, maxBytes: 10_240, accept: ['application/json', '+json'] };
const DOCUMENT = '{"client_id":"https://client.example/id"}';

/** Every TCP socket this process opens as a client. What counts for server-side request forgery is the socket, not the error. */
function countSockets(t: TestContext): () => number {
  let opened = 0;
  const onSocket = (): void => {
    opened += 1;
  };
  subscribe('net.client.socket', onSocket);
  t.after(() => unsubscribe('net.client.socket', onSocket));
  return () => opened;
}

async function serve(
  t: TestContext,
  listener: RequestListener,
): Promise<{ port: number; connections: () => number }> {
  const server = createServer(listener);
  let connections = 0;
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has an AddressInfo.
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}

function fetcher(options: Partial<SafeFetchOptions> = {}) {
  return createSafeFetch({ allowLoopback: true, ownHosts: () => ['auth.example.com'], ...options });
}

function reasonOf(outcome: FetchOutcome): string {
  return outcome.kind === 'failed' ? outcome.reason : outcome.kind;
}

const FORBIDDEN = [
  '127.0.0.1',
  '127.255.0.1',
  '10.0.0.1',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '0.0.0.0',
  '0.1.2.3',
  '224.0.0.1',
  '239.1.1.1',
  '240.0.0.1',
  '255.255.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '198.18.0.1',
  '192.88.99.1',
  '::',
  '::1',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'fc00::1',
  'fd12::1',
  'ff02::1',
  '2001:db8::1',
  '3fff::1',
  '2002:7f00:1::',
  '2002:808:808::1',
  '2001::1',
  '64:ff9b::7f00:1',
  '64:ff9b::808:808',
  '64:ff9b:1::1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:a9fe:a9fe',
  '::127.0.0.1',
  '::7f00:1',
  '::ffff:0:127.0.0.1',
  '100::1',
  '2001:2::1',
  '4000::1',
  '0x7f.0.0.1',
  '127.1',
  '2130706433',
  'localhost',
  '',
];

test('addresses of every special class are refused, global unicast is not (AS-73)', () => {
  for (const address of FORBIDDEN) assert.equal(isPublicAddress(address), false, address);
  for (const address of ['1.1.1.1', '93.184.216.34', '2606:4700:4700::1111', '::ffff:1.1.1.1'])
    assert.equal(isPublicAddress(address), true, address);
});

test('a name that resolves to an inner address opens no socket, alone or mixed with a public one (AS-73, server-side request forgery)', async (t) => {
  const sockets = countSockets(t);
  for (const address of FORBIDDEN) {
    for (const answer of [[address], ['1.1.1.1', address], [address, '2606:4700:4700::1111']]) {
      const outcome = await fetcher({ resolve: async () => answer })(
        'https://client.example/doc',
        LIMITS,
      );
      assert.equal(reasonOf(outcome), 'blocked-address', answer.join(' '));
    }
  }
  assert.equal(sockets(), 0);
});

test('our own addresses and our own host are refused without a socket (AS-73)', async (t) => {
  const sockets = countSockets(t);
  const own = fetcher({ resolve: async () => ['1.1.1.1'], ownAddresses: () => ['1.1.1.1'] });
  assert.equal(reasonOf(await own('https://client.example/doc', LIMITS)), 'blocked-address');
  assert.equal(
    reasonOf(await fetcher()('https://auth.example.com/doc', LIMITS)),
    'blocked-address',
  );
  const development = fetcher({ ownHosts: () => ['localhost:8080'] });
  for (const host of ['localhost', '127.0.0.1', '[::1]']) {
    assert.equal(reasonOf(await development(`http://${host}:8080/doc`, LIMITS)), 'blocked-address');
  }
  assert.equal(sockets(), 0);
});

test('without the development switch loopback is refused by name, by literal and by resolver (AS-71, AS-73)', async (t) => {
  const { port, connections } = await serve(t, (_request, response) => response.end(DOCUMENT));
  const sockets = countSockets(t);
  const strict = fetcher({ allowLoopback: false, resolve: async () => ['127.0.0.1'] });
  for (const url of [
    `http://localhost:${port}/a`,
    `https://127.0.0.1:${port}/a`,
    `https://[::1]:${port}/a`,
    'https://localhost/a',
    'https://rebind.example/a',
  ]) {
    assert.equal((await strict(url, LIMITS)).kind, 'failed', url);
  }
  assert.deepEqual([sockets(), connections()], [0, 0]);
});

test('with the switch a loopback host may lead to loopback only: a poisoned hosts file does not widen it (AS-73)', async (t) => {
  const sockets = countSockets(t);
  const outcome = await fetcher({ resolve: async () => ['10.0.0.1'] })(
    'http://localhost:8080/doc',
    LIMITS,
  );
  assert.equal(reasonOf(outcome), 'blocked-address');
  const other = await fetcher({ resolve: async () => ['127.0.0.1'] })(
    'https://client.example/doc',
    LIMITS,
  );
  assert.equal(reasonOf(other), 'blocked-address');
  assert.equal(sockets(), 0);
});

test('a name is resolved once and the checked address is dialled: a resolver that changes its mind gets no second question (AS-73, DNS rebinding)', async (t) => {
  const { port, connections } = await serve(t, (_request, response) =>
    response.setHeader('content-type', 'application/json').end(DOCUMENT),
  );
  const sockets = countSockets(t);
  let asked = 0;
  const resolve = async (): Promise<string[]> => {
    asked += 1;
    return asked === 1 ? ['127.0.0.1'] : ['10.0.0.1'];
  };
  const outcome = await fetcher({ resolve })(`http://localhost:${port}/doc`, LIMITS);
  assert.equal(outcome.kind === 'fetched' && Buffer.from(outcome.body).toString(), DOCUMENT);
  assert.deepEqual([asked, sockets(), connections()], [1, 1, 1]);
});

test('an address literal in a URL needs no resolver and is refused without a socket (AS-70, AS-73)', async (t) => {
  const sockets = countSockets(t);
  const never = fetcher({
    allowLoopback: false,
    resolve: () => Promise.reject(new Error('asked')),
  });
  for (const url of [
    'https://127.0.0.1/a',
    'https://10.0.0.1/a',
    'https://[::1]/a',
    'https://[fd00::1]/a',
    'https://1.1.1.1/a',
    'https://0x7f.1/a',
    'https://2130706433/a',
    'https://127.1/a',
    'https://[::ffff:127.0.0.1]/a',
  ]) {
    assert.equal(reasonOf(await never(url, LIMITS)), 'bad-url', url);
  }
  assert.equal(sockets(), 0);
});

test('what is sent: GET with a fixed user agent, no cookie and no credentials, and the proxy variables are not looked at (AS-72, AS-73)', async (t) => {
  const seen: { method?: string | undefined; headers?: Record<string, unknown> } = {};
  const { port } = await serve(t, (request, response) => {
    seen.method = request.method;
    seen.headers = request.headers;
    response.setHeader('content-type', 'application/vnd.client+json; charset=utf-8').end(DOCUMENT);
  });
  const proxy = await serve(t, (_request, response) => response.end());
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'])
    process.env[name] = `http://127.0.0.1:${proxy.port}`;
  const outcome = await fetcher()(`http://127.0.0.1:${port}/doc`, LIMITS);
  assert.equal(outcome.kind, 'fetched');
  assert.equal(seen.method, 'GET');
  assert.equal(seen.headers?.['accept'], 'application/json');
  assert.match(String(seen.headers?.['user-agent']), /^Gatewarden\//);
  assert.deepEqual(
    [seen.headers?.['cookie'], seen.headers?.['authorization'], seen.headers?.['referer']],
    [undefined, undefined, undefined],
  );
  assert.equal(proxy.connections(), 0);
});

test('redirects are not followed, not even to a harmless place (AS-72)', async (t) => {
  const inner = await serve(t, (_request, response) => response.end(DOCUMENT));
  for (const status of [301, 302, 303, 307, 308]) {
    const { port } = await serve(t, (_request, response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${inner.port}/` }).end(),
    );
    assert.equal(reasonOf(await fetcher()(`http://127.0.0.1:${port}/doc`, LIMITS)), 'redirect');
  }
  assert.equal(inner.connections(), 0);
});

test('only 200 with a JSON media type counts (AS-72)', async (t) => {
  const { port } = await serve(t, (request, response) => {
    const [, status = '200', type = ''] = (request.url ?? '').split('_');
    response
      .writeHead(Number(status), type === '' ? {} : { 'content-type': decodeURIComponent(type) })
      .end(DOCUMENT);
  });
  const reason = async (path: string): Promise<string> =>
    reasonOf(await fetcher()(`http://127.0.0.1:${port}/${path}`, LIMITS));
  for (const status of [201, 206, 404, 500])
    assert.equal(await reason(`_${status}_application%2Fjson`), 'status');
  for (const type of [
    'text/html',
    'text/plain',
    'application/jsonp',
    'json',
    '',
    'image/svg%2Bxml',
  ])
    assert.equal(await reason(`_200_${encodeURIComponent(type)}`), 'content-type', type);
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/ld+json'])
    assert.equal(await reason(`_200_${encodeURIComponent(type)}`), 'fetched', type);
});

test('a big body, an endless one and a small one that unpacks to megabytes all end at the limit (AS-72, compression bomb)', async (t) => {
  const bomb = gzipSync(Buffer.alloc(20_000_000, 0x20));
  const { port } = await serve(t, (request, response) => {
    response.setHeader('content-type', 'application/json');
    if (request.url === '/big') response.end(Buffer.alloc(LIMITS.maxBytes + 1, 0x20));
    else if (request.url === '/full') response.end(Buffer.alloc(LIMITS.maxBytes, 0x20));
    else if (request.url === '/bomb') response.setHeader('content-encoding', 'gzip').end(bomb);
    else response.write(Buffer.alloc(LIMITS.maxBytes + 1, 0x20));
  });
  const reason = async (path: string): Promise<string> =>
    reasonOf(await fetcher()(`http://127.0.0.1:${port}${path}`, LIMITS));
  assert.deepEqual(
    [await reason('/big'), await reason('/bomb'), await reason('/endless'), await reason('/full')],
    ['too-large', 'too-large', 'too-large', 'fetched'],
  );
});

test('one time limit holds for connecting, headers and a body that drips (AS-72, slow server)', async (t) => {
  const { port } = await serve(t, (request, response) => {
    if (request.url === '/silent') return;
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(drip));
  });
  for (const path of ['/silent', '/drip']) {
    const started = performance.now();
    assert.equal(
      reasonOf(await fetcher()(`http://127.0.0.1:${port}${path}`, { ...LIMITS, timeoutMs: 300 })),
      'timeout',
    );
    assert.ok(performance.now() - started < 1200, path);
  }
});

test('a closed port, a name without address and a server that does not speak TLS fail with a reason each and never throw (AS-79)', async (t) => {
  const { port } = await serve(t, (_request, response) => response.end());
  assert.equal(reasonOf(await fetcher()(`https://localhost:${port}/doc`, LIMITS)), 'tls');
  assert.equal(reasonOf(await fetcher()('http://127.0.0.1:1/doc', LIMITS)), 'connection');
  const nowhere = fetcher({
    resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
  });
  assert.equal(reasonOf(await nowhere('https://client.example/doc', LIMITS)), 'name');
});

test('a certificate that nobody vouches for is refused, also on loopback and also when the process is told not to look (AS-73)', async (t) => {
  const server = createTlsServer(selfSigned(t), (_request, response) =>
    response.setHeader('content-type', 'application/json').end(DOCUMENT),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  // A listening TCP server has an AddressInfo.
  const { port } = server.address() as AddressInfo;
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  t.after(() => {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  });
  for (const host of ['localhost', '127.0.0.1'])
    assert.equal(reasonOf(await fetcher()(`https://${host}:${port}/doc`, LIMITS)), 'tls');
});

function selfSigned(t: TestContext): { cert: string; key: string } {
  const folder = mkdtempSync(join(tmpdir(), 'gatewarden-tls-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
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
      ...name,
    ],
    { stdio: 'ignore' },
  );
  return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}
