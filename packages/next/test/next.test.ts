import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { metadataRoute, protect } from '../src/index.ts';

const address = 'http://localhost:3333/mcp';

function post(body: string, token?: string): Request {
  const headers = new Headers({ 'content-type': 'application/json' });
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
  return new Request(address, { method: 'POST', body, headers });
}

test('Next.js: a handler gets the caller, the checked body and the parameters of its route (RS-26, RS-36, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { POST } = protect(declaration(issuer), async (request, context) =>
    Response.json([request.auth.clientId, await request.json(), context]),
  );
  const response = await POST(post(toolCall('list_todos'), await issuer.token()), { params: 1 });
  assert.deepEqual(await response.json(), [
    'skc_1',
    JSON.parse(toolCall('list_todos')),
    { params: 1 },
  ]);
});

test('Next.js: a request behind a proxy, as Next.js hands it out in production, is served too (RS-42, RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { POST, GET } = protect(
    declaration(issuer),
    async (request) => new Response(await request.text()),
  );
  const token = await issuer.token();
  const proxied = (request: Request): Request =>
    new Proxy(request, { get: (target, name) => Reflect.get(target, name, target) });
  const response = await POST(proxied(post(toolCall('list_todos'), token)));
  assert.deepEqual([response.status, await response.text()], [200, toolCall('list_todos')]);
  const headers = { authorization: `Bearer ${token}` };
  assert.equal((await GET(proxied(new Request(address, { headers })))).status, 200);
});

test('Next.js: every method is guarded, and a missing scope is refused before the handler (RS-15, RS-39, RS-47)', async (t) => {
  const issuer = await startFakeIssuer(t);
  let reached = 0;
  const routes = protect(declaration(issuer), () => {
    reached += 1;
    return new Response();
  });
  for (const method of ['GET', 'HEAD', 'POST', 'DELETE'] as const)
    assert.equal((await routes[method](new Request(address, { method }))).status, 401, method);
  assert.equal((await routes.OPTIONS(new Request(address, { method: 'OPTIONS' }))).status, 204);
  const refused = await routes.POST(post(toolCall('add_todo'), await issuer.token()));
  assert.match(refused.headers.get('www-authenticate') ?? '', /insufficient_scope/);
  assert.equal(reached, 0);
});

test('Next.js: a route below another address than the declared one lets nothing through (RS-55)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const servers = [
    declaration(issuer),
    declaration(issuer, { serverUrl: 'http://localhost:3333/notes' }),
  ];
  const { POST } = protect(servers, () => new Response('handled'));
  const elsewhere = new Request('http://localhost:3333/api/mcp', post(toolCall('list_todos')));
  assert.equal((await POST(elsewhere)).status, 404);
});

test('Next.js: a public path of the declaration opens no MCP route (RS-7)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { GET } = protect(
    declaration(issuer, { publicPaths: ['/health'] }),
    () => new Response('handled'),
  );
  assert.equal((await GET(new Request('http://localhost:3333/health'))).status, 404);
});

test('Next.js: the metadata route serves the document and nothing else (RS-1)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const { GET, OPTIONS } = metadataRoute(declaration(issuer));
  const at = (path: string): Request => new Request(`http://localhost:3333${path}`);
  const root = '/.well-known/oauth-protected-resource';
  for (const path of [root, `${root}/mcp`]) {
    const response = await GET(at(path));
    assert.equal(((await response.json()) as { resource: string }).resource, address);
  }
  assert.equal((await GET(at(`${root}/other`))).status, 404);
  assert.notEqual((await GET(at('/mcp'))).status, 200);
  assert.equal((await OPTIONS(new Request(at(root), { method: 'OPTIONS' }))).status, 204);
});
