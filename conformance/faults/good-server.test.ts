import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { type ReferenceServer, startReferenceServer } from './good-server.ts';
import {
  accessToken,
  call,
  challengeOf,
  post,
  registerClient,
  resourceMetadata,
  rpc,
  serverMetadata,
  signIn,
} from './probe.ts';

const start = (t: TestContext): Promise<ReferenceServer> => startReferenceServer(t);
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` });

test('the baseline challenges each method without a token, without an error, and names its metadata (RS-11, RS-47)', async (t) => {
  const at = await start(t);
  for (const method of ['POST', 'GET', 'DELETE']) {
    const response = await at.fetch(at.mcp, { method });
    assert.equal(response.status, 401);
    assert.equal(
      challengeOf(response),
      `Bearer scope="todo:read", resource_metadata="${at.resourceOrigin}/.well-known/oauth-protected-resource/mcp"`,
    );
  }
});

test('the baseline answers a bad token with 401 and invalid_token, whatever the case of the scheme, and odd headers without a crash (RS-8, RS-10, RS-12)', async (t) => {
  const at = await start(t);
  for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
    const response = await post(at, { authorization: `${scheme} not-a-token` });
    assert.equal(response.status, 401);
    assert.match(challengeOf(response), /^Bearer error="invalid_token"/);
    assert.doesNotMatch(await response.text(), /not-a-token/);
  }
  for (const authorization of ['Bearer', 'Bearer ', 'Bearer a b', 'Basic YTpi', 'Bearer "']) {
    assert.ok([400, 401].includes((await post(at, { authorization })).status), authorization);
  }
});

test('the baseline serves the same metadata at both forms, and its authorization server at three (RS-1, AS-1)', async (t) => {
  const at = await start(t);
  const [byPath, byRoot] = await Promise.all([resourceMetadata(at), resourceMetadata(at, '')]);
  const document = await byPath.json();
  assert.deepEqual(await byRoot.json(), document);
  assert.equal(document.resource, at.mcp);
  assert.deepEqual(document.authorization_servers, [at.issuer]);

  const metadata = await (await serverMetadata(at)).json();
  assert.equal(metadata.issuer, at.issuer);
  for (const path of [
    '/.well-known/openid-configuration/todos',
    '/todos/.well-known/openid-configuration',
  ]) {
    assert.deepEqual(await (await at.fetch(`${at.issuerOrigin}${path}`)).json(), metadata);
  }
  assert.equal((await at.fetch(`${at.issuerOrigin}/.well-known/other`)).status, 404);
});

test('both majors of the official client SDK use the baseline: 2025-11-25 and 2026-07-28 (RS-46)', async (t) => {
  const at = await start(t);
  const headers = bearer(await accessToken(at));
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const v1 = await import('@modelcontextprotocol/sdk/client/streamableHttp.js');

  const old = new Client1({ name: 'probe', version: '1.0.0' });
  t.after(() => old.close());
  const transport = new v1.StreamableHTTPClientTransport(new URL(at.mcp), {
    requestInit: { headers },
  });
  // The SDK's own types disagree under exactOptionalPropertyTypes.
  await old.connect(transport as Parameters<typeof old.connect>[0]);
  assert.equal((await old.listTools()).tools.length, 2);

  const current = new Client(
    { name: 'probe', version: '1.0.0' },
    { versionNegotiation: { mode: 'auto' } },
  );
  t.after(() => current.close());
  await current.connect(
    new StreamableHTTPClientTransport(new URL(at.mcp), { requestInit: { headers } }),
  );
  assert.equal(current.getNegotiatedProtocolVersion(), '2026-07-28');
  const result = await current.callTool({ name: 'list_todos', arguments: {} });
  assert.deepEqual(result.content, [{ type: 'text', text: '[]' }]);
});

test('the baseline wants the scope of each tool and names it in the challenge; GET is 405 (RS-39)', async (t) => {
  const at = await start(t);
  const headers = bearer(await accessToken(at));
  assert.equal((await post(at, headers, call('list_todos'))).status, 200);
  const refused = await post(at, headers, call('delete_todo'));
  assert.equal(refused.status, 403);
  assert.match(challengeOf(refused), /error="insufficient_scope".*scope="todo:delete"/);
  const both = bearer(await accessToken(at, { scope: 'todo:read todo:delete' }));
  assert.equal((await post(at, both, call('delete_todo'))).status, 200);
  assert.equal((await at.fetch(at.mcp, { headers })).status, 405);
  assert.equal((await post(at, headers, { body: rpc('no/such') })).status, 200);
  assert.equal((await post(at, headers, { body: '[]' })).status, 400);
});

test('the baseline refuses tokens of other audiences and tokens in the address (RS-9, RS-19)', async (t) => {
  const at = await start(t);
  const other = await accessToken(at, { resource: 'https://other.example.test/mcp' });
  assert.equal((await post(at, bearer(other))).status, 401);
  const own = await accessToken(at);
  assert.equal((await post(at, {}, { path: `/mcp?access_token=${own}` })).status, 401);
  assert.equal((await post(at, {}, { path: '/mcp/.well-known/x' })).status, 404);
});

test('the baseline sends codes and errors only to registered redirect URIs, with state and iss; loopback ports are free (AS-6, AS-50)', async (t) => {
  const at = await start(t);
  const clientId = await registerClient(at);
  const authorize = (parameters: Record<string, string>): Promise<Response> =>
    at.fetch(
      `${at.issuer}/authorize?${new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        code_challenge: 'a'.repeat(43),
        code_challenge_method: 'S256',
        state: 'x',
        ...parameters,
      })}`,
      { redirect: 'manual' },
    );
  const stranger = await authorize({
    client_id: 'x',
    redirect_uri: 'https://attacker.example.test/',
  });
  assert.equal(stranger.status, 400);
  assert.equal(stranger.headers.get('location'), null);
  for (const uri of ['http://127.0.0.1:1/other', 'https://127.0.0.1:47110/callback', 'nonsense']) {
    assert.equal((await authorize({ redirect_uri: uri })).status, 400, uri);
  }
  const redirect_uri = 'http://127.0.0.1:5/callback';
  const sent = await authorize({ redirect_uri });
  const back = new URL(sent.headers.get('location') ?? '');
  assert.equal(`${back.origin}${back.pathname}`, redirect_uri);
  assert.deepEqual(
    [back.searchParams.get('state'), back.searchParams.get('iss')],
    ['x', at.issuer],
  );
  const plain = await authorize({ redirect_uri, code_challenge_method: 'plain' });
  const { searchParams } = new URL(plain.headers.get('location') ?? '');
  assert.deepEqual(
    [searchParams.get('error'), searchParams.get('iss')],
    ['invalid_request', at.issuer],
  );
});

test('the baseline redeems a code once and a refresh token once (AS-94, AS-108)', async (t) => {
  const at = await start(t);
  const authorized = await signIn(at);
  const first = await (await authorized.redeem()).json();
  assert.equal((await authorized.redeem()).status, 400);
  const second = await (await authorized.refresh(first.refresh_token)).json();
  assert.notEqual(second.refresh_token, first.refresh_token);
  assert.equal((await authorized.refresh(first.refresh_token)).status, 400);
  assert.equal((await post(at, bearer(second.access_token))).status, 200);
});

test('the baseline answers preflights without a token and exposes its challenge, to loopback origins only (RS-15, RS-16, RS-50)', async (t) => {
  const at = await start(t);
  const preflight = await at.fetch(at.mcp, {
    method: 'OPTIONS',
    headers: { origin: 'http://localhost:6274' },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /Authorization/);
  const local = await post(at, { origin: 'http://localhost:6274' });
  assert.equal(local.status, 401);
  assert.match(local.headers.get('access-control-expose-headers') ?? '', /WWW-Authenticate/);
  const foreign = await post(at, { origin: 'https://attacker.example' });
  assert.equal(foreign.status, 403);
  assert.equal(foreign.headers.get('access-control-allow-origin'), null);
});
