import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asPage } from '../src/testing/cookie-browser.ts';
import { type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { signIn } from '../src/testing/oauth-client.ts';
import { type CookieBrowser, cookieBrowser } from '../src/testing.ts';
import { authSteps } from './auth-service-steps.ts';
import { endpoint, interceptorSteps, json } from './interceptor-steps.ts';
import { managementApi, member, ok } from './management-api.ts';
import { collectCleanup } from './sign-in-site.ts';

const cleanup = collectCleanup();
let site: McpSite;
before(async () => {
  site = await startMcpSite(cleanup);
});
after(cleanup.run);

const { signUp } = authSteps(() => site.gatewarden);

test('an application is not asked about an organization that a login or a person may not make any more (amplification, FSA-86)', async (t) => {
  const { gatewarden } = site;
  const browser = cookieBrowser(gatewarden.url);
  const inLogin = async (): Promise<CookieBrowser> => {
    await browser.open(site.url({}));
    return browser;
  };
  const page = asPage(await browser.open(site.url({})));
  asPage(await signIn(browser, page, 'insistent+sktest@example.com'));
  const api = await managementApi(t, gatewarden);
  const gate = await endpoint(t, json({ decision: 'ALLOW' }));
  const answer = ok(
    await api(
      interceptorSteps.create({
        display_name: 'Asked',
        trigger_point: 'PRE_SIGNUP',
        api_url: gate.url,
        failure_policy: 'FAIL_CLOSED',
        timeout_ms: '1000',
      }),
    ),
  );
  const id = String(member(answer, 'interceptor')['id']);
  ok(await api(interceptorSteps.turn(id, true)));
  t.after(async () => void ok(await api(interceptorSteps.remove(id))));
  assert.equal((await signUp(browser, 'Insistent 1')).status, 200);
  assert.equal((await signUp(browser, 'Insistent again')).error, 'ORGANIZATION_MADE');
  assert.equal(gate.got.length, 1, 'the application was asked about one');
  for (let count = 2; count <= 10; count += 1) {
    const made = await signUp(await inLogin(), `Insistent ${count}`);
    assert.equal(made.status, 200, 'of one login each');
  }
  const eleventh = await signUp(await inLogin(), 'Insistent 11');
  assert.equal(eleventh.error, 'TOO_MANY_ORGANIZATIONS');
  assert.ok(Number(eleventh.headers.get('retry-after')) > 0);
  assert.equal(gate.got.length, 10, 'and not about the eleventh');
});
