import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sql } from '../src/storage/db.ts';
import { asLanding, asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { HTTPS, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, authorizeWith } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });

test('allow gives a code once, by 303, with state and iss (AS-6, AS-132, AS-133)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'allow+sktest@example.com');
  assert.deepEqual([page.status, page.step], [200, 'consent']);
  assert.ok(page.form);
  const response = await browser.fetch(new URL(page.form.action, page.url).href, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: site.gatewarden.url,
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
    ['st', site.issuer],
  );
  assert.match(landing.searchParams.get('code') ?? '', /^[A-Za-z0-9_-]{43}$/);
});

test('the page names client, self-registration, redirect host, server, place, scopes, account and lasting access (AS-126, AS-127)', async () => {
  const page = await site.consentOf(
    cookieBrowser(site.gatewarden.url),
    site.url({ scope: 'todo:read todo:delete' }),
    'shown+sktest@example.com',
  );
  for (const shown of [
    'Test client',
    'Calendar',
    'mcp.example.com',
    'todo:read',
    'todo:delete',
    'shown+sktest@example.com',
    site.loopback,
    LOOPBACK,
  ])
    assert.ok(page.html.includes(shown), shown);
  assert.match(page.html, /any program on this computer/i);
});

test('without the tick nothing is granted: 400, the page again with the boxes as they were; Cancel needs none (AS-153)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(
    browser,
    site.url({ scope: 'todo:read todo:delete' }),
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
  const scopesFor = async (ticked: string[], email: string): Promise<unknown> => {
    const landing = await authorizeWith(
      cookieBrowser(site.gatewarden.url),
      site.url({ scope: 'todo:read todo:delete' }),
      email,
      ticked,
    );
    const answer = await site.redeem(landing);
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
  for (const [scope, expected] of [
    [undefined, 'todo:read'],
    ['', 'todo:read'],
    ['claudeai', 'todo:read'],
    ['claudeai todo:write', 'todo:write'],
    ['openid claudeai', 'todo:read openid'],
  ] as const) {
    const landing = await authorizeWith(
      cookieBrowser(site.gatewarden.url),
      site.url({ scope }),
      'scopes+sktest@example.com',
    );
    const answer = await site.redeem(landing);
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    assert.equal(answer.body['scope'], expected, String(scope));
  }
});

test('GET changes nothing: opening the consent page again and again gives no code (AS-128)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'get+sktest@example.com');
  for (const target of [page.url, `${page.url}?decision=allow&confirm=yes`])
    assert.equal(asPage(await browser.open(target)).step, 'consent');
  const codes = await site.gatewarden.database.rows<{ count: bigint }>(
    sql`select count(*) as count from authorization_codes c join users u on u.id = c.user_id where u.email = ${'get+sktest@example.com'}`,
  );
  assert.equal(codes[0]?.count, 0n);
});

test('the same decision again gets the same redirect, another one 403; after redemption neither (AS-128, pitfall 21)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'again+sktest@example.com');
  const first = await allow(browser, page);
  const second = await allow(browser, page);
  assert.equal(second.location, first.location);
  const other = asPage(await browser.submit(page, { decision: 'deny' }));
  assert.equal(other.status, 403);
  const answer = await site.redeem(first);
  assert.equal(answer.status, 200);
  assert.equal(
    asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' })).status,
    403,
  );
});

test('fifty parallel decisions end with one code (AS-128)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'parallel+sktest@example.com');
  const landings = await Promise.all(
    Array.from({ length: 50 }, () => browser.submit(page, { decision: 'allow', confirm: 'yes' })),
  );
  const codes = new Set(landings.map((landing) => asLanding(landing).params.get('code')));
  assert.equal(codes.size, 1);
});

test('cancel reaches a trusted client as access_denied; an untrusted one gets a page that says so, with a link (AS-144)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const denied = asLanding(
    await browser.submit(await site.consentOf(browser, site.url(), 'deny+sktest@example.com'), {
      decision: 'deny',
    }),
  );
  assert.deepEqual(
    [denied.params.get('error'), denied.params.get('state'), denied.params.get('iss')],
    ['access_denied', 'st', site.issuer],
  );
  const untrusted = await site.clientWith({ redirect_uris: [HTTPS] });
  const page = await site.consentOf(
    browser,
    site.url({ client_id: untrusted, redirect_uri: HTTPS }),
    'deny+sktest@example.com',
  );
  const nothing = asPage(await browser.submit(page, { decision: 'deny' }));
  assert.equal(nothing.status, 200);
  assert.match(nothing.html, /Nothing was allowed/);
  assert.ok(nothing.html.includes('href="https://client.example/cb?error=access_denied'));
});

test('an expired request says so and gives nothing (AS-31)', async (t) => {
  const own = await startMcpSite(t);
  const browser = cookieBrowser(own.gatewarden.url);
  const page = await own.consentOf(browser, own.url(), 'late+sktest@example.com');
  own.gatewarden.clock.advance({ minutes: 11 });
  const expired = asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' }));
  assert.deepEqual([expired.status, expired.error], [400, 'login_expired']);
});
