import assert from 'node:assert/strict';
import { test } from 'node:test';
import { protectMcp } from '../src/index.ts';
import { resourceId, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, startGuarded, toolCall } from '../src/testing/guarded-server.ts';

const inspector = 'http://localhost:6274';

test('a preflight is answered by the guard without a token, also behind odd paths (RS-15, RS-16)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const answer = await server.send({
    method: 'OPTIONS',
    headers: [
      ['Origin', inspector],
      ['Access-Control-Request-Method', 'POST'],
      ['Access-Control-Request-Headers', 'authorization,mcp-protocol-version'],
    ],
  });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers['access-control-allow-origin'], inspector);
  for (const name of [
    'Authorization',
    'Content-Type',
    'Accept',
    'MCP-Protocol-Version',
    'Mcp-Method',
    'Mcp-Name',
    'Mcp-Session-Id',
    'Last-Event-ID',
    'DPoP',
  ]) {
    assert.ok(answer.headers['access-control-allow-headers']?.split(', ').includes(name), name);
  }
  assert.match(answer.headers['access-control-allow-methods'] ?? '', /GET, HEAD, POST, DELETE/);
  assert.equal(answer.headers['access-control-allow-credentials'], undefined);
  for (const path of ['/', '/other', '/mcp/../x', '/%2e%2e', '*', '/mcp?access_token=x']) {
    const odd = await server.send({ method: 'OPTIONS', path, headers: [['Origin', inspector]] });
    assert.equal(odd.status, 204, path);
  }
  assert.deepEqual(server.calls, []);
});

test('without the origin check no page gets more to read than with it (RS-16)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, {
      serverUrl: 'https://mcp.example.com/mcp',
      allowedOrigins: ['https://app.example.com'],
      checkOrigin: false,
    }),
  );
  const token = await issuer.token({ aud: resourceId });
  const allowedFor = async (origin: string): Promise<unknown[]> => {
    const answer = await server.send({ token, headers: [['Origin', origin]] });
    return [answer.status, answer.headers['access-control-allow-origin']];
  };
  assert.deepEqual(await allowedFor('https://app.example.com'), [200, 'https://app.example.com']);
  assert.deepEqual(await allowedFor('https://mcp.example.com'), [200, 'https://mcp.example.com']);
  assert.deepEqual(await allowedFor('https://evil.example'), [200, undefined]);
  assert.deepEqual(await allowedFor('null'), [200, undefined]);
});

test('a browser can read 401, 403, 400, 503 and successes (RS-16)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const headers: [string, string][] = [['Origin', inspector]];
  const token = await issuer.token();
  const answers = [
    await server.send({ headers }),
    await server.send({ headers, token, body: toolCall('add_todo') }),
    await server.send({ headers, token, body: '{' }),
    await server.send({ headers, token, body: toolCall('list_todos') }),
  ];
  issuer.answer = (response) => response.writeHead(500).end();
  issuer.advance(25 * 3_600);
  answers.push(await server.send({ headers, token: await issuer.token({}) }));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [401, 403, 400, 200, 503],
  );
  for (const answer of answers) {
    assert.equal(answer.headers['access-control-allow-origin'], inspector);
    assert.match(answer.headers['vary'] ?? '', /Origin/);
    for (const name of [
      'WWW-Authenticate',
      'Mcp-Session-Id',
      'MCP-Protocol-Version',
      'Retry-After',
    ]) {
      assert.ok(answer.headers['access-control-expose-headers']?.includes(name), name);
    }
  }
});

test('a page of another origin is refused before its token is looked at (RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const origins = [
    'https://evil.example',
    'http://localhost.evil.example',
    'http://localhost:3333.evil.example',
    'http://127.0.0.1.evil.example',
    'http://localhost@evil.example',
    'null',
    '',
    'HTTP://LOCALHOST:3333/',
    'file://',
  ];
  for (const origin of origins) {
    for (const sent of [
      { token },
      { token, body: toolCall('list_todos') },
      {},
      { method: 'DELETE', token },
    ]) {
      const answer = await server.send({ ...sent, headers: [['Origin', origin]] });
      assert.equal(answer.status, 403, origin);
      assert.equal(answer.headers['www-authenticate'], undefined);
      assert.equal(answer.headers['access-control-allow-origin'], undefined);
    }
  }
  const twice = await server.send({
    token,
    headers: [
      ['Origin', 'http://localhost:3333'],
      ['Origin', 'https://evil.example'],
    ],
  });
  assert.equal(twice.status, 403);
  assert.deepEqual(server.calls, []);
});

test('a rebound name in Host is refused; loopback names pass at a loopback address (RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer));
  const token = await issuer.token();
  const statusOf = async (host: string): Promise<number> =>
    (await server.send({ token, headers: [['Host', host]] })).status;
  for (const host of [
    'evil.example',
    'evil.example:3333',
    'localhost.evil.example',
    'localhost@evil.example',
    'evil.example#localhost',
    'localhost/evil',
    '127.0.0.1.evil.example',
    '',
  ]) {
    assert.equal(await statusOf(host), 403, host);
  }
  for (const host of ['localhost:3333', 'LOCALHOST', '127.0.0.1:9', '[::1]:80', 'localhost']) {
    assert.equal(await statusOf(host), 200, host);
  }
  const twice = await server.raw(
    `GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  );
  assert.match(twice, /^HTTP\/1\.1 (400|403) /);
});

test('behind a public name only that name, its origin and configured ones count (RS-16, RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, {
      serverUrl: 'https://mcp.example.com/mcp',
      allowedOrigins: ['https://app.example.com'],
      allowedHosts: ['internal.example.com:8080'],
    }),
  );
  const token = await issuer.token({ aud: 'https://mcp.example.com/mcp' });
  const statusOf = async (host: string, origin: string): Promise<number> =>
    (
      await server.send({
        token,
        headers: [
          ['Host', host],
          ['Origin', origin],
        ],
      })
    ).status;

  assert.equal(await statusOf('mcp.example.com', 'https://app.example.com'), 200);
  assert.equal(await statusOf('mcp.example.com:443', 'https://mcp.example.com'), 200);
  assert.equal(await statusOf('internal.example.com:8080', 'https://app.example.com'), 200);
  assert.equal(
    await statusOf('mcp.example.com', inspector),
    403,
    'loopback origins are for loopback names',
  );
  assert.equal(await statusOf('mcp.example.com', 'http://mcp.example.com'), 403);
  assert.equal(await statusOf('mcp.example.com:8443', 'https://app.example.com'), 403);
});

test('any origin may call where the declaration says so, but never with another Host (RS-16, RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { allowedOrigins: '*' }));
  const token = await issuer.token();
  const headers: [string, string][] = [['Origin', 'https://anything.example']];

  const open = await server.send({ token, headers });
  const rebound = await server.send({ token, headers: [...headers, ['Host', 'anything.example']] });

  assert.deepEqual([open.status, open.headers['access-control-allow-origin']], [200, '*']);
  assert.equal(rebound.status, 403);
});

test('a loopback name means nothing at an address others can reach (RS-50)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token();
  const statusAt = async (serverUrl: string, localAddress: string | undefined): Promise<number> => {
    const guard = protectMcp(
      declaration(issuer, { serverUrl, audiences: ['http://localhost:3333/mcp'] }),
    );
    const decision = await guard.decide({
      method: 'GET',
      target: '/mcp',
      header: (name) =>
        ({ host: ['localhost:9'], origin: [inspector], authorization: [`Bearer ${token}`] })[
          name
        ] ?? [],
      hasBody: false,
      body: async () => ({ kind: 'unreadable' }),
      localAddress,
    });
    return decision.kind === 'respond' ? decision.status : 200;
  };
  const publicUrl = 'https://mcp.example.com/mcp';
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.1']) {
    assert.equal(await statusAt(publicUrl, address), 200, address);
  }
  for (const address of ['10.0.0.5', '::ffff:10.0.0.5', '2001:db8::1']) {
    assert.equal(await statusAt(publicUrl, address), 403, address);
  }
  // Where the platform does not tell the address, the declaration does.
  assert.equal(await statusAt('http://localhost:3333/mcp', undefined), 200);
  assert.equal(await statusAt(publicUrl, undefined), 403);
});

test('a preflight allows the headers that mirror parameters of tools, and no others that are asked for (RS-16)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(t, declaration(issuer, { allowedOrigins: '*' }));
  const allowed = async (asked: string): Promise<string[]> => {
    const { headers } = await server.send({
      method: 'OPTIONS',
      headers: [
        ['Origin', 'https://app.example'],
        ['Access-Control-Request-Method', 'POST'],
        ['Access-Control-Request-Headers', asked],
      ],
    });
    return String(headers['access-control-allow-headers']).split(', ');
  };
  const usual = await allowed('authorization');
  assert.ok(usual.includes('Authorization') && !usual.some((name) => /param/i.test(name)));

  const mirrored = await allowed('authorization, mcp-param-region, Mcp-Param-User-Id');
  assert.deepEqual(mirrored, [...usual, 'mcp-param-region', 'Mcp-Param-User-Id']);
  for (const odd of ['cookie', 'x-mcp-param-a', 'mcp-param-', 'mcp-param-a\tb', 'mcp-param-a:b'])
    assert.deepEqual(await allowed(odd), usual, odd);
  const many = Array.from({ length: 500 }, (_, at) => `mcp-param-p${at}`).join(',');
  assert.equal((await allowed(many)).length, usual.length + 50);
});
