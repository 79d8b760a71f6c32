import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, signIn } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });

test('a forged or foreign consent POST is refused with 403: no token, foreign or null Origin, cross-site (AS-128, AS-129)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'csrf+sktest@example.com');
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
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'first+sktest@example.com');
  const before = new Map(browser.cookies);
  const switched = await site.consentOf(
    browser,
    site.url({ prompt: 'login' }),
    'second+sktest@example.com',
  );
  assert.ok(switched.html.includes('second+sktest@example.com'));
  assert.notDeepEqual(new Map(browser.cookies), before, 'the session cookie is another one');
  assert.equal(
    asPage(await browser.submit(page, { decision: 'allow', confirm: 'yes' })).status,
    403,
  );
});

test('a flow belongs to its browser: no address of it works in another one, in either direction (AS-30, AS-132)', async () => {
  const a = cookieBrowser(site.gatewarden.url);
  const b = cookieBrowser(site.gatewarden.url);
  await site.consentOf(b, site.url(), 'attacker+sktest@example.com');
  const identify = asPage(await a.open(site.url()));
  const consent = asPage(await signIn(a, identify, 'victim+sktest@example.com'));
  for (const target of [identify.url, consent.url]) {
    for (const other of [b, cookieBrowser(site.gatewarden.url)]) {
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
  const browser = cookieBrowser(site.gatewarden.url);
  const one = await site.consentOf(browser, site.url({ state: 'one' }), 'tabs+sktest@example.com');
  const two = asPage(await browser.open(site.url({ state: 'two', scope: 'todo:write' })));
  assert.equal((await allow(browser, one)).params.get('state'), 'one');
  assert.equal((await allow(browser, two)).params.get('state'), 'two');
});

test('a flow cannot go on at the address of another issuer (AS-7)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, site.url(), 'mixup+sktest@example.com');
  const id = page.url.split('/').at(-1) ?? '';
  const other = await site.gatewarden.mcpServer({ name: 'Mixed up' });
  for (const target of [
    `${site.gatewarden.url}/oauth/authorize/${id}`,
    `${site.gatewarden.url}/resources/${other.id}/oauth/authorize/${id}`,
  ]) {
    assert.equal(asPage(await browser.open(target)).error, 'invalid_state');
  }
});

test('sign-in and consent pages carry the headers of AS-129, without form-action and without a cross-origin opener policy', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const identify = asPage(await browser.open(site.url()));
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
    asPage(await browser.open(`${site.gatewarden.url}/oauth/authorize?client_id=x`)).headers.get(
      'content-security-policy',
    ) ?? '',
    /form-action 'self'/,
  );
});
