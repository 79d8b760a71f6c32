import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { type Answer, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { type Proxied, startBytes, startInFront, startProxied } from './proxied.ts';

/** A tool call through a proxy in front of an upstream that answers these bytes. */
async function through(
  t: Parameters<typeof startInFront>[0],
  answer: string | ((socket: Socket) => void),
): Promise<Answer & { readonly proxied: Proxied }> {
  const port = await startBytes(t, (socket) => {
    if (typeof answer === 'string') socket.end(answer);
    else answer(socket);
  });
  const proxied = await startInFront(t, port, { upstreamTimeoutMs: 1_000 });
  const token = await proxied.issuer.token();
  return { ...(await proxied.send({ body: toolCall('list_todos', {}, 41), token })), proxied };
}

function failureOf(answer: Answer): unknown {
  const body: unknown = JSON.parse(answer.text);
  if (typeof body !== 'object' || body === null || !('error' in body)) return body;
  const { error } = body;
  const data = typeof error === 'object' && error !== null && 'data' in error ? error.data : error;
  return [answer.status, 'id' in body ? body.id : undefined, data];
}

const ok = 'HTTP/1.1 200 OK\r\n';

test('an upstream that is not there, hangs, hangs up or speaks no HTTP is 502 or 504 with the id of the call', async (t) => {
  const table: Record<string, [string | ((socket: Socket) => void), number, string]> = {
    hangs: [() => undefined, 504, 'upstream_timeout'],
    'hangs within the head': [(socket) => socket.write(`${ok}X-A: `), 504, 'upstream_timeout'],
    'hints for ever': [
      (socket) => {
        const hints = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\n\r\n'), 100);
        socket.once('close', () => clearInterval(hints));
      },
      504,
      'upstream_timeout',
    ],
    'trickles its head': [
      (socket) => {
        socket.write(`${ok}X-A: `);
        const drops = setInterval(() => socket.write('a'), 100);
        socket.once('close', () => clearInterval(drops));
      },
      504,
      'upstream_timeout',
    ],
    'hangs up': [(socket) => socket.end(), 502, 'upstream_aborted'],
    resets: [(socket) => socket.resetAndDestroy(), 502, 'upstream_aborted'],
    'no HTTP': ['SSH-2.0-OpenSSH_9.9\r\n', 502, 'upstream_invalid_response'],
    'a status that is none': ['HTTP/1.1 99 Odd\r\n\r\n', 502, 'upstream_invalid_response'],
    'a status beyond all': [
      'HTTP/1.1 799 Odd\r\nContent-Length: 0\r\n\r\n',
      502,
      'upstream_invalid_response',
    ],
    'two lengths': [
      `${ok}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      502,
      'upstream_invalid_response',
    ],
    'length and chunks': [
      `${ok}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      502,
      'upstream_invalid_response',
    ],
    'a giant head': [`${ok}X-A: ${'a'.repeat(200_000)}\r\n\r\n`, 502, 'upstream_invalid_response'],
    'an unasked upgrade': [
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
      502,
      'upstream_aborted',
    ],
  };
  for (const [name, [answer, status, error]] of Object.entries(table))
    assert.deepEqual(failureOf(await through(t, answer)), [status, 41, { error }], name);

  const nowhere = await startInFront(t, 1);
  const token = await nowhere.issuer.token();
  assert.deepEqual(failureOf(await nowhere.send({ body: toolCall('list_todos', {}, 41), token })), [
    502,
    41,
    { error: 'upstream_unreachable' },
  ]);
  assert.deepEqual(failureOf(await nowhere.send({ token })), [
    502,
    undefined,
    'upstream_unreachable',
  ]);
  assert.deepEqual(failureOf(await nowhere.send({ body: `[${toolCall('list_todos')}]`, token })), [
    502,
    undefined,
    'upstream_unreachable',
  ]);
});

test("an upstream's own 401, 407 or redirect is a 502, never a challenge or a way elsewhere (RS-52)", async (t) => {
  const table: Record<string, string> = {
    '401 Unauthorized\r\nWWW-Authenticate: Bearer resource_metadata="https://evil.example/"':
      'upstream_requires_credentials',
    '407 Proxy Authentication Required\r\nProxy-Authenticate: Basic':
      'upstream_requires_credentials',
    '302 Found\r\nLocation: https://evil.example/': 'upstream_redirected',
    '307 Temporary Redirect\r\nLocation: /elsewhere': 'upstream_redirected',
    '304 Not Modified': 'upstream_redirected',
  };
  for (const [head, error] of Object.entries(table)) {
    const answer = await through(t, `HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n`);
    assert.deepEqual(failureOf(answer), [502, 41, { error }], head);
    assert.equal(answer.headers['www-authenticate'], undefined);
    assert.equal(answer.headers.location, undefined);
    assert.deepEqual(
      answer.proxied.entries.map(({ outcome, reason }) => [outcome, reason]),
      [['failed', error]],
    );
  }
});

test("challenges, CORS, cookies, caching and connection headers of the upstream are not the client's (RS-16, RS-52)", async (t) => {
  const hostile = {
    'WWW-Authenticate': 'Bearer error="invalid_token"',
    'Proxy-Authenticate': 'Basic',
    'Authentication-Info': 'nextnonce="x"',
    'DPoP-Nonce': 'x',
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Credentials': 'true',
    'Set-Cookie': ['a=1', 'b=2'],
    'Cache-Control': 'public, max-age=3600',
    ETag: '"1"',
    Location: 'https://evil.example/',
    Refresh: '0; url=https://evil.example/',
    'Alt-Svc': 'h3="evil.example:443"',
    'Strict-Transport-Security': 'max-age=1',
    'Clear-Site-Data': '"*"',
    Connection: 'X-Hop, Mcp-Hop, keep-alive',
    'X-Hop': '1',
    'Mcp-Hop': '1',
    'Keep-Alive': 'timeout=5',
    Server: 'upstream/1',
    'X-Powered-By': 'upstream',
    'X-Gatewarden-Identity': 'echo',
  };
  const { send, issuer, proxy } = await startProxied(t, (_request, response) => {
    for (const [name, value] of Object.entries(hostile)) response.setHeader(name, value);
    response
      .writeHead(403, {
        'content-type': 'application/json',
        'mcp-session-id': 's',
        'retry-after': '3',
      })
      .end('{}');
  });
  const origin = `http://localhost:${proxy.port}`;

  const answer = await send({
    body: toolCall('list_todos'),
    token: await issuer.token(),
    headers: [['Origin', origin]],
  });

  assert.equal(answer.status, 403);
  const {
    date: _date,
    'transfer-encoding': _coding,
    'content-length': _length,
    ...rest
  } = answer.headers;
  assert.deepEqual(rest, {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': rest['access-control-expose-headers'],
    vary: 'Origin',
    'cache-control': 'no-store',
    'content-type': 'application/json',
    'mcp-session-id': 's',
    'retry-after': '3',
    'x-content-type-options': 'nosniff',
    'x-request-id': rest['x-request-id'],
    connection: 'close', // the test's own client asked for it
  });
});

test('headers the operator names pass both ways, and those that never may cannot be named', async (t) => {
  const { send, seen, issuer } = await startProxied(
    t,
    (_request, response) => response.setHeader('x-quota', '7').end(),
    { forwardHeaders: ['X-Quota'] },
  );
  const answer = await send({
    body: toolCall('list_todos'),
    token: await issuer.token(),
    headers: [['X-Quota', '9']],
  });

  assert.equal(answer.headers['x-quota'], '7');
  assert.deepEqual(seen[0]?.header('x-quota'), ['9']);
  for (const name of [
    'Authorization',
    'Cookie',
    'DPoP',
    'X-Gatewarden-Identity',
    'Transfer-Encoding',
    'Set-Cookie',
    'Access-Control-Allow-Origin',
    'WWW-Authenticate',
    'X-Forwarded-For',
    'Origin',
    'a b',
    '',
  ])
    await assert.rejects(
      startProxied(t, undefined, { forwardHeaders: [name] }),
      { code: 'invalid_option' },
      name,
    );
  for (const header of [
    ['Host', 'x'],
    ['Content-Length', '1'],
    ['X-A', 'a\r\nHost: b'],
    ['X-A', ''],
    ['X-Gatewarden-Identity', 'x'],
    ['Mcp-Session-Id', 'x'],
  ] as const)
    await assert.rejects(
      startProxied(t, undefined, { upstreamHeaders: [header] }),
      (error: Error) => {
        assert.ok(
          header[1].length < 2 || !error.message.includes(header[1]),
          'a value may be a secret',
        );
        return 'code' in error && error.code === 'invalid_option';
      },
    );
});

test('a connection the upstream closed between two requests costs nobody a call', async (t) => {
  const { send, issuer, seen } = await startProxied(t, (_request, response) =>
    response.setHeader('connection', 'close').end('{}'),
  );
  const token = await issuer.token();
  for (let call = 0; call < 3; call += 1)
    assert.equal((await send({ body: toolCall('list_todos'), token })).status, 200);
  assert.equal(seen.length, 3);
});
