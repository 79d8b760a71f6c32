import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { readMailbox } from '../src/email/mails.ts';
import { asLanding, asPage } from '../src/testing/cookie-browser.ts';
import { allow } from '../src/testing/oauth-client.ts';
import { type CookieBrowser, sql, startTestGatewarden, token } from '../src/testing.ts';
import { ok } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';
import {
  begun,
  call,
  callback,
  exchange,
  ownSite,
  person,
  report,
  type Site,
} from './own-sign-in-site.ts';
import { memberSteps } from './user-steps.ts';

const ADMIN = 'admin@example.com';
const asked: { email: string | undefined; connectionId: string | undefined }[] = [];
let site: Site;
before(async (t) => {
  const gatewarden = await startTestGatewarden(t as never, {
    permittedScopes: async ({ email, connectionId, scopes }) => {
      asked.push({ email, connectionId });
      return email === ADMIN ? scopes : [];
    },
  });
  site = await ownSite(t as never, gatewarden);
});

/** Somebody who signed in with the application's page as this subject, on the consent page. */
async function signedIn(sub: string, email: string, own = site, browser?: CookieBrowser) {
  const flow = await begun(own, browser);
  const said = person({ sub, email, email_verified: true });
  ok(await own.api(report(own.connectionId, flow.loginId, said)));
  const consent = asPage(await flow.browser.open(callback(own, flow.state)));
  const [row] = await own.gatewarden.database.rows<{ user_id: string }>(
    sql`select user_id from partner_people where subject = ${sub}`,
  );
  return { ...flow, consent, userId: row?.user_id ?? '' };
}

test('a policy about scopes is not told the address that an application claims: nobody gets an administrator’s scopes by it (SSO-69, AS-48: privilege escalation)', async () => {
  const { browser, consent, verifier } = await signedIn('claims-admin', ADMIN);
  assert.ok(asked.length > 0);
  assert.ok(
    asked.every(
      ({ email, connectionId }) => email === undefined && connectionId === site.connectionId,
    ),
    JSON.stringify(asked),
  );
  const landing = await allow(browser, consent);
  const body = await exchange(site, landing.params.get('code') ?? '', verifier);
  assert.ok(!String(body['scope']).includes('todo:read'), String(body['scope']));
});

test('people of an application’s own page become members of no organization, by no way, and no mail goes to the address they have there (SSO-69)', async () => {
  const { userId } = await signedIn('wants-in', 'victim@example.com');
  const organization = String((await newOrganization(site.api))['id']);
  for (const send of [true, false]) {
    const answer = await site.api(memberSteps(organization).join(userId, {}, send));
    assert.deepEqual([answer.code, answer.errorCode], [9, 'SIGNS_IN_ELSEWHERE']);
  }
  const mails = await readMailbox(site.gatewarden.context(), {
    recipient: 'victim@example.com',
    limit: 5,
  });
  assert.equal(mails.length, 0);
  const members = await site.gatewarden.database.rows(
    sql`select 1 from memberships where user_id = ${userId}`,
  );
  assert.equal(members.length, 0);
});

test('the pages of a sign-in here lead such a sign-in to the application’s page, and send no mail (SSO-66)', async () => {
  const { browser, url } = await begun(site);
  const response = await browser.fetch(url);
  const id = (response.headers.get('location') ?? '').split('/').at(-1);
  for (const step of ['email', 'sign-up', 'code', 'account'])
    assert.match(
      asLanding(await browser.open(`/login/${id}/${step}`)).location,
      /^https:\/\/app\.example\/login\?tenant=1&login_request_id=lri_/,
      step,
    );
  const codes = await site.gatewarden.database.rows(sql`select 1 from sign_in_codes`);
  assert.equal(codes.length, 0);
});

test('"switch account" on the consent page asks the application again, and whoever comes back then is asked (SSO-66)', async () => {
  const { browser, consent } = await signedIn('first-person', 'first@customer.example');
  const path = /href="(\/login\/[^"]+\/account)"/.exec(consent.html)?.[1];
  assert.ok(path, consent.html);
  const away = asLanding(await browser.open(path));
  const [loginId, state] = [away.params.get('login_request_id'), away.params.get('state')];
  const second = person({ sub: 'second-person', email: 'second@customer.example' });
  ok(await site.api(report(site.connectionId, loginId ?? '', second)));
  const page = asPage(await browser.open(callback(site, state ?? '')));
  assert.equal(page.step, 'consent');
  assert.ok(page.html.includes('second@customer.example'), page.html);
});

test('signing out of a browser ends the sessions of an application’s own page too, also when there is no other: the next person at the machine is nobody (SSO-69, FSA-51)', async () => {
  const { browser, consent, url } = await signedIn('shared-computer', 'shared@customer.example');
  await allow(browser, consent);
  const again = await browser.open(url);
  assert.ok(!('params' in again) || !again.params.has('login_request_id'), 'is signed in');
  const page = asPage(await browser.open('/logout'));
  assert.ok(page.form, page.html);
  assert.ok(page.html.includes('shared@customer.example'));
  asPage(await browser.submit(page, { action: 'sign-out' }));
  const after = asLanding(await browser.open(url));
  assert.ok(after.params.has('login_request_id'), after.location);
});

test('with its connection everything ends that people of an application’s own page hold (SSO-66, AS-114)', async (t) => {
  const own = await ownSite(t, site.gatewarden);
  const flow = await signedIn('leaves', 'leaves@customer.example', own);
  const landing = await allow(flow.browser, flow.consent);
  const body = await exchange(own, landing.params.get('code') ?? '', flow.verifier);
  const refresh = async (refreshToken: unknown) =>
    await token(own.issuer, {
      grant_type: 'refresh_token',
      client_id: own.clientId,
      refresh_token: String(refreshToken),
    });
  const live = await refresh(body['refresh_token']);
  assert.equal(live.status, 200);
  ok(
    await own.api(
      call(ClientService.method.deleteResourceProvider, { resource_id: own.resourceId }, [
        'PUT',
        `/resources/${own.resourceId}/provider:delete`,
      ]),
    ),
  );
  const dead = await refresh(live.body['refresh_token']);
  assert.deepEqual([dead.status, dead.body['error']], [400, 'invalid_grant']);
  const revoked = await own.gatewarden.database.rows(
    sql`select 1 from revocations where mcp_server_id = ${own.resourceId} and kind = 'before'`,
  );
  assert.equal(revoked.length, 1, 'access tokens end at the server too');
  const [user] = await own.gatewarden.database.rows<{ enabled: boolean }>(
    sql`select enabled from users where id = ${flow.userId}`,
  );
  assert.equal(user?.enabled, false);
  assert.equal(asPage(await flow.browser.open(flow.url)).step, 'identify');
});
