import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  cookieBrowser,
  type Landing,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { authorizeUrl, authorizeWith, pkce, register } from '../src/testing/oauth-client.ts';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';

const LOOPBACK = 'http://127.0.0.1:7777/cb';
const HTTPS = 'https://client.example/cb';

let gatewarden: TestGatewarden;
let server: McpServer;
let issuer: string;
let loopback: string;
let untrusted: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  issuer = `${gatewarden.url}/resources/${server.id}`;
  loopback = await clientWith({ redirect_uris: [LOOPBACK] });
  untrusted = await clientWith({ redirect_uris: [HTTPS] });
});

async function clientWith(
  metadata: Record<string, unknown>,
  resourceId = server.id,
): Promise<string> {
  const { status, body } = await register(gatewarden.url, resourceId, {
    client_name: 'Test client',
    token_endpoint_auth_method: 'none',
    ...metadata,
  });
  assert.equal(status, 201, JSON.stringify(body));
  return String(body['client_id']);
}

/** A correct request, with members replaced or (undefined) left out. */
function url(params: Record<string, string | undefined> = {}, at = issuer): string {
  return authorizeUrl(at, {
    client_id: loopback,
    redirect_uri: LOOPBACK,
    code_challenge: pkce().challenge,
    state: 'st',
    scope: 'todo:read',
    ...params,
  });
}

async function open(target: string): Promise<Page | Landing> {
  return await cookieBrowser(gatewarden.url).open(target);
}

function assertError(seen: Page | Landing, code: string): void {
  const { params } = asLanding(seen);
  assert.equal(params.get('error'), code);
  assert.equal(params.get('iss'), issuer);
  assert.equal(params.get('code'), null);
  assert.deepEqual([params.getAll('iss').length, params.getAll('error').length], [1, 1]);
}

test('a request without a session leads to the sign-in page, whose address shows nothing of it (AS-21, AS-22)', async () => {
  const page = asPage(await open(url()));
  assert.deepEqual([page.status, page.step], [200, 'identify']);
  assert.match(page.url, /\/login\/[A-Za-z0-9_-]{43}\/email$/);
  assert.ok(!page.html.includes('code_challenge'));
});

test('an unknown or missing client is a page, never a redirect (AS-22, AS-64)', async () => {
  for (const params of [
    { client_id: 'm2m_123456789012345678' },
    { client_id: undefined },
    { client_id: 'nonsense' },
  ]) {
    const page = asPage(await open(url(params)));
    assert.equal(page.status, 400);
    assert.ok(page.error);
  }
  const other = await gatewarden.mcpServer({ name: 'Other' });
  const foreign = await clientWith({ redirect_uris: [LOOPBACK] }, other.id);
  assert.equal(asPage(await open(url({ client_id: foreign }))).error, 'invalid_client');
});

test('an open redirector is not to be had: unregistered redirect URIs give a page without Location, Refresh or link (AS-22, AS-49, AS-50)', async () => {
  const corpus = [
    'https://evil.example/cb',
    '//evil.example/cb',
    'http://127.0.0.1:7777\\@evil.example/cb',
    'http://127.0.0.1:7777/cb@evil.example',
    'http://user@127.0.0.1:7777/cb',
    'http://127.0.0.1:7777/cb%0d%0aLocation: https://evil.example',
    'http://localhost.evil.example:7777/cb',
    'http://127.0.0.1.nip.io:7777/cb',
    'http://[::ffff:127.0.0.1]:7777/cb',
    'http://0x7f.1:7777/cb',
    'http://127.1:7777/cb',
    'HTTP://127.0.0.1:7777/cb',
    'http://127.0.0.1:0/cb',
    'http://127.0.0.1:99999/cb',
    'http://127.0.0.１:7777/cb',
    'http://127.0.0.1:7777/cb/',
    'http://127.0.0.1:7777/CB',
    'http://127.0.0.1:7777/cb?x=1',
    'javascript:alert(1)',
  ];
  for (const redirectUri of corpus) {
    const response = await cookieBrowser(gatewarden.url).fetch(url({ redirect_uri: redirectUri }));
    const text = await response.text();
    assert.equal(response.status, 400, redirectUri);
    assert.equal(response.headers.get('location'), null, redirectUri);
    assert.equal(response.headers.get('refresh'), null, redirectUri);
    assert.ok(!/<meta[^>]+refresh/i.test(text) && !/href="[^"]*evil/i.test(text), redirectUri);
  }
});

test('a loopback client comes back on any port (AS-50)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const landing = await authorizeWith(
    browser,
    url({ redirect_uri: 'http://127.0.0.1:51763/cb' }),
    'port+sktest@example.com',
  );
  assert.ok(landing.location.startsWith('http://127.0.0.1:51763/cb?'));
  assert.ok(landing.params.get('code'));
});

test('one registered redirect URI may be left out, of several none (AS-52)', async () => {
  assert.equal(asPage(await open(url({ redirect_uri: undefined }))).step, 'identify');
  const two = await clientWith({ redirect_uris: [LOOPBACK, 'http://localhost/two'] });
  assert.equal(
    asPage(await open(url({ client_id: two, redirect_uri: undefined }))).error,
    'invalid_request',
  );
});

test('a repeated parameter is an error at the client; of client or redirect URI it is a page (AS-21)', async () => {
  assertError(await open(`${url()}&scope=todo:write`), 'invalid_request');
  assert.equal(
    asPage(await open(`${url()}&redirect_uri=${encodeURIComponent(LOOPBACK)}`)).status,
    400,
  );
  assert.equal(asPage(await open(`${url()}&client_id=${loopback}`)).status, 400);
});

test('response_type, response_mode and request objects: each has its error (AS-23, AS-26)', async () => {
  assertError(await open(url({ response_type: 'token' })), 'unsupported_response_type');
  assertError(await open(url({ response_type: 'code id_token' })), 'unsupported_response_type');
  assertError(await open(url({ response_type: undefined })), 'invalid_request');
  assertError(await open(url({ response_mode: 'fragment' })), 'invalid_request');
  assertError(await open(url({ response_mode: 'form_post' })), 'invalid_request');
  assertError(await open(url({ request: 'eyJhbGciOiJub25lIn0.e30.' })), 'request_not_supported');
  assertError(
    await open(url({ request_uri: 'https://evil.example/r' })),
    'request_uri_not_supported',
  );
  assert.equal(asPage(await open(url({ response_mode: 'query' }))).step, 'identify');
});

test('PKCE cannot be left out or downgraded to plain (AS-24, RFC 7636)', async () => {
  assertError(
    await open(url({ code_challenge: undefined, code_challenge_method: undefined })),
    'invalid_request',
  );
  assertError(await open(url({ code_challenge_method: 'plain' })), 'invalid_request');
  assertError(await open(url({ code_challenge_method: undefined })), 'invalid_request');
  assertError(await open(url({ code_challenge: 'short' })), 'invalid_request');
});

test('state comes back byte for byte in success and error, and only if it was sent (AS-25, AS-6)', async () => {
  for (const state of [
    'a=b+c/d',
    '{"a":"ü"}',
    'eyJhbGciOiJIUzI1NiJ9.e30.x',
    '%00%2F',
    'undefined',
  ]) {
    assert.equal(
      asLanding(await open(url({ state, response_type: 'token' }))).params.get('state'),
      state,
    );
    const landing = await authorizeWith(
      cookieBrowser(gatewarden.url),
      url({ state }),
      'state+sktest@example.com',
    );
    assert.equal(landing.params.get('state'), state);
  }
  assert.ok(
    !asLanding(await open(url({ state: undefined, response_type: 'token' }))).params.has('state'),
  );
  const tooLong = asLanding(await open(url({ state: 'x'.repeat(4097) })));
  assert.deepEqual(
    [tooLong.params.get('error'), tooLong.params.has('state')],
    ['invalid_request', false],
  );
});

test('unknown parameters are ignored (AS-27)', async () => {
  assert.equal(
    asPage(await open(url({ foo: 'bar', audience: 'https://x.example', claims: '{}' }))).step,
    'identify',
  );
});

test('a request sent as a cross-site form becomes a GET of ours before anything is decided (AS-21, AS-30)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const [endpoint = '', query = ''] = url().split('?');
  const first = await browser.fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: 'https://client.example',
      'sec-fetch-site': 'cross-site',
    },
    body: query,
  });
  assert.equal(first.status, 303);
  assert.deepEqual(first.headers.getSetCookie(), []);
  assert.equal(asPage(await browser.open(first.headers.get('location') ?? '')).step, 'identify');
});

test('an error never travels to a self-registered https client by itself: a page with a link (AS-144, RFC 9700 section 4.11.2)', async () => {
  const cases: readonly [Record<string, string | undefined>, string][] = [
    [{ scope: 'a"b' }, 'invalid_scope'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    [{ prompt: 'none' }, 'login_required'],
    [{ resource: 'https://elsewhere.example/mcp' }, 'invalid_target'],
  ];
  for (const [params, code] of cases) {
    const page = asPage(await open(url({ client_id: untrusted, redirect_uri: HTTPS, ...params })));
    assert.deepEqual([page.status, page.error], [400, code]);
    assert.ok(page.html.includes(`href="https://client.example/cb?error=${code}`), code);
  }
});

test('a private-use scheme gets no link before sign-in (AS-144)', async () => {
  const app = await clientWith({ redirect_uris: ['com.example.app:/cb'] });
  const page = asPage(
    await open(
      url({ client_id: app, redirect_uri: 'com.example.app:/cb', response_type: 'token' }),
    ),
  );
  assert.equal(page.error, 'unsupported_response_type');
  assert.ok(!page.html.includes('href="com.example.app'));
});

test('an error page answers in JSON to who prefers it, with the same status (AS-22)', async () => {
  const response = await fetch(url({ client_id: 'nonsense' }), {
    headers: { accept: 'application/json' },
  });
  assert.equal(response.status, 400);
  const body = (await response.json()) as Record<string, unknown>;
  assert.equal(body['error'], 'invalid_client');
  assert.match(String(body['reference']), /^req_/);
});

test('resource: absent, equal, below, other, several, malformed (AS-33, AS-34, AS-35, AS-36)', async () => {
  for (const resource of [
    undefined,
    'https://mcp.example.com/mcp',
    'HTTPS://MCP.example.com:443/mcp/',
    'https://mcp.example.com/mcp/deeper',
    server.id,
    issuer,
  ]) {
    assert.equal(asPage(await open(url({ resource }))).step, 'identify', String(resource));
  }
  for (const resource of [
    'https://mcp.example.com/mcpx',
    'https://mcp.example.com/',
    'https://mcp.example.com/mcp?x=1',
    'https://mcp.example.com/mcp#x',
    'https://mcp.example.com/mcp/../mcp',
    'https://mcp.example.com/mcp/%2e%2e/x',
    'http://mcp.example.com/mcp',
    'mcp',
    'https://other.example/mcp',
  ]) {
    assertError(await open(url({ resource })), 'invalid_target');
  }
  assertError(
    await open(`${url({ resource: server.id })}&resource=https://other.example/mcp`),
    'invalid_target',
  );
  assert.equal(
    asPage(await open(`${url({ resource: server.id })}&resource=${server.id}`)).step,
    'identify',
  );
});

test('a path below a bare origin, or below a sibling that lies closer, is refused (AS-36)', async () => {
  const origin = await gatewarden.mcpServer({
    name: 'Origin',
    serverUrl: 'https://origin.example',
  });
  const originIssuer = `${gatewarden.url}/resources/${origin.id}`;
  const client = await clientWith({ redirect_uris: [LOOPBACK] }, origin.id);
  const at = (resource: string): string => url({ client_id: client, resource }, originIssuer);
  assert.equal(asPage(await open(at('https://origin.example'))).step, 'identify');
  assert.equal(asPage(await open(at('https://origin.example/'))).step, 'identify');
  assert.equal(
    asLanding(await open(at('https://origin.example/u/evil/mcp'))).params.get('error'),
    'invalid_target',
  );
  await gatewarden.mcpServer({
    name: 'Closer',
    serverUrl: 'https://mcp.example.com/mcp/closer',
    enabled: false,
  });
  assertError(
    await open(url({ resource: 'https://mcp.example.com/mcp/closer/x' })),
    'invalid_target',
  );
});

test('require_resource refuses a request without one (AS-33)', async () => {
  const strict = await gatewarden.mcpServer({
    name: 'Strict',
    serverUrl: 'https://strict.example/mcp',
    settings: { requireResource: true },
  });
  const client = await clientWith({ redirect_uris: [LOOPBACK] }, strict.id);
  const at = `${gatewarden.url}/resources/${strict.id}`;
  assert.equal(
    asLanding(await open(url({ client_id: client }, at))).params.get('error'),
    'invalid_target',
  );
  assert.equal(
    asPage(await open(url({ client_id: client, resource: 'https://strict.example/mcp' }, at))).step,
    'identify',
  );
});

test('a phishing MCP server cannot pass for one without a Server URL, and the operator sees what was asked (AS-38)', async () => {
  const bare = await gatewarden.mcpServer({ name: 'Bare' });
  const client = await clientWith({ redirect_uris: [LOOPBACK] }, bare.id);
  const at = `${gatewarden.url}/resources/${bare.id}`;
  const refused = asLanding(
    await open(url({ client_id: client, resource: 'https://phisher.example/mcp' }, at)),
  );
  assert.equal(refused.params.get('error'), 'invalid_target');
  assert.match(refused.params.get('error_description') ?? '', /no Server URL is registered/);
  const rows = await gatewarden.database.rows<{ refused_resource: string }>(
    sql`select refused_resource from mcp_servers where id = ${bare.id}`,
  );
  assert.equal(rows[0]?.refused_resource, 'https://phisher.example/mcp');
  assert.equal(asPage(await open(url({ client_id: client }, at))).step, 'identify');
  assert.equal(
    asPage(await open(url({ client_id: client, resource: bare.id }, at))).step,
    'identify',
  );
  assert.equal(
    asPage(await open(url({ client_id: client, resource: 'http://localhost:3002/mcp' }, at))).step,
    'identify',
    'loopback in development',
  );
});

test('the authorization endpoint is closed to other origins: no CORS headers, no preflight (AS-137)', async () => {
  const preflight = await fetch(`${issuer}/oauth/authorize`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
  });
  const request = await fetch(url(), {
    headers: { origin: 'https://evil.example' },
    redirect: 'manual',
  });
  for (const response of [preflight, request])
    assert.equal(response.headers.get('access-control-allow-origin'), null);
});

test('a disabled MCP server starts no authorization (AS-13)', async () => {
  const off = await gatewarden.mcpServer({ name: 'Off', enabled: false });
  const page = asPage(await open(url({}, `${gatewarden.url}/resources/${off.id}`)));
  assert.ok(page.status === 400 || page.status === 404);
  assert.ok(page.error);
});

test('requests of one network are limited, with Retry-After on a page (AS-139)', async (t) => {
  const limited = await startTestGatewarden(t, {});
  await limited.database.rows(
    sql`update environments set settings = '{"limitsApplyToLoopback": true, "limits": {"authorizePerMinute": 3}}', row_version = row_version + 1`,
  );
  const target = `${limited.url}/oauth/authorize?client_id=nonsense`;
  const statuses: number[] = [];
  let retryAfter: string | null = null;
  for (let index = 0; index < 5; index += 1) {
    const response = await fetch(target, { headers: { accept: 'text/html' } });
    await response.text();
    statuses.push(response.status);
    retryAfter = response.headers.get('retry-after') ?? retryAfter;
  }
  assert.deepEqual(statuses, [400, 400, 400, 429, 429]);
  assert.ok(Number(retryAfter) > 0 && Number(retryAfter) <= 60);
});
