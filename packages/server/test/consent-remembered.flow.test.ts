import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, test } from 'node:test';
import { updateClient } from '../src/clients/manage-clients.ts';
import { asLanding, asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { eventually, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, authorizeUrl, authorizeWith, pkce, register } from '../src/testing/oauth-client.ts';

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
});

test('a change of the client’s redirect URIs, name, keys or method ends its remembered consents, each alone (AS-131)', async () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const changes: Record<string, Parameters<typeof updateClient>[2]> = {
    'a redirect URI more': {
      redirectUris: ['https://known.example/each', 'https://known.example/added'],
    },
    'another name': { name: 'Renamed client' },
    'other keys': { jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] } },
    'another method': { tokenEndpointAuthMethod: 'client_secret_basic' },
  };
  for (const [what, change] of Object.entries(changes)) {
    const known = await site.knownClient(['https://known.example/each']);
    const params = { client_id: known, redirect_uri: 'https://known.example/each' };
    const browser = cookieBrowser(site.gatewarden.url);
    const page = await site.consentOf(browser, site.url(params), 'each+sktest@example.com');
    await allow(browser, page);
    assert.ok(asLanding(await browser.open(site.url(params))).params.get('code'), what);
    const updated = await updateClient(site.gatewarden.context(), known, change);
    assert.equal(updated?.kind, 'updated', JSON.stringify(updated));
    const seen = await eventually(
      () => browser.open(site.url(params)),
      (answer) => 'html' in answer,
    );
    assert.equal(asPage(seen).step, 'consent', what);
  }
});

test('for loopback redirects the page is shown every time (AS-131, RFC 8252 section 8.6)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  await allow(browser, await site.consentOf(browser, site.url(), 'native+sktest@example.com'));
  assert.equal(asPage(await browser.open(site.url())).step, 'consent');
});

test('a secret does not make a loopback redirect the client’s own: the page is shown every time (AS-131, RFC 8252 section 8.6)', async () => {
  const { body } = await register(site.gatewarden.url, site.server.id, {
    redirect_uris: [LOOPBACK],
    token_endpoint_auth_method: 'client_secret_post',
  });
  const target = site.url({ client_id: String(body['client_id']) });
  const browser = cookieBrowser(site.gatewarden.url);
  const email = 'confidential+sktest@example.com';
  await allow(browser, await site.consentOf(browser, target, email));
  assert.equal(asPage(await browser.open(target)).step, 'consent');
});

test('a larger request shows what is new and what was allowed before, in this browser only (AS-46)', async () => {
  const browser = cookieBrowser(site.gatewarden.url);
  const email = 'step-up+sktest@example.com';
  await site.redeem(await authorizeWith(browser, site.url(), email));
  const larger = site.url({ scope: 'todo:read todo:write' });
  const page = asPage(await browser.open(larger));
  assert.match(page.html, /one more permission/);
  const [fresh = '', before = ''] = page.html.split('Already allowed');
  assert.ok(fresh.includes('todo:write') && before.includes('todo:read'));
  const elsewhere = await site.consentOf(cookieBrowser(site.gatewarden.url), larger, email);
  assert.ok(!elsewhere.html.includes('Already allowed'));
  const answer = await site.redeem(await allow(browser, page));
  assert.equal(answer.body['scope'], 'todo:read todo:write');
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
  const without = authorizeUrl(at, {
    client_id: created,
    redirect_uri: 'https://known.example/open',
    code_challenge: pkce().challenge,
  });
  const unnamed = asPage(await browser.open(without));
  assert.match(unnamed.html, /I started this/);
  assert.equal(asPage(await browser.submit(unnamed, { decision: 'allow' })).status, 400);
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
