import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hostilePaths, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { startProxied } from './proxied.ts';

const hostileHeaders: readonly (readonly [string, string])[] = [
  ['Cookie', 'session=stolen'],
  ['DPoP', 'proof'],
  ['Proxy-Authorization', 'Basic c2VjcmV0'],
  ['X-Gatewarden-Identity', 'forged'],
  ['X-Gatewarden-Anything', 'forged'],
  ['X_Gatewarden_Identity', 'forged'],
  ['X-Forwarded-For', '10.0.0.1'],
  ['X-Forwarded-Host', 'evil.example'],
  ['X-Forwarded-Proto', 'https'],
  ['X-Forwarded-User', 'admin'],
  ['X-Forwarded-Prefix', '/admin'],
  ['Forwarded', 'for=10.0.0.1'],
  ['X-Real-IP', '10.0.0.1'],
  ['Via', '1.0 evil'],
  ['X-Request-Id', 'chosen'],
  ['X-Remote-User', 'admin'],
  ['Remote-User', 'admin'],
  ['X-Auth-Request-User', 'admin'],
  ['X-Api-Key', 'guess'],
  ['X-Original-URL', '/admin'],
  ['X-Rewrite-URL', '/admin'],
  ['X-HTTP-Method-Override', 'DELETE'],
  ['TE', 'trailers'],
  ['Keep-Alive', 'timeout=1'],
  ['Proxy-Connection', 'keep-alive'],
  ['Upgrade', 'h2c'],
  ['HTTP2-Settings', 'AAMAAABkAAQAAP__'],
  ['Expect', '100-continue'],
  ['Referer', 'http://localhost/secret'],
  ['Accept-Encoding', 'gzip'],
  ['If-None-Match', '*'],
  ['Range', 'bytes=0-0'],
];

test("the caller's token and every header a client must not speak with stay behind (RS-27)", async (t) => {
  const { send, seen, issuer, proxy } = await startProxied(t, undefined, {
    upstreamHeaders: [['Authorization', 'Bearer static-key']],
  });
  const token = await issuer.token();

  await send({
    body: toolCall('list_todos'),
    token,
    headers: [
      ...hostileHeaders,
      ['Connection', 'close, X-Trace, Traceparent'],
      ['X-Trace', '1'],
      ['Traceparent', '00-1-1-01'],
      ['Origin', `http://localhost:${proxy.port}`],
      ['User-Agent', 'client/1'],
      ['Mcp-Protocol-Version', '2026-07-28'],
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Param-Region', 'eu'],
    ],
  });

  const [request] = seen;
  assert.ok(request);
  assert.deepEqual([...request.names].sort(), [
    'accept-encoding',
    'authorization',
    'connection',
    'content-length',
    'content-type',
    'host',
    'mcp-method',
    'mcp-param-region',
    'mcp-protocol-version',
    'user-agent',
    'via',
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-request-id',
  ]);
  assert.deepEqual(request.header('authorization'), ['Bearer static-key']);
  assert.deepEqual(request.header('accept-encoding'), ['identity']);
  assert.deepEqual(request.header('via'), ['1.1 gatewarden']);
  assert.deepEqual(request.header('x-forwarded-for'), ['127.0.0.1']);
  assert.deepEqual(request.header('x-forwarded-host'), [`localhost:${proxy.port}`]);
  assert.doesNotMatch(request.header('host').join(), new RegExp(`:${proxy.port}$`));
  assert.notEqual(request.header('x-request-id')[0], 'chosen');
  assert.ok(!JSON.stringify([...seen.values()]).includes(token));
});

test('a token in the query goes nowhere, with or without one in the header (RS-9, RS-27)', async (t) => {
  const { send, seen, issuer, entries, events } = await startProxied(t);
  const token = await issuer.token();
  const body = toolCall('list_todos');

  const alone = await send({ path: `/mcp?access_token=${token}`, body });
  const beside = await send({ path: `/mcp?access_token=${token}`, body, token });
  const encoded = await send({ path: `/mcp?%61ccess_token=${token}`, body, token });
  const other = await send({ path: `/mcp?token=${token}&tenant=x`, body, token });

  assert.deepEqual(
    [alone.status, beside.status, encoded.status, other.status],
    [401, 400, 400, 200],
  );
  assert.deepEqual(
    seen.map(({ path }) => path),
    ['/mcp'],
    'no query of a client reaches the upstream',
  );
  assert.ok(!JSON.stringify([entries, events]).includes(token), 'nor does it reach a log (RS-29)');
});

test('no spelling of a path reaches the upstream without a token, and with one only the endpoint does (RS-7)', async (t) => {
  const { send, seen, issuer } = await startProxied(t);
  const token = await issuer.token();
  for (const path of hostilePaths) {
    for (const method of ['GET', 'POST', 'HEAD', 'DELETE']) {
      const body = method === 'POST' ? { body: toolCall('list_todos') } : {};
      const { status } = await send({ method, path, ...body });
      assert.ok([401, 403, 404, 405].includes(status), `${method} ${path} answered ${status}`);
    }
    await send({ path, body: toolCall('list_todos'), token });
  }
  assert.deepEqual(
    seen.map(({ method, path }) => `${method} ${path}`),
    ['POST /mcp', 'POST /mcp', 'POST /mcp'], // /mcp, /mcp/ and /mcp with a query
  );
});

test('requests framed in two ways do not bring a second one along (request smuggling)', async (t) => {
  const { raw, seen, issuer, proxy } = await startProxied(t);
  const token = await issuer.token();
  const hidden = `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
  const call = toolCall('list_todos');
  const head = (...lines: string[]): string =>
    [
      'POST /mcp HTTP/1.1',
      `Host: localhost:${proxy.port}`,
      `Authorization: Bearer ${token}`,
      'Content-Type: application/json',
      ...lines,
      '',
      '',
    ].join('\r\n');
  const chunked = `${call.length.toString(16)}\r\n${call}\r\n0\r\n\r\n`;
  const attacks: Record<string, string> = {
    'length and chunks':
      head('Transfer-Encoding: chunked', `Content-Length: ${call.length}`) + chunked + hidden,
    'two lengths': head(`Content-Length: ${call.length}`, 'Content-Length: 0') + call + hidden,
    'list of lengths': head(`Content-Length: ${call.length}, ${call.length}`) + call + hidden,
    'signed length': head(`Content-Length: +${call.length}`) + call + hidden,
    'unknown coding': head('Transfer-Encoding: xchunked') + chunked + hidden,
    'coding after chunked': head('Transfer-Encoding: chunked, identity') + chunked + hidden,
    'space before the colon': head('Transfer-Encoding : chunked') + chunked + hidden,
    'folded line': head('X-A: 1', ' Transfer-Encoding: chunked') + chunked + hidden,
    'bare line feed': head(`X-A: 1\nTransfer-Encoding: chunked`) + chunked + hidden,
    'negative chunk': `${head('Transfer-Encoding: chunked')}-1\r\n${hidden}`,
    'oversized chunk size': `${head('Transfer-Encoding: chunked')}fffffffffffffffff\r\n${hidden}`,
    'body of a GET': `GET /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${token}\r\nContent-Length: ${hidden.length}\r\n\r\n${hidden}`,
    'no host': `POST /mcp HTTP/1.1\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    'two hosts': head('Host: evil.example', 'Content-Length: 0'),
    connect: `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n`,
    'http/0.9': 'GET /mcp\r\n',
    'http/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  };
  for (const [name, bytes] of Object.entries(attacks)) {
    const answer = await raw(bytes, 150);
    assert.doesNotMatch(answer, /HTTP\/1\.1 [23]\d\d/, `${name}: ${answer.slice(0, 200)}`);
  }
  assert.deepEqual(seen, []);
});

test('what follows a checked request on the same connection is a request of its own, and an upgrade is none', async (t) => {
  const { raw, seen, issuer, proxy } = await startProxied(t);
  const call = toolCall('list_todos');
  const head = `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nContent-Type: application/json\r\nContent-Length: ${call.length}\r\n`;
  const allowed = `${head}Authorization: Bearer ${await issuer.token()}\r\n`;
  const upgrade =
    'Connection: Upgrade, keep-alive\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';

  const inTurn = await raw(`${allowed}\r\n${call}${head}\r\n${call}`);
  const upgraded = await raw(`${allowed}${upgrade}\r\n${call}${head}\r\n${call}`);

  assert.deepEqual(inTurn.match(/HTTP\/1\.1 \d\d\d/g), ['HTTP/1.1 200', 'HTTP/1.1 401']);
  assert.doesNotMatch(upgraded, /HTTP\/1\.1 101/);
  assert.deepEqual(
    seen.map(({ body, header }) => [body, header('upgrade')]),
    [
      [call, []],
      [call, []],
    ],
  );
});

test('a chunked body reaches the upstream with a length, without trailers, as it was checked (RS-36, RS-42)', async (t) => {
  const { raw, seen, issuer, proxy } = await startProxied(t);
  const call = toolCall('list_todos');
  const parts = [call.slice(0, 10), call.slice(10)].map(
    (part) => `${part.length.toString(16)};x=y\r\n${part}\r\n`,
  );

  const answer = await raw(
    `POST /mcp HTTP/1.1\r\nHost: localhost:${proxy.port}\r\nAuthorization: Bearer ${await issuer.token()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nTrailer: Cookie\r\n\r\n${parts.join('')}0\r\nCookie: a=b\r\n\r\n`,
  );

  assert.match(answer, /^HTTP\/1\.1 200/);
  assert.deepEqual(
    seen.map(({ body, header }) => [
      body,
      header('content-length'),
      header('transfer-encoding'),
      header('cookie'),
    ]),
    [[call, [String(call.length)], [], []]],
  );
});

test('bodies that two parsers could read in two ways do not pass (RS-36, RS-38, RS-42, RS-45)', async (t) => {
  const { send, seen, issuer } = await startProxied(t);
  const token = await issuer.token();
  const json = [['Content-Type', 'application/json']] as const;
  const batch = JSON.stringify(
    Array.from({ length: 10_000 }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' })),
  );
  const table: Record<string, [number, Parameters<typeof send>[0]]> = {
    gzip: [
      415,
      { body: gzipSync(toolCall('list_todos')), headers: [...json, ['Content-Encoding', 'gzip']] },
    ],
    'gzip unannounced': [400, { body: gzipSync(toolCall('list_todos')) }],
    'utf-16': [400, { body: Buffer.from(toolCall('list_todos'), 'utf16le') }],
    'byte order mark': [400, { body: `\ufeff${toolCall('list_todos')}` }],
    'name twice': [
      400,
      {
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","name":"add_todo"}}',
      },
    ],
    'name and Name': [
      400,
      {
        body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","Name":"add_todo"}}',
      },
    ],
    'method twice': [
      400,
      {
        body: '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"add_todo"}}',
      },
    ],
    'method in a list': [
      400,
      { body: '{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"add_todo"}}' },
    ],
    'nested batch': [400, { body: `[[${toolCall('add_todo')}]]` }],
    'empty batch': [400, { body: '[]' }],
    '10,000 messages': [400, { body: batch }],
    'one forbidden call in a batch': [
      403,
      { body: `[${toolCall('list_todos')},${toolCall('add_todo')}]` },
    ],
    form: [415, { body: 'a=b', headers: [['Content-Type', 'application/x-www-form-urlencoded']] }],
    'too large': [413, { body: `"${'x'.repeat(5_000_000)}"` }],
    'header says another tool': [
      403,
      { body: toolCall('add_todo'), headers: [['Mcp-Name', 'list_todos']] },
    ],
    'unlisted tool is base, inherited name is not allowed': [
      200,
      { body: toolCall('constructor') },
    ],
  };
  for (const [name, [status, sent]] of Object.entries(table))
    assert.equal((await send({ ...sent, token })).status, status, name);
  assert.deepEqual(
    seen.map(({ body }) => body),
    [toolCall('constructor')],
  );
});

test('a foreign Origin or Host is refused before the token is read (RS-50)', async (t) => {
  const { send, seen, issuer, proxy } = await startProxied(t);
  const token = await issuer.token();
  const body = toolCall('list_todos');
  const status = async (name: string, value: string): Promise<number> =>
    (await send({ body, token, headers: [[name, value]] })).status;

  assert.equal(await status('Origin', 'https://evil.example'), 403);
  assert.equal(await status('Origin', 'null'), 403);
  assert.equal(await status('Host', `evil.example:${proxy.port}`), 403);
  assert.equal(await status('Host', `localhost.evil.example`), 403);
  assert.deepEqual(seen, []);
  assert.equal(await status('Origin', `http://localhost:${proxy.port}`), 200);
});

test('a session id that is sent twice is refused: the two ends could disagree which one counts (RS-48)', async (t) => {
  const { send, seen, issuer } = await startProxied(t);
  for (const name of ['Mcp-Session-Id', 'Mcp-Protocol-Version', 'Mcp-Name', 'Last-Event-ID']) {
    const headers = [
      [name, 'a'],
      [name.toLowerCase(), 'b'],
    ] as const;
    const answer = await send({
      body: toolCall('list_todos'),
      token: await issuer.token(),
      headers,
    });
    assert.ok([400, 404].includes(answer.status), `${name}: ${answer.status}`);
  }
  assert.deepEqual(seen, []);
});

test('a stolen session id answers 404 to another person, client or organization (RS-48)', async (t) => {
  const { send, seen, issuer } = await startProxied(t, (_request, response) =>
    response
      .setHeader('mcp-session-id', 'session-1')
      .setHeader('content-type', 'application/json')
      .end('{}'),
  );
  const body = toolCall('list_todos');
  await send({ body, token: await issuer.token() });
  const headers = [['Mcp-Session-Id', 'session-1']] as const;

  const thieves = [{ sub: 'usr_2' }, { client_id: 'skc_2' }, { org_id: 'org_2' }];
  for (const claims of thieves) {
    const token = await issuer.token(claims);
    for (const method of ['POST', 'GET', 'DELETE']) {
      const answer = await send({ method, headers, token, ...(method === 'POST' ? { body } : {}) });
      assert.equal(answer.status, 404, `${method} by ${JSON.stringify(claims)}`);
    }
  }
  assert.equal(seen.length, 1);
  assert.equal((await send({ body, headers, token: await issuer.token() })).status, 200);
});
