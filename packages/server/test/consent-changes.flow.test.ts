import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { updateClient } from '../src/clients/manage-clients.ts';
import { disablePerson, revokeSession } from '../src/login/end-access.ts';
import { changeMcpServer, type McpServerInput } from '../src/mcp/manage-mcp-servers.ts';
import { sql } from '../src/storage/db.ts';
import {
  asLanding,
  asPage,
  type CookieBrowser,
  cookieBrowser,
  type Page,
} from '../src/testing/cookie-browser.ts';
import { eventually, LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow } from '../src/testing/oauth-client.ts';

const site = await startMcpSite({ after });
const { gatewarden } = site;
const SCOPES = ['todo:read', 'todo:write'] as const;

/** A server of the test's own with a client, and a person on its consent page. */
async function onConsent(
  email: string,
  input: McpServerInput = {},
): Promise<{
  browser: CookieBrowser;
  page: Page;
  client: string;
  serverId: string;
  at: string;
  target: string;
}> {
  const own = await gatewarden.mcpServer({
    name: 'Own',
    scopes: [...SCOPES, 'todo:delete'].map((name) => ({ name })),
    ...input,
  });
  const client = await site.knownClient([LOOPBACK, 'http://127.0.0.1/other'], own.id);
  const browser = cookieBrowser(gatewarden.url);
  const at = `${gatewarden.url}/resources/${own.id}`;
  const target = site.url({ client_id: client, scope: SCOPES.join(' ') }, at);
  const page = await site.consentOf(browser, target, email);
  assert.equal(page.step, 'consent');
  return { browser, page, client, serverId: own.id, at, target };
}

async function codesOf(email: string): Promise<number> {
  const rows = await gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from authorization_codes c join users u on u.id = c.user_id where u.email = ${email}`,
  );
  return rows[0]?.count ?? 0;
}

/** Presses Allow once a change has reached the server's caches, as the page without it would. */
async function pressAfter(
  flow: { browser: CookieBrowser; page: Page },
  email: string,
): Promise<Page> {
  await eventually(
    async () => asPage(await flow.browser.open(flow.page.url)),
    (seen) => seen.html.replace(/req_\w+/g, '') !== flow.page.html.replace(/req_\w+/g, ''),
  );
  const answer = await flow.browser.submit(flow.page, { decision: 'allow', confirm: 'yes' });
  assert.equal(await codesOf(email), 0, 'nothing was granted');
  return asPage(answer);
}

test('a redirect URI taken out of the client while its page is open gets no code and no error (AS-22, AS-49)', async () => {
  const email = 'uri-gone+sktest@example.com';
  const flow = await onConsent(email);
  await updateClient(gatewarden.context(), flow.client, {
    redirectUris: ['http://127.0.0.1/other'],
  });
  const page = await pressAfter(flow, email);
  assert.deepEqual([page.status, page.error], [400, 'invalid_request']);
  const denied = asPage(await flow.browser.submit(flow.page, { decision: 'deny' }));
  assert.deepEqual([denied.status, denied.headers.get('location')], [400, null]);
});

test('a client, server or person switched off while the page is open gets no code (AS-13, AS-132)', async () => {
  const off = {
    client: (flow: { client: string }) =>
      updateClient(gatewarden.context(), flow.client, { enabled: false }),
    server: (flow: { serverId: string }) =>
      changeMcpServer(gatewarden.context(), flow.serverId, { enabled: false }),
    person: async () => {
      const rows = await gatewarden.database.rows<{ id: string }>(
        sql`select id from users where email = ${'person-off+sktest@example.com'}`,
      );
      await disablePerson(gatewarden.context(), rows[0]?.id ?? '');
    },
  };
  for (const [what, switchOff] of Object.entries(off)) {
    const email = `${what}-off+sktest@example.com`;
    const flow = await onConsent(email);
    await switchOff(flow);
    const page = await pressAfter(flow, email);
    assert.ok(page.error, `${what}: ${page.status} ${page.step}`);
  }
});

test('a scope that the server lost while the page was open is not granted: the page comes again without it (AS-42, AS-132)', async () => {
  const email = 'scope-gone+sktest@example.com';
  const flow = await onConsent(email);
  await changeMcpServer(gatewarden.context(), flow.serverId, { scopes: [{ name: 'todo:read' }] });
  const again = await pressAfter(flow, email);
  assert.deepEqual([again.status, again.step], [409, 'consent']);
  assert.ok(again.html.includes('todo:read') && !again.html.includes('todo:write'));
  const landing = await allow(flow.browser, again);
  const answer = await site.redeem(landing, { client_id: flow.client }, flow.at);
  assert.equal(answer.body['scope'], 'todo:read');
});

test('a client, a server or a permission that was renamed while the page was open is shown anew before anything is granted (AS-126, AS-132)', async () => {
  const changes: Record<string, (flow: { client: string; serverId: string }) => Promise<unknown>> =
    {
      'Trusted Bank': ({ client }) =>
        updateClient(gatewarden.context(), client, { name: 'Trusted Bank' }),
      Payroll: ({ serverId }) =>
        changeMcpServer(gatewarden.context(), serverId, { name: 'Payroll' }),
      'payroll.example.com': ({ serverId }) =>
        changeMcpServer(gatewarden.context(), serverId, {
          serverUrl: 'https://payroll.example.com/mcp',
        }),
      'Everything you own': ({ serverId }) =>
        changeMcpServer(gatewarden.context(), serverId, {
          scopes: [{ name: 'todo:read', title: 'Everything you own' }, { name: 'todo:write' }],
        }),
    };
  for (const [shown, change] of Object.entries(changes)) {
    const email = `renamed-${Object.keys(changes).indexOf(shown)}+sktest@example.com`;
    const flow = await onConsent(email);
    await change(flow);
    const again = await pressAfter(flow, email);
    assert.deepEqual([again.status, again.step], [409, 'consent'], shown);
    assert.ok(again.html.includes(shown));
    assert.match(again.html, /role="alert"/);
    assert.ok((await allow(flow.browser, again)).params.get('code'));
  }
});

test('a permission that got its box while the page was open is not granted unseen (AS-44)', async () => {
  const email = 'boxed+sktest@example.com';
  const flow = await onConsent(email);
  await changeMcpServer(gatewarden.context(), flow.serverId, {
    scopes: [{ name: 'todo:read' }, { name: 'todo:write', class: 'delete_or_spend' }],
  });
  const again = await pressAfter(flow, email);
  assert.equal(again.status, 409);
  assert.match(again.html, /<input type="checkbox" name="scope" value="todo:write">/);
});

test('a box left open stays a no, whatever another tab allowed in the meantime (AS-44, AS-46)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url({ scope: 'todo:read todo:delete' });
  const email = 'two-tabs+sktest@example.com';
  const careful = await site.consentOf(browser, target, email);
  const generous = asPage(await browser.open(target));
  const all = await site.redeem(await allow(browser, generous, ['todo:delete']));
  assert.equal(all.body['scope'], 'todo:read todo:delete');
  const less = await site.redeem(await allow(browser, careful));
  assert.equal(less.body['scope'], 'todo:read');
});

test('the switch for unregistered resources turned off while the page is open: no code (AS-38)', async () => {
  const email = 'unregistered+sktest@example.com';
  const own = await gatewarden.mcpServer({
    name: 'Open',
    settings: { allowUnregisteredResource: true },
  });
  const client = await site.clientWith({ redirect_uris: [LOOPBACK] }, own.id);
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url(
    { client_id: client, resource: 'https://somewhere.example/mcp' },
    `${gatewarden.url}/resources/${own.id}`,
  );
  const page = await site.consentOf(browser, target, email);
  await changeMcpServer(gatewarden.context(), own.id, {
    settings: { allowUnregisteredResource: false },
  });
  const answer = await pressAfter({ browser, page }, email);
  assert.ok(answer.error, `${answer.status} ${answer.step}`);
});

test('a code of a session that an administrator ended gives no tokens (AS-97, AS-114)', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const email = 'ended+sktest@example.com';
  const landing = await allow(browser, await site.consentOf(browser, site.url(), email));
  const rows = await gatewarden.database.rows<{ id: string }>(
    sql`select s.id from sessions s join users u on u.id = s.user_id where u.email = ${email}`,
  );
  assert.equal(await revokeSession(gatewarden.context(), rows[0]?.id ?? ''), true);
  const answer = await site.redeem(landing);
  assert.deepEqual([answer.status, answer.body['error']], [400, 'invalid_grant']);
});

test('loading ahead and HEAD issue no code, even where consent stands (AS-128, AS-131, prefetch)', async () => {
  const known = await site.knownClient(['https://known.example/cb']);
  const params = { client_id: known, redirect_uri: 'https://known.example/cb' };
  const browser = cookieBrowser(gatewarden.url);
  const email = 'prefetch+sktest@example.com';
  await allow(browser, await site.consentOf(browser, site.url(params), email));
  const before = await codesOf(email);
  const start = await browser.fetch(site.url(params));
  const next = new URL(start.headers.get('location') ?? '', gatewarden.url).href;
  const ahead: RequestInit[] = [
    { method: 'HEAD' },
    { headers: { 'sec-purpose': 'prefetch' } },
    { headers: { 'sec-purpose': 'prefetch;prerender' } },
    { headers: { purpose: 'prefetch' } },
  ];
  for (const init of ahead) {
    const response = await browser.fetch(next, init);
    assert.equal(response.headers.get('location'), null, JSON.stringify(init));
    assert.equal(response.status, 503);
  }
  assert.equal(await codesOf(email), before);
  assert.ok(asLanding(await browser.open(next)).params.get('code'));
});
