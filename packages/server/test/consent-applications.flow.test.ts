import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClient } from '../src/clients/manage-clients.ts';
import { sql } from '../src/storage/db.ts';
import { asLanding, asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { HTTPS, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, signIn } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });
const { gatewarden } = site;

/** An application of the operator's at E. */
async function application(
  redirectUri: string,
  tokenEndpointAuthMethod: 'none' | 'client_secret_basic',
): Promise<{ client_id: string; redirect_uri: string; scope: string }> {
  const created = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Own application',
    redirectUris: [redirectUri],
    tokenEndpointAuthMethod,
  });
  assert.ok(created.kind === 'created', JSON.stringify(created));
  return { client_id: created.client.id, redirect_uri: redirectUri, scope: 'openid' };
}

test("an application of the operator's needs no page, only a person who signed in; the timeline says so (AS-132)", async () => {
  const own = await application(HTTPS, 'none');
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url(own, gatewarden.url);
  const identify = asPage(await browser.open(target));
  assert.equal(identify.step, 'identify');
  const landing = asLanding(await signIn(browser, identify, 'app+sktest@example.com'));
  assert.ok(landing.params.get('code'));
  assert.equal(landing.params.get('iss'), gatewarden.url);
  const events = await gatewarden.database.rows<{ type: string }>(
    sql`select type from events where client_id = ${own.client_id} and type like 'consent.%'`,
  );
  assert.deepEqual(events, [{ type: 'consent.skipped' }]);
});

test('prompt=consent shows the page for an application, too (AS-28)', async () => {
  const own = await application(HTTPS, 'client_secret_basic');
  const browser = cookieBrowser(gatewarden.url);
  const email = 'asked+sktest@example.com';
  const page = await site.consentOf(
    browser,
    site.url({ ...own, prompt: 'consent' }, gatewarden.url),
    email,
  );
  assert.equal(page.step, 'consent');
  assert.ok(asLanding(await browser.open(site.url(own, gatewarden.url))).params.get('code'));
});

test('where any program of the device could be the application, the page is shown every time (AS-131, RFC 8252 section 8.6)', async () => {
  const native = await application(LOOPBACK, 'none');
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url(native, gatewarden.url);
  for (const _time of ['first', 'second']) {
    const page = await site.consentOf(browser, target, 'native-app+sktest@example.com');
    assert.equal(page.step, 'consent');
    assert.ok((await allow(browser, page)).params.get('code'));
  }
  const confidential = await application(LOOPBACK, 'client_secret_basic');
  assert.ok(
    asLanding(await browser.open(site.url(confidential, gatewarden.url))).params.get('code'),
    'a secret proves who it is',
  );
});

test('a self-registered client at E never skips the page (AS-132)', async () => {
  const client = await site.clientWith({ redirect_uris: [HTTPS] });
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url(
    { client_id: client, redirect_uri: HTTPS, resource: site.server.serverUrl },
    gatewarden.url,
  );
  const page = await site.consentOf(browser, target, 'dcr-at-e+sktest@example.com');
  assert.equal(page.step, 'consent');
});

test('prompt=none leaves an event with its reason, without a page (AS-28, AS-140)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const answer = asLanding(await browser.open(site.url({ prompt: 'none' })));
  assert.equal(answer.params.get('error'), 'login_required');
  const events = await gatewarden.database.rows<{ reason: string; flow_id: string | null }>(
    sql`select reason, flow_id from events where client_id = ${site.loopback} and type = 'authorization.refused'`,
  );
  assert.deepEqual(
    events.map(({ reason }) => reason),
    ['login_required'],
  );
  assert.match(events[0]?.flow_id ?? '', /^flw_/);
});
