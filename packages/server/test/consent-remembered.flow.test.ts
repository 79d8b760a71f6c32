import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sql } from '../src/storage/db.ts';
import { asLanding, asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, authorizeUrl, authorizeWith, pkce } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });

test('prompt=none answers without pages: login_required, then consent_required, then a code where consent is remembered (AS-28, AS-131)', async () => {
  const known = await site.knownClient(['https://known.example/cb']);
  const browser = cookieBrowser(site.gatewarden.url);
  const target = site.url({
    client_id: known,
    redirect_uri: 'https://known.example/cb',
    prompt: 'none',
  });
  assert.equal(asLanding(await browser.open(target)).params.get('error'), 'login_required');
  await site.consentOf(browser, site.url(), 'none+sktest@example.com');
  assert.equal(asLanding(await browser.open(target)).params.get('error'), 'consent_required');
  await allow(
    browser,
    asPage(
      await browser.open(site.url({ client_id: known, redirect_uri: 'https://known.example/cb' })),
    ),
  );
  assert.ok(asLanding(await browser.open(target)).params.get('code'));
});

test('prompt=login asks again for who is signed in, prompt=consent shows the page again (AS-28)', async () => {
  const known = await site.knownClient(['https://known.example/again']);
  const params = { client_id: known, redirect_uri: 'https://known.example/again' };
  const browser = cookieBrowser(site.gatewarden.url);
  await allow(
    browser,
    await site.consentOf(browser, site.url(params), 'prompt+sktest@example.com'),
  );
  assert.ok(asLanding(await browser.open(site.url(params))).params.get('code'), 'remembered');
  assert.equal(
    asPage(await browser.open(site.url({ ...params, prompt: 'consent' }))).step,
    'consent',
  );
  assert.equal(
    asPage(await browser.open(site.url({ ...params, prompt: 'login' }))).step,
    'identify',
  );
});

test('a remembered consent counts only while everything is equal (AS-131)', async () => {
  const known = await site.knownClient(['https://known.example/eq', 'https://known.example/other']);
  const params = { client_id: known, redirect_uri: 'https://known.example/eq' };
  const browser = cookieBrowser(site.gatewarden.url);
  await allow(browser, await site.consentOf(browser, site.url(params), 'equal+sktest@example.com'));
  assert.ok(asLanding(await browser.open(site.url(params))).params.get('code'));
  assert.equal(
    asPage(await browser.open(site.url({ ...params, scope: 'todo:read todo:write' }))).step,
    'consent',
    'one scope more',
  );
  assert.equal(
    asPage(await browser.open(site.url({ ...params, redirect_uri: 'https://known.example/other' })))
      .step,
    'consent',
    'another registered redirect URI',
  );
  await site.gatewarden.database.rows(
    sql`update clients set redirect_uris = redirect_uris || '{https://known.example/added}', row_version = row_version + 1 where id = ${known}`,
  );
  // A change reaches the caches of all processes by notification, within moments.
  let seen = await browser.open(site.url(params));
  for (let tries = 0; 'location' in seen && tries < 50; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    seen = await browser.open(site.url(params));
  }
  assert.equal(asPage(seen).step, 'consent', 'a redirect URI was added to the client');
});

test('for loopback redirects the page is shown every time (AS-131, RFC 8252 section 8.6)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  await allow(browser, await site.consentOf(browser, site.url(), 'native+sktest@example.com'));
  assert.equal(asPage(await browser.open(site.url())).step, 'consent');
});

test('an address that nobody registered needs a tick for its host, and is never remembered (AS-38)', async () => {
  const open = await site.gatewarden.mcpServer({
    name: 'Open',
    settings: { allowUnregisteredResource: true },
  });
  const at = `${site.gatewarden.url}/resources/${open.id}`;
  const created = await site.knownClient(['https://known.example/open'], open.id);
  const target = authorizeUrl(at, {
    client_id: created,
    redirect_uri: 'https://known.example/open',
    code_challenge: pkce().challenge,
    resource: 'https://somewhere.example/mcp',
  });
  const browser = cookieBrowser(site.gatewarden.url);
  const page = await site.consentOf(browser, target, 'vouch+sktest@example.com');
  assert.match(page.html, /I trust[^<]*somewhere\.example/);
  assert.equal(asPage(await browser.submit(page, { decision: 'allow' })).status, 400);
  assert.ok((await allow(browser, page)).params.get('code'));
  assert.equal(asPage(await browser.open(target)).step, 'consent');
});

test('a first connection of a client that is not well known is announced by mail (AS-154)', async () => {
  const email = 'mail+sktest@example.com';
  await authorizeWith(cookieBrowser(site.gatewarden.url), site.url(), email);
  await authorizeWith(cookieBrowser(site.gatewarden.url), site.url(), email);
  const mails = (await (
    await fetch(`${site.gatewarden.url}/dev/mailbox.json?to=${encodeURIComponent(email)}`)
  ).json()) as { subject: string }[];
  assert.equal(
    mails.filter(({ subject }) => /connected/i.test(subject)).length,
    1,
    JSON.stringify(mails.map(({ subject }) => subject)),
  );
});
