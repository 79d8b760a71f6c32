import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExamineError, examine, type Report } from '../src/index.ts';
import { kindOfAddress, mayDial } from '../src/runtime/addresses.ts';
import { json, startSite } from './small-site.ts';

const ids = (report: Report): string[] => report.findings.map(({ id }) => id);
const PRM = '/.well-known/oauth-protected-resource/mcp';

test('the small site of these tests has no finding (SKILL-69)', async (t) => {
  const site = await startSite(t);
  const report = await examine(site.mcp);
  assert.deepEqual(report.findings, []);
  assert.equal(report.requests, site.seen.length);
  assert.ok(report.requests <= 70, `${report.requests} requests`);
});

test('without a sign-in only reading requests are sent: no registration, no tool, no session ended (SKILL-69)', async (t) => {
  const site = await startSite(t);
  await examine(site.mcp);
  const bodies = site.bodies.filter((body) => body.startsWith('{'));
  assert.ok(bodies.length > 5);
  for (const body of bodies)
    assert.ok(
      ['initialize', 'tools/list', 'server/discover'].includes(JSON.parse(body).method),
      body,
    );
  assert.deepEqual(
    site.seen.filter(({ method, target }) => target === '/register' && method !== 'OPTIONS'),
    [],
  );
});

test('which addresses are dialled: public ones, and more only beside a loopback target or with leave (SKILL-69, SSRF)', () => {
  const plain = { allowPrivate: false, targetIsLoopback: false };
  const local = { allowPrivate: false, targetIsLoopback: true };
  const open = { allowPrivate: true, targetIsLoopback: false };
  const rows: [string, boolean, boolean, boolean][] = [
    ['93.184.215.14', true, true, true],
    ['2606:4700::1111', true, true, true],
    ['127.0.0.1', false, true, true],
    ['127.9.9.9', false, true, true],
    ['::1', false, true, true],
    ['::ffff:127.0.0.1', false, true, true],
    ['10.0.0.1', false, true, true],
    ['172.16.0.1', false, true, true],
    ['192.168.1.1', false, true, true],
    ['100.64.0.1', false, true, true],
    ['fd00::1', false, true, true],
    ['169.254.169.254', false, false, true],
    ['fe80::1', false, false, true],
    ['::ffff:169.254.169.254', false, false, true],
    ['0.0.0.0', false, false, false],
    ['::', false, false, false],
    ['224.0.0.1', false, false, false],
    ['255.255.255.255', false, false, false],
    ['64:ff9b::7f00:1', false, false, false],
    ['2002:7f00:1::', false, false, false],
    ['localhost', false, false, false],
  ];
  for (const [address, ...expected] of rows)
    assert.deepEqual(
      [plain, local, open].map((policy) => mayDial(address, policy)),
      expected,
      `${address} (${kindOfAddress(address)})`,
    );
});

test('a name that leads to this machine or a private one is refused before a connection, one bad address condemning the others (SKILL-69, DNS rebinding)', async (t) => {
  const site = await startSite(t);
  const port = new URL(site.origin).port;
  for (const answers of [['127.0.0.1'], ['93.184.215.14', '127.0.0.1'], ['169.254.169.254']]) {
    await assert.rejects(
      examine(`http://mcp.example.test:${port}/mcp`, { resolve: async () => answers }),
      (error) => error instanceof ExamineError && /--allow-private/.test(error.message),
    );
  }
  assert.deepEqual(site.seen, []);
});

test('a name is resolved anew for each connection and checked each time: what was public a moment ago is not trusted (SKILL-69, DNS rebinding)', async (t) => {
  const site = await startSite(t, {
    handle: (_request, response) => {
      response.setHeader('connection', 'close');
      return undefined;
    },
  });
  const port = new URL(site.origin).port;
  let asked = 0;
  const report = await examine(`http://localhost:${port}/mcp`, {
    // The first connection goes where it should, the next would go to a cloud's metadata service.
    resolve: async () => {
      asked += 1;
      return [asked === 1 ? '127.0.0.1' : '169.254.169.254'];
    },
    timeoutMs: 1_000,
  });
  // What the metadata names by address is another matter.
  assert.equal(site.seen.filter(({ host }) => host.startsWith('localhost')).length, 1);
  assert.ok(asked > 1);
  assert.ok(report.requests > 5);
});

test('metadata at a private address of somebody else is not fetched; redirects to one are not followed (SKILL-69, SSRF)', async (t) => {
  const other = await startSite(t);
  const site = await startSite(t, {
    handle: (request, response, { origin }) => {
      if (request.url === '/mcp' && request.method === 'POST') {
        json(
          response,
          401,
          {},
          {
            'www-authenticate':
              'Bearer resource_metadata="http://169.254.169.254/latest/meta-data"',
          },
        );
        return true;
      }
      if (request.url === PRM) {
        response.writeHead(302, { location: `${origin}/away` }).end();
        return true;
      }
      if (request.url === '/away') {
        response.writeHead(302, { location: 'http://[fe80::1]/prm' }).end();
        return true;
      }
      return undefined;
    },
  });
  const report = await examine(site.mcp);
  const finding = report.findings.find(({ id }) => id === 'resource-metadata-elsewhere');
  assert.match(finding?.evidence ?? '', /not a public address/);
  assert.deepEqual(other.seen, []);
});

test('a document without end is read to 64 KiB and is no document (SKILL-69)', async (t) => {
  let sent = 0;
  const site = await startSite(t, {
    handle: (request, response) => {
      if (!request.url?.startsWith('/.well-known/oauth-protected-resource')) return undefined;
      response.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(16_384, '[');
      const more = (): void => {
        if (response.destroyed) return;
        sent += chunk.length;
        if (response.write(chunk)) setImmediate(more);
        else response.once('drain', more);
      };
      more();
      return true;
    },
  });
  const report = await examine(site.mcp);
  assert.ok(ids(report).includes('prm-not-json'));
  assert.ok(report.durationMs < 8_000);
  assert.ok(sent < 100_000_000, `${sent} bytes`);
});

test('a server that drips its answers costs no more than the time limit of each (SKILL-69)', async (t) => {
  const site = await startSite(t, {
    handle: (request, response) => {
      if (!request.url?.startsWith('/.well-known/')) return undefined;
      response.writeHead(200, { 'content-type': 'application/json' });
      const drip = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(drip));
      return true;
    },
  });
  const report = await examine(site.mcp, { timeoutMs: 300 });
  assert.ok(ids(report).includes('prm-not-json'));
  assert.ok(report.durationMs < 8_000, `${report.durationMs} ms`);
});

test('a stream of events that never ends is left after a moment (SKILL-69)', async (t) => {
  const site = await startSite(t, {
    handle: (request, response) => {
      if (request.method !== 'GET' || request.url !== '/mcp') return undefined;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const ping = setInterval(() => response.write(': ping\n\n'), 100);
      response.on('close', () => clearInterval(ping));
      return true;
    },
  });
  const report = await examine(site.mcp);
  assert.deepEqual(ids(report), ['unprotected-get']);
  assert.ok(report.durationMs < 6_000, `${report.durationMs} ms`);
});

test('a metadata document that redirects in a circle is given up after three hops (SKILL-69)', async (t) => {
  const site = await startSite(t, {
    handle: (request, response, { origin }) => {
      if (!request.url?.startsWith('/.well-known/oauth-protected-resource')) return undefined;
      response.writeHead(302, { location: `${origin}${PRM}` }).end();
      return true;
    },
  });
  const report = await examine(site.mcp);
  assert.deepEqual(ids(report), ['prm-missing']);
  assert.ok(site.seen.filter(({ target }) => target === PRM).length <= 9);
});

test('requests to a host keep to the rate that was set (SKILL-69)', async (t) => {
  const site = await startSite(t);
  const report = await examine(site.mcp, { requestsPerSecond: 40 });
  const times = site.seen.map(({ at }) => at);
  const span = (times.at(-1) ?? 0) - (times[0] ?? 0);
  // A little less than the whole: clocks of two sides, in milliseconds.
  assert.ok(span >= (report.requests - 1) * 25 - 100, `${report.requests} requests in ${span} ms`);
});

test('an aborted examination stops with the reason (SKILL-69)', async (t) => {
  const site = await startSite(t, { handle: () => true });
  const reason = new Error('the person has gone');
  await assert.rejects(examine(site.mcp, { signal: AbortSignal.any([AbortSignal.timeout(200)]) }), {
    name: 'TimeoutError',
  });
  await assert.rejects(examine(site.mcp, { signal: AbortSignal.abort(reason) }), reason);
});

test('documents that are nested without end are no documents, and end nothing (SKILL-69, JSON bomb)', async (t) => {
  const bomb = `{"jsonrpc":"2.0","issuer":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
  const cases: [string, string][] = [
    ['/.well-known/oauth-protected-resource', 'prm-not-json'],
    ['/.well-known/oauth-authorization-server', 'as-metadata-not-json'],
    ['/mcp', 'open-endpoint'],
  ];
  for (const [path, id] of cases) {
    const site = await startSite(t, {
      handle: (request, response) => {
        if (!request.url?.startsWith(path) || request.method === 'OPTIONS') return undefined;
        response.writeHead(200, { 'content-type': 'application/json' }).end(bomb);
        return true;
      },
    });
    assert.ok(ids(await examine(site.mcp)).includes(id), path);
  }
});

test('a server that answers the first request and then lets each hang does not hold the doctor for minutes (SKILL-69, tarpit)', async (t) => {
  let first = true;
  const site = await startSite(t, {
    handle: () => {
      const isHeld = !first;
      first = false;
      return isHeld;
    },
  });
  const report = await examine(site.mcp, { timeoutMs: 1_000 });
  assert.ok(report.requests > 8, `${report.requests} requests`);
  assert.ok(report.durationMs < 3_000 + report.requests * 350, `${report.durationMs} ms`);
});

test('header fields without measure are named as such (SKILL-69, header flood)', async (t) => {
  const site = await startSite(t, {
    handle: (_request, response) => {
      for (let at = 0; at < 500; at += 1) response.setHeader(`x-${at}`, 'y'.repeat(100));
      response.writeHead(401).end();
      return true;
    },
  });
  const report = await examine(site.mcp);
  assert.deepEqual(ids(report), ['server-error']);
  assert.match(report.findings[0]?.message ?? '', /header of the answer is larger than 32 KiB/);
});
