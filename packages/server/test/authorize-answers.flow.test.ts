import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { updateClient } from '../src/clients/manage-clients.ts';
import { disablePerson } from '../src/login/end-access.ts';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  cookieBrowser,
  type Landing,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { eventually, HTTPS, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
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

test('to a well-known host and to this computer errors travel by themselves, with state and iss (AS-144, AS-26)', async () => {
  const wellKnown = 'https://claude.ai/api/mcp/auth_callback';
  const client = await site.clientWith({ redirect_uris: [wellKnown] });
  for (const right of [{ client_id: client, redirect_uri: wellKnown }, {}])
    for (const [params, code] of [
      [{ scope: 'a"b' }, 'invalid_scope'],
      [{ response_type: 'token' }, 'unsupported_response_type'],
      [{ response_mode: 'fragment' }, 'invalid_request'],
      [{ request: 'x' }, 'request_not_supported'],
      [{ request_uri: 'https://x.example' }, 'request_uri_not_supported'],
      [{ code_challenge: undefined }, 'invalid_request'],
      [{ prompt: 'none' }, 'login_required'],
      [{ prompt: 'none login' }, 'invalid_request'],
      [{ max_age: '-1' }, 'invalid_request'],
    ] as const) {
      const { location, params: answer } = asLanding(await open(site.url({ ...right, ...params })));
      assert.ok(location.startsWith(`${right.redirect_uri ?? LOOPBACK}?`), location);
      assert.deepEqual(
        [answer.get('error'), answer.get('state'), answer.getAll('iss')],
        [code, 'st', [site.issuer]],
      );
    }
});

test('the same host on another port, or a name that only looks like it, is not the well-known one (AS-144)', async () => {
  for (const host of ['claude.ai:8443', 'claude.ai.evil.example', 'xn--claud-9ya.example']) {
    const redirectUri = `https://${host}/cb`;
    const client = await site.clientWith({ redirect_uris: [redirectUri] });
    const wrong = { client_id: client, redirect_uri: redirectUri, response_type: 'token' };
    assert.equal(asPage(await open(site.url(wrong))).status, 400, host);
  }
});

test('the nonce is in the ID token, as it was sent (AS-29)', async () => {
  const nonce = 'n-0S6_WzA2Mj é';
  const landing = await authorizeWith(
    cookieBrowser(site.gatewarden.url),
    site.url({ nonce, scope: 'openid todo:read' }),
    'nonce+sktest@example.com',
  );
  const { body } = await site.redeem(landing);
  const payload = String(body['id_token']).split('.')[1] ?? '';
  const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
  assert.equal(Reflect.get(Object(claims), 'nonce'), nonce);
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

test('iss can be withheld from one broken client, for thirty days at most, and the metadata goes on promising it (AS-6, pitfall 2)', async (t) => {
  const own = await startMcpSite(t);
  const { clock, context } = own.gatewarden;
  const broken = await own.knownClient([LOOPBACK]);
  const refusal = own.url({ client_id: broken, response_type: 'token' });
  const issOf = async (target: string): Promise<string[]> =>
    asLanding(await cookieBrowser(own.gatewarden.url).open(target)).params.getAll('iss');
  const withhold = async (days: number): Promise<void> => {
    const omitIssUntil = new Date(clock.now().getTime() + days * 86_400_000).toISOString();
    await updateClient(context(), broken, { settings: { omitIssUntil } });
  };
  assert.deepEqual(await issOf(refusal), [own.issuer]);
  await withhold(30);
  assert.deepEqual(
    await eventually(
      () => issOf(refusal),
      (all) => all.length === 0,
    ),
    [],
  );
  assert.deepEqual(await issOf(own.url({ response_type: 'token' })), [own.issuer], 'nobody else');
  const metadata = (await (
    await fetch(`${own.issuer}/.well-known/openid-configuration`)
  ).json()) as Record<string, unknown>;
  assert.equal(metadata['authorization_response_iss_parameter_supported'], true);
  clock.advance({ days: 30 });
  assert.deepEqual(await issOf(refusal), [own.issuer], 'over by itself');
  await withhold(31);
  clock.advance({ seconds: 31 });
  assert.deepEqual(await issOf(refusal), [own.issuer], 'longer than thirty days');
});

test('every answer of E names E and every answer of R names R, once, in success and refusal (AS-6, RFC 9207)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  for (const at of [site.issuer, site.gatewarden.url]) {
    const refused = asLanding(await browser.open(site.url({ response_type: 'token' }, at)));
    const page = await site.consentOf(browser, site.url({}, at), 'names+sktest@example.com');
    const denied = asLanding(await browser.submit(page, { decision: 'deny' }));
    const landing = await authorizeWith(browser, site.url({}, at), 'names+sktest@example.com');
    for (const { params } of [refused, denied, landing])
      assert.deepEqual(params.getAll('iss'), [at]);
  }
});

test('a redirect URI with a query keeps it, and the answer comes behind (AS-56, AS-6)', async () => {
  const redirectUri = 'http://127.0.0.1:7777/cb?tenant=a%20b&x=1';
  const client = await site.clientWith({ redirect_uris: [redirectUri] });
  const target = site.url({
    client_id: client,
    redirect_uri: redirectUri,
    response_type: 'token',
    state: 'a&iss=https://evil.example#',
  });
  const { location, params } = asLanding(await cookieBrowser(site.gatewarden.url).open(target));
  assert.ok(location.startsWith(`${redirectUri}&error=`));
  assert.deepEqual(params.getAll('iss'), [site.issuer]);
  assert.equal(params.get('state'), 'a&iss=https://evil.example#');
});

test('where the signed-in person has a live grant, and only while it lives, an error travels to that exact redirect URI (AS-144)', async () => {
  const client = await site.clientWith({ redirect_uris: [HTTPS, `${HTTPS}/second`] });
  const browser = cookieBrowser(site.gatewarden.url);
  const right = { client_id: client, redirect_uri: HTTPS };
  const wrong = site.url({ ...right, response_type: 'token' });
  assert.equal(asPage(await browser.open(wrong)).status, 400, 'nobody is signed in');
  const landing = await authorizeWith(browser, site.url(right), 'granted+sktest@example.com');
  assert.equal(asPage(await browser.open(wrong)).status, 400, 'a code is no grant yet');
  assert.equal((await site.redeem(landing, right)).status, 200);
  assert.equal(
    asLanding(await browser.open(wrong)).params.get('error'),
    'unsupported_response_type',
  );
  const other = site.url({ ...right, redirect_uri: `${HTTPS}/second`, response_type: 'token' });
  assert.equal(asPage(await browser.open(other)).status, 400, 'another redirect URI');
  assert.equal(asPage(await cookieBrowser(site.gatewarden.url).open(wrong)).status, 400, 'nobody');
  await disablePerson(site.gatewarden.context(), await userId('granted+sktest@example.com'));
  assert.equal(asPage(await browser.open(wrong)).status, 400, 'the grant has ended');
});

test('an untrusted client’s name, description and address on error pages are text (AS-135, AS-144)', async () => {
  const name = '<img src=x onerror=alert(1)>"><script>alert(1)</script>';
  const client = await site.clientWith({ client_name: name, redirect_uris: [HTTPS] });
  const params = { client_id: client, redirect_uri: HTTPS, response_type: 'token' };
  const page = asPage(
    await cookieBrowser(site.gatewarden.url).open(
      site.url({ ...params, state: '"><script>alert(2)</script>', ui_locales: '"><x' }),
    ),
  );
  assert.equal(page.status, 400);
  assert.ok(!/<script>|<img src=x|<x/.test(page.html));
  assert.match(page.html, /&lt;img src=x/);
  assert.match(page.html, /<html lang="en"/);
});

async function userId(email: string): Promise<string> {
  const rows = await site.gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email = ${email}`,
  );
  return rows[0]?.id ?? '';
}
