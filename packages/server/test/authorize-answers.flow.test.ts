import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  cookieBrowser,
  type Landing,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { HTTPS, startMcpSite } from '../src/testing/mcp-site.ts';
import { authorizeWith } from '../src/testing/oauth-client.ts';
import { startTestGatewarden } from '../src/testing.ts';

const site = await startMcpSite({ after });

async function open(target: string): Promise<Page | Landing> {
  return await cookieBrowser(site.gatewarden.url).open(target);
}

test('state comes back byte for byte in success and error, and only if it was sent (AS-25, AS-6)', async () => {
  for (const state of [
    'a=b+c/d',
    '{"a":"ü"}',
    'eyJhbGciOiJIUzI1NiJ9.e30.x',
    '%00%2F',
    'undefined',
  ]) {
    assert.equal(
      asLanding(await open(site.url({ state, response_type: 'token' }))).params.get('state'),
      state,
    );
    const landing = await authorizeWith(
      cookieBrowser(site.gatewarden.url),
      site.url({ state }),
      'state+sktest@example.com',
    );
    assert.equal(landing.params.get('state'), state);
  }
  assert.ok(
    !asLanding(await open(site.url({ state: undefined, response_type: 'token' }))).params.has(
      'state',
    ),
  );
  const tooLong = asLanding(await open(site.url({ state: 'x'.repeat(4097) })));
  assert.deepEqual(
    [tooLong.params.get('error'), tooLong.params.has('state')],
    ['invalid_request', false],
  );
});

test('an error never travels to a self-registered https client by itself: a page with a link (AS-144, RFC 9700 section 4.11.2)', async () => {
  const untrusted = await site.clientWith({ redirect_uris: [HTTPS] });
  const cases: readonly [Record<string, string | undefined>, string][] = [
    [{ scope: 'a"b' }, 'invalid_scope'],
    [{ response_type: 'token' }, 'unsupported_response_type'],
    [{ code_challenge: undefined, code_challenge_method: undefined }, 'invalid_request'],
    [{ prompt: 'none' }, 'login_required'],
    [{ resource: 'https://elsewhere.example/mcp' }, 'invalid_target'],
  ];
  for (const [params, code] of cases) {
    const page = asPage(
      await open(site.url({ client_id: untrusted, redirect_uri: HTTPS, ...params })),
    );
    assert.deepEqual([page.status, page.error], [400, code]);
    assert.ok(page.html.includes(`href="https://client.example/cb?error=${code}`), code);
  }
});

test('a private-use scheme gets no link before sign-in (AS-144)', async () => {
  const app = await site.clientWith({ redirect_uris: ['com.example.app:/cb'] });
  const page = asPage(
    await open(
      site.url({ client_id: app, redirect_uri: 'com.example.app:/cb', response_type: 'token' }),
    ),
  );
  assert.equal(page.error, 'unsupported_response_type');
  assert.ok(!page.html.includes('href="com.example.app'));
});

test('an error page answers in JSON to who prefers it, with the same status (AS-22)', async () => {
  const response = await fetch(site.url({ client_id: 'nonsense' }), {
    headers: { accept: 'application/json' },
  });
  assert.equal(response.status, 400);
  const body = (await response.json()) as Record<string, unknown>;
  assert.equal(body['error'], 'invalid_client');
  assert.match(String(body['reference']), /^req_/);
});

test('the authorization endpoint is closed to other origins: no CORS headers, no preflight (AS-137)', async () => {
  const preflight = await fetch(`${site.issuer}/oauth/authorize`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'GET' },
  });
  const request = await fetch(site.url(), {
    headers: { origin: 'https://evil.example' },
    redirect: 'manual',
  });
  for (const response of [preflight, request])
    assert.equal(response.headers.get('access-control-allow-origin'), null);
});

test('a disabled MCP server starts no authorization (AS-13)', async () => {
  const off = await site.gatewarden.mcpServer({ name: 'Off', enabled: false });
  const page = asPage(await open(site.url({}, `${site.gatewarden.url}/resources/${off.id}`)));
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
