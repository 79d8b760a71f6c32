import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { asLanding, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { startMcpSite } from '../src/testing/mcp-site.ts';
import { allow } from '../src/testing/oauth-client.ts';

let permitted: readonly string[] | Error = [];
const asked: { email: string | undefined; scopes: readonly string[] }[] = [];
const site = await startMcpSite(
  { after },
  {
    permittedScopes: async ({ email, scopes }) => {
      asked.push({ email, scopes });
      if (permitted instanceof Error) throw permitted;
      return permitted;
    },
  },
);
const { gatewarden, server } = site;

test('a policy narrows what a person may grant: the page shows the rest, and only that is granted (AS-48)', async () => {
  permitted = ['todo:read', 'todo:delete'];
  const browser = cookieBrowser(gatewarden.url);
  const email = 'narrowed+sktest@example.com';
  const target = site.url({ scope: 'todo:read todo:write' });
  const page = await site.consentOf(browser, target, email);
  assert.ok(page.html.includes('todo:read'));
  assert.ok(!page.html.includes('todo:write'), 'not permitted');
  assert.ok(!page.html.includes('todo:delete'), 'permitted, and not asked for');
  assert.deepEqual(asked.at(-1), { email, scopes: ['todo:read', 'todo:write'] });
  const answer = await site.redeem(await allow(browser, page, ['todo:write', 'todo:delete']));
  assert.equal(answer.body['scope'], 'todo:read');
});

test('a policy that changes while the page is open counts at once; one that fails grants nothing (AS-48)', async () => {
  permitted = ['todo:read', 'todo:write'];
  const browser = cookieBrowser(gatewarden.url);
  const target = site.url({ scope: 'todo:read todo:write' });
  const page = await site.consentOf(browser, target, 'changed+sktest@example.com');
  permitted = ['todo:read'];
  const decision = { decision: 'allow', confirm: 'yes' };
  const again = await browser.submit(page, decision);
  assert.ok('html' in again && again.status === 409 && !again.html.includes('todo:write'));
  permitted = new Error('the policy does not answer');
  const failed = await browser.submit(again, decision);
  assert.ok('html' in failed && failed.status === 500);
  assert.ok(!failed.html.includes('does not answer'));
  permitted = [];
  const empty = await browser.open(page.url);
  assert.ok('html' in empty);
  const answer = await site.redeem(await allow(browser, empty));
  assert.deepEqual([answer.status, answer.body['scope']], [200, '']);
});

test('a remembered consent gives no more than the policy permits now (AS-48, AS-131)', async () => {
  permitted = ['todo:read', 'todo:write'];
  const known = await site.knownClient(['https://known.example/cb']);
  const params = { client_id: known, redirect_uri: 'https://known.example/cb' };
  const target = site.url({ ...params, scope: 'todo:read todo:write' });
  const browser = cookieBrowser(gatewarden.url);
  await allow(browser, await site.consentOf(browser, target, 'remembered+sktest@example.com'));
  permitted = ['todo:read'];
  const answer = await site.redeem(asLanding(await browser.open(target)), params);
  assert.equal(answer.body['scope'], 'todo:read');
  assert.equal(server.scopes.length, 3, 'the server itself has not changed');
});
