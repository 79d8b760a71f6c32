import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardFetch, type McpAuth, type McpServerOptions, protectMcp } from '../src/index.ts';
import { type FakeIssuer, serverUrl, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, hostilePaths, toolCall } from '../src/testing/guarded-server.ts';

type Seen = { url: string; auth: McpAuth | undefined; body: unknown; text: string };

function guarded(
  issuer: FakeIssuer,
  more: Partial<McpServerOptions> = {},
): { handle: (request: Request) => Promise<Response>; seen: Seen[] } {
  const seen: Seen[] = [];
  const guard = protectMcp(declaration(issuer, more));
  const handle = guardFetch(guard, async (request, admitted) => {
    seen.push({ url: request.url, text: await request.text(), ...admitted });
    return Response.json({ handled: true });
  });
  return { handle, seen };
}

function post(body: BodyInit, token?: string, more: Record<string, string> = {}): Request {
  return new Request(serverUrl, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...more,
    },
  });
}

test('a fetch handler gets the caller, the checked value and a body that can still be read (RS-26, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer);
  const body = toolCall('list_todos', { text: '✓' });

  const response = await handle(
    post(body, await issuer.token(), { origin: 'http://localhost:6274' }),
  );

  assert.equal(response.status, 200);
  assert.equal(response.headers.get('access-control-allow-origin'), 'http://localhost:6274');
  assert.deepEqual(await response.json(), { handled: true });
  assert.partialDeepStrictEqual(seen, [
    { text: body, body: JSON.parse(body), auth: { clientId: 'skc_1' } },
  ]);
});

test('a fetch handler is never reached without a token, whatever the path (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer, { publicPaths: ['/health'] });
  const statuses = new Set<number>();
  for (const path of hostilePaths) {
    const url = `http://localhost:3333${path.startsWith('/') ? path : `/${path}`}`;
    for (const method of ['GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE']) {
      const response = await handle(
        new Request(url, {
          method,
          ...(method === 'POST' ? { body: toolCall('list_todos') } : {}),
        }),
      );
      statuses.add(response.status);
    }
  }
  // The platform resolves dot segments itself, so the handler sees the same path that was compared.
  assert.deepEqual(
    seen.filter(({ url }) => new URL(url).pathname !== '/health'),
    [],
  );
  assert.ok(statuses.has(401));
});

test('refusals work without a framework: 401, 403, 400, 413, 415, and no body for HEAD (RS-11, RS-39, RS-42)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer, { maxBodyBytes: 1_000 });
  const token = await issuer.token();
  const stream = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(600));
      },
    });
  const endless = new Request(serverUrl, {
    method: 'POST',
    body: stream(),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    duplex: 'half',
  } as RequestInit);
  const responses = [
    await handle(post(toolCall('list_todos'))),
    await handle(post(toolCall('add_todo'), token)),
    await handle(post('{', token)),
    await handle(endless),
    await handle(post('x', token, { 'content-type': 'text/plain' })),
    await handle(post(toolCall('list_todos'), token, { origin: 'https://evil.example' })),
    await handle(
      new Request('http://evil.example/mcp', { headers: { authorization: `Bearer ${token}` } }),
    ),
  ];
  assert.deepEqual(
    responses.map(({ status }) => status),
    [401, 403, 400, 413, 415, 403, 403],
  );
  assert.match(responses[0]?.headers.get('www-authenticate') ?? '', /^Bearer resource_metadata="/);
  const head = await handle(new Request(serverUrl, { method: 'HEAD' }));
  assert.deepEqual([head.status, await head.text()], [401, '']);
  assert.deepEqual(seen, []);
});

test('a body on DELETE is refused, or empty for the handler where nothing announced it (RS-36)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer);
  const authorization = `Bearer ${await issuer.token()}`;
  const withBody = (headers: Record<string, string>): Request =>
    new Request(serverUrl, {
      method: 'DELETE',
      body: toolCall('add_todo'),
      headers: { authorization, ...headers },
    });
  assert.equal((await handle(withBody({ 'content-length': '99' }))).status, 400);
  assert.deepEqual(seen, []);
  // Some platforms give every DELETE a stream, so that a stream alone proves nothing.
  assert.equal((await handle(withBody({}))).status, 200);
  assert.partialDeepStrictEqual(seen, [{ text: '', body: undefined }]);
});

test('where a platform leaves the URL as it came, the text decides that routers read (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer, { publicPaths: ['/health'] });
  for (const path of ['/mcp/%2e%2e/health', '/mcp/../health', '/x\\..\\health', '/health#', '']) {
    const request = new Request(serverUrl);
    Object.defineProperty(request, 'url', { value: `http://localhost:3333${path}` });
    const { status } = await handle(request);
    assert.equal(status, path === '/health#' ? 200 : 401, path);
  }
  assert.equal(seen.length, 1);
});

test('two Authorization headers arrive as one malformed one (RS-10)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { handle, seen } = guarded(issuer);
  const request = post(toolCall('list_todos'));
  request.headers.append('authorization', `Bearer ${await issuer.token()}`);
  request.headers.append('authorization', `Bearer ${await issuer.token()}`);
  assert.equal((await handle(request)).status, 400);
  assert.deepEqual(seen, []);
});
