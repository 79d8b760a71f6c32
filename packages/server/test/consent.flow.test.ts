import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { createClient } from '../src/clients/manage-clients.ts';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  type CookieBrowser,
  cookieBrowser,
  type Page,
} from '../src/testing/cookie-browser.ts';
import {
  allow,
  authorizeUrl,
  authorizeWith,
  pkce,
  register,
  signIn,
  token,
} from '../src/testing/oauth-client.ts';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';

const LOOPBACK = 'http://127.0.0.1:7777/cb';
const HTTPS = 'https://client.example/cb';

let gatewarden: TestGatewarden;
let server: McpServer;
let issuer: string;
let loopback: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  issuer = `${gatewarden.url}/resources/${server.id}`;
  loopback = await clientWith({ redirect_uris: [LOOPBACK] });
});

async function clientWith(metadata: Record<string, unknown>): Promise<string> {
  const { status, body } = await register(gatewarden.url, server.id, {
    client_name: 'Test client',
    token_endpoint_auth_method: 'none',
    ...metadata,
  });
  assert.equal(status, 201, JSON.stringify(body));
  return String(body['client_id']);
}

function url(params: Record<string, string | undefined> = {}): string {
  return authorizeUrl(issuer, {
    client_id: loopback,
    redirect_uri: LOOPBACK,
    code_challenge: pkce().challenge,
    state: 'st',
    scope: 'todo:read',
    ...params,
  });
}

/** Signs in and stands on the consent page. */
async function consentOf(browser: CookieBrowser, target: string, email: string): Promise<Page> {
  const first = asPage(await browser.open(target));
  return asPage(first.step === 'identify' ? await signIn(browser, first, email) : first);
}

test('allow gives a code once, by 303, with state and iss (AS-6, AS-132, AS-133)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'allow+sktest@example.com');
  assert.deepEqual([page.status, page.step], [200, 'consent']);
  assert.ok(page.form);
  const response = await browser.fetch(new URL(page.form.action, page.url).href, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: gatewarden.url,
      'sec-fetch-site': 'same-origin',
    },
    body: new URLSearchParams({
      ...page.form.hidden,
      decision: 'allow',
      confirm: 'yes',
    }).toString(),
  });
  assert.equal(response.status, 303);
  const landing = new URL(response.headers.get('location') ?? '');
  assert.deepEqual(
    [landing.searchParams.get('state'), landing.searchParams.get('iss')],
    ['st', issuer],
  );
  assert.match(landing.searchParams.get('code') ?? '', /^[A-Za-z0-9_-]{43}$/);
});

test('the page names client, self-registration, redirect host, server, place, scopes, account and lasting access (AS-126, AS-127)', async () => {
  const page = await consentOf(
    cookieBrowser(gatewarden.url),
    url({ scope: 'todo:read todo:delete' }),
    'shown+sktest@example.com',
  );
  for (const shown of [
    'Test client',
    'Calendar',
    'mcp.example.com',
    'todo:read',
    'todo:delete',
    'shown+sktest@example.com',
    loopback,
    LOOPBACK,
  ])
    assert.ok(page.html.includes(shown), shown);
  assert.match(page.html, /any program on this computer/i);
});

test('without the tick nothing is granted: 400, the page again with the boxes as they were; Cancel needs none (AS-153)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(
    browser,
    url({ scope: 'todo:read todo:delete' }),
    'tick+sktest@example.com',
  );
  const again = asPage(await browser.submit(page, { decision: 'allow', scope: ['todo:delete'] }));
  assert.deepEqual([again.status, again.step], [400, 'consent']);
  assert.match(
    again.html,
    /<input[^>]*value="todo:delete"[^>]*checked|checked[^>]*value="todo:delete"/,
  );
  for (const confirm of ['no', 'YES', '1'])
    assert.equal(asPage(await browser.submit(page, { decision: 'allow', confirm })).status, 400);
  assert.equal(
    asLanding(await browser.submit(again, { decision: 'deny' })).params.get('error'),
    'access_denied',
  );
});

test('a scope that deletes or spends is granted only when its box was ticked (AS-44)', async () => {
  const verifier = pkce();
  const scopesFor = async (ticked: string[], email: string): Promise<unknown> => {
    const landing = await authorizeWith(
      cookieBrowser(gatewarden.url),
      url({ scope: 'todo:read todo:delete', code_challenge: verifier.challenge }),
      email,
      ticked,
    );
    const answer = await token(issuer, {
      grant_type: 'authorization_code',
      client_id: loopback,
      code: landing.params.get('code') ?? '',
      redirect_uri: LOOPBACK,
      code_verifier: verifier.verifier,
    });
    return answer.body['scope'];
  };
  assert.equal(await scopesFor([], 'unticked+sktest@example.com'), 'todo:read');
  assert.equal(
    await scopesFor(['todo:delete'], 'ticked+sktest@example.com'),
    'todo:read todo:delete',
  );
  assert.equal(
    await scopesFor(['todo:write'], 'smuggled+sktest@example.com'),
    'todo:read',
    'a box that was not shown grants nothing',
  );
});

test('no scope, an empty one and unknown ones give the defaults, unknown ones beside known ones are dropped (AS-42, AS-43, AS-44, AS-45)', async () => {
  const verifier = pkce();
  for (const [scope, expected] of [
    [undefined, 'todo:read'],
    ['', 'todo:read'],
    ['claudeai', 'todo:read'],
    ['claudeai todo:write', 'todo:write'],
    ['openid claudeai', 'todo:read openid'],
  ] as const) {
    const landing = await authorizeWith(
      cookieBrowser(gatewarden.url),
      url({ scope, code_challenge: verifier.challenge }),
      'scopes+sktest@example.com',
    );
    const answer = await token(issuer, {
      grant_type: 'authorization_code',
      client_id: loopback,
      code: landing.params.get('code') ?? '',
      redirect_uri: LOOPBACK,
      code_verifier: verifier.verifier,
    });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body['scope'], expected, String(scope));
  }
});

test('GET changes nothing: opening the consent page again and again gives no code (AS-128)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'get+sktest@example.com');
  for (const target of [page.url, `${page.url}?decision=allow&confirm=yes`])
    assert.equal(asPage(await browser.open(target)).step, 'consent');
  const codes = await gatewarden.database.rows<{ count: bigint }>(
    sql`select count(*) as count from authorization_codes c join users u on u.id = c.user_id where u.email = ${'get+sktest@example.com'}`,
  );
  assert.equal(codes[0]?.count, 0n);
});

test('the same decision again gets the same redirect, another one 403; after redemption neither (AS-128, pitfall 21)', async () => {
  const verifier = pkce();
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(
    browser,
    url({ code_challenge: verifier.challenge }),
    'again+sktest@example.com',
  );
  const first = await allow(browser, page);
  const second = await allow(browser, page);
  assert.equal(second.location, first.location);
  const other = asPage(await browser.submit(page, { decision: 'deny' }));
  assert.equal(other.status, 403);
  const answer = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: loopback,
    code: first.params.get('code') ?? '',
    redirect_uri: LOOPBACK,
    code_verifier: verifier.verifier,
  });
  assert.equal(answer.status, 200);
  assert.equal(
    asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' })).status,
    403,
  );
});

test('fifty parallel decisions end with one code (AS-128)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'parallel+sktest@example.com');
  const landings = await Promise.all(
    Array.from({ length: 50 }, () => browser.submit(page, { decision: 'allow', confirm: 'yes' })),
  );
  const codes = new Set(landings.map((landing) => asLanding(landing).params.get('code')));
  assert.equal(codes.size, 1);
});

test('a forged or foreign consent POST is refused with 403: no token, foreign or null Origin, cross-site (AS-128, AS-129)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'csrf+sktest@example.com');
  const fields = { decision: 'allow', confirm: 'yes' };
  assert.equal(asPage(await browser.submit(page, fields, { hidden: {} })).status, 403);
  assert.equal(
    asPage(await browser.submit(page, fields, { hidden: { csrf: 'A'.repeat(43) } })).status,
    403,
  );
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    assert.equal(
      asPage(await browser.submit(page, fields, { headers })).status,
      403,
      JSON.stringify(headers),
    );
  }
  assert.ok((await allow(browser, page)).params.get('code'), 'none of it used the request up');
});

test('consent of one person is not consent of another who signed in between: 403 (AS-30, AS-132)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'first+sktest@example.com');
  const before = new Map(browser.cookies);
  const switched = await consentOf(browser, url({ prompt: 'login' }), 'second+sktest@example.com');
  assert.ok(switched.html.includes('second+sktest@example.com'));
  assert.notDeepEqual(new Map(browser.cookies), before, 'the session cookie is another one');
  assert.equal(
    asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' })).status,
    403,
  );
});

test('a flow belongs to its browser: no address of it works in another one, in either direction (AS-30, AS-132)', async () => {
  const a = cookieBrowser(gatewarden.url);
  const b = cookieBrowser(gatewarden.url);
  await consentOf(b, url(), 'attacker+sktest@example.com');
  const identify = asPage(await a.open(url()));
  const consent = asPage(await signIn(a, identify, 'victim+sktest@example.com'));
  for (const target of [identify.url, consent.url]) {
    for (const other of [b, cookieBrowser(gatewarden.url)]) {
      const page = asPage(await other.open(target));
      assert.deepEqual([page.status, page.error], [400, 'invalid_state']);
      assert.ok(
        !page.html.includes('victim') &&
          !page.html.includes('Calendar') &&
          !page.html.includes('Test client'),
      );
    }
  }
  const posted = asPage(await b.submit(consent, { decision: 'allow', confirm: 'yes' }));
  assert.deepEqual([posted.status, posted.error], [400, 'invalid_state']);
  assert.ok(
    (await allow(a, consent)).params.get('code'),
    'the flow in its own browser is untouched',
  );
});

test('two flows in one browser do not disturb one another (AS-30, pitfall 24)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const one = await consentOf(browser, url({ state: 'one' }), 'tabs+sktest@example.com');
  const two = asPage(await browser.open(url({ state: 'two', scope: 'todo:write' })));
  assert.equal((await allow(browser, one)).params.get('state'), 'one');
  assert.equal((await allow(browser, two)).params.get('state'), 'two');
});

test('a flow cannot go on at the address of another issuer (AS-7)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, url(), 'mixup+sktest@example.com');
  const id = page.url.split('/').at(-1) ?? '';
  const other = await gatewarden.mcpServer({ name: 'Mixed up' });
  for (const target of [
    `${gatewarden.url}/oauth/authorize/${id}`,
    `${gatewarden.url}/resources/${other.id}/oauth/authorize/${id}`,
  ]) {
    assert.equal(asPage(await browser.open(target)).error, 'invalid_state');
  }
});

test('cancel reaches a trusted client as access_denied; an untrusted one gets a page that says so, with a link (AS-144)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const denied = asLanding(
    await browser.submit(await consentOf(browser, url(), 'deny+sktest@example.com'), {
      decision: 'deny',
    }),
  );
  assert.deepEqual(
    [denied.params.get('error'), denied.params.get('state'), denied.params.get('iss')],
    ['access_denied', 'st', issuer],
  );
  const untrusted = await clientWith({ redirect_uris: [HTTPS] });
  const page = await consentOf(
    browser,
    url({ client_id: untrusted, redirect_uri: HTTPS }),
    'deny+sktest@example.com',
  );
  const nothing = asPage(await browser.submit(page, { decision: 'deny' }));
  assert.equal(nothing.status, 200);
  assert.match(nothing.html, /Nothing was allowed/);
  assert.ok(nothing.html.includes('href="https://client.example/cb?error=access_denied'));
});

test('prompt=none answers without pages: login_required, then consent_required, then a code where consent is remembered (AS-28, AS-131)', async () => {
  const known = await createKnown(['https://known.example/cb']);
  const browser = cookieBrowser(gatewarden.url);
  const target = url({
    client_id: known,
    redirect_uri: 'https://known.example/cb',
    prompt: 'none',
  });
  assert.equal(asLanding(await browser.open(target)).params.get('error'), 'login_required');
  await consentOf(browser, url(), 'none+sktest@example.com');
  assert.equal(asLanding(await browser.open(target)).params.get('error'), 'consent_required');
  await allow(
    browser,
    asPage(await browser.open(url({ client_id: known, redirect_uri: 'https://known.example/cb' }))),
  );
  assert.ok(asLanding(await browser.open(target)).params.get('code'));
});

test('prompt=login asks again for who is signed in, prompt=consent shows the page again (AS-28)', async () => {
  const known = await createKnown(['https://known.example/again']);
  const params = { client_id: known, redirect_uri: 'https://known.example/again' };
  const browser = cookieBrowser(gatewarden.url);
  await allow(browser, await consentOf(browser, url(params), 'prompt+sktest@example.com'));
  assert.ok(asLanding(await browser.open(url(params))).params.get('code'), 'remembered');
  assert.equal(asPage(await browser.open(url({ ...params, prompt: 'consent' }))).step, 'consent');
  assert.equal(asPage(await browser.open(url({ ...params, prompt: 'login' }))).step, 'identify');
});

test('a remembered consent counts only while everything is equal (AS-131)', async () => {
  const known = await createKnown(['https://known.example/eq', 'https://known.example/other']);
  const params = { client_id: known, redirect_uri: 'https://known.example/eq' };
  const browser = cookieBrowser(gatewarden.url);
  await allow(browser, await consentOf(browser, url(params), 'equal+sktest@example.com'));
  assert.ok(asLanding(await browser.open(url(params))).params.get('code'));
  assert.equal(
    asPage(await browser.open(url({ ...params, scope: 'todo:read todo:write' }))).step,
    'consent',
    'one scope more',
  );
  assert.equal(
    asPage(await browser.open(url({ ...params, redirect_uri: 'https://known.example/other' })))
      .step,
    'consent',
    'another registered redirect URI',
  );
  await gatewarden.database.rows(
    sql`update clients set redirect_uris = redirect_uris || '{https://known.example/added}', row_version = row_version + 1 where id = ${known}`,
  );
  // A change reaches the caches of all processes by notification, within moments.
  let seen = await browser.open(url(params));
  for (let tries = 0; 'location' in seen && tries < 50; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    seen = await browser.open(url(params));
  }
  assert.equal(asPage(seen).step, 'consent', 'a redirect URI was added to the client');
});

test('for loopback redirects the page is shown every time (AS-131, RFC 8252 section 8.6)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  await allow(browser, await consentOf(browser, url(), 'native+sktest@example.com'));
  assert.equal(asPage(await browser.open(url())).step, 'consent');
});

test('an expired request says so and gives nothing (AS-31)', async (t) => {
  const own = await startTestGatewarden(t);
  const mcp = await own.mcpServer();
  const { body } = await register(own.url, mcp.id, {
    redirect_uris: [LOOPBACK],
    token_endpoint_auth_method: 'none',
  });
  const browser = cookieBrowser(own.url);
  const target = authorizeUrl(`${own.url}/resources/${mcp.id}`, {
    client_id: String(body['client_id']),
    code_challenge: pkce().challenge,
  });
  const page = await consentOf(browser, target, 'late+sktest@example.com');
  own.clock.advance({ minutes: 11 });
  const expired = asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' }));
  assert.equal(expired.status, 400);
  assert.equal(expired.error, 'login_expired');
});

test('an address that nobody registered needs a tick for its host, and is never remembered (AS-38)', async () => {
  const open = await gatewarden.mcpServer({
    name: 'Open',
    settings: { allowUnregisteredResource: true },
  });
  const at = `${gatewarden.url}/resources/${open.id}`;
  const created = await createKnown(['https://known.example/open'], open.id);
  const target = authorizeUrl(at, {
    client_id: created,
    redirect_uri: 'https://known.example/open',
    code_challenge: pkce().challenge,
    resource: 'https://somewhere.example/mcp',
  });
  const browser = cookieBrowser(gatewarden.url);
  const page = await consentOf(browser, target, 'vouch+sktest@example.com');
  assert.match(page.html, /I trust[^<]*somewhere\.example/);
  assert.equal(asPage(await browser.submit(page, { decision: 'allow' })).status, 400);
  assert.ok((await allow(browser, page)).params.get('code'));
  assert.equal(asPage(await browser.open(target)).step, 'consent');
});

test('a first connection of a client that is not well known is announced by mail (AS-154)', async () => {
  const email = 'mail+sktest@example.com';
  await authorizeWith(cookieBrowser(gatewarden.url), url(), email);
  await authorizeWith(cookieBrowser(gatewarden.url), url(), email);
  const mails = (await (
    await fetch(`${gatewarden.url}/dev/mailbox.json?to=${encodeURIComponent(email)}`)
  ).json()) as { subject: string }[];
  assert.equal(
    mails.filter(({ subject }) => /connected/i.test(subject)).length,
    1,
    JSON.stringify(mails.map(({ subject }) => subject)),
  );
});

test('sign-in and consent pages carry the headers of AS-129, without form-action and without a cross-origin opener policy', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const identify = asPage(await browser.open(url()));
  const consent = asPage(await signIn(browser, identify, 'headers+sktest@example.com'));
  for (const { headers } of [identify, consent]) {
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "object-src 'none'",
    ])
      assert.ok(policy.includes(part), part);
    assert.ok(!policy.includes('form-action'));
    assert.deepEqual(
      [
        headers.get('x-frame-options'),
        headers.get('referrer-policy'),
        headers.get('x-content-type-options'),
        headers.get('cache-control'),
      ],
      ['DENY', 'same-origin', 'nosniff', 'no-store'],
    );
    assert.equal(headers.get('cross-origin-opener-policy'), null);
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
  assert.match(
    asPage(await browser.open(`${gatewarden.url}/oauth/authorize?client_id=x`)).headers.get(
      'content-security-policy',
    ) ?? '',
    /form-action 'self'/,
  );
});

/** A client that an administrator made: trusted, and its consents can be remembered. */
async function createKnown(redirectUris: string[], mcpServerId = server.id): Promise<string> {
  const created = await createClient(gatewarden.context(), {
    kind: 'mcp',
    mcpServerId,
    name: 'Known client',
    redirectUris,
    tokenEndpointAuthMethod: 'none',
  } as never);
  return (created as unknown as { client: { id: string } }).client.id;
}
