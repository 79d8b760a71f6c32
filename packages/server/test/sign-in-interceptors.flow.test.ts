import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import { decodeJwt } from 'jose';
import { asPage } from '../src/testing/cookie-browser.ts';
import { signIn } from '../src/testing/oauth-client.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { endpoint, json, type Reply, interceptorSteps as steps } from './interceptor-steps.ts';
import { type Api, managementApi, member, ok, type Step } from './management-api.ts';

let gatewarden: TestGatewarden;
let api: Api;
let site: { issuer: string; clientId: string };
const redirectUri = 'http://127.0.0.1:7777/cb';

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  api = await managementApi(t as never, gatewarden);
  const { id } = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const { body } = await register(gatewarden.url, id, {
    client_name: 'Test',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  });
  site = { issuer: `${gatewarden.url}/resources/${id}`, clientId: String(body['client_id']) };
});

/** An interceptor that is switched on, and off with the test. */
async function interceptor(t: TestContext, trigger: string, reply: Reply) {
  const app = await endpoint(t, reply);
  const answer = ok(
    await api(
      steps.create({
        display_name: 'Gate',
        trigger_point: trigger,
        api_url: app.url,
        failure_policy: 'FAIL_CLOSED',
        timeout_ms: '1000',
      }),
    ),
  );
  const id = String(member(answer, 'interceptor')['id']);
  ok(await api(steps.turn(id, true)));
  t.after(async () => void (await api(steps.remove(id))));
  return { ...app, id };
}

const sent = ({ got }: { got: readonly { body: string }[] }, at = -1) =>
  JSON.parse(got.at(at)?.body ?? '{}');

const authorization = (challenge: string): string =>
  authorizeUrl(site.issuer, {
    client_id: site.clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    scope: 'openid offline_access todo:read',
  });

async function signedIn(email: string): Promise<Record<string, unknown>> {
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.url),
    authorization(challenge),
    email,
  );
  const answer = await token(site.issuer, {
    grant_type: 'authorization_code',
    client_id: site.clientId,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

/** The page after the code was typed. */
async function refused(email: string) {
  const browser = cookieBrowser(gatewarden.url);
  const first = asPage(await browser.open(authorization(pkce().challenge)));
  return { browser, page: asPage(await signIn(browser, first, email)) };
}

const people = async (email: string) =>
  await gatewarden.database.rows<{ id: string }>(sql`select id from users where email = ${email}`);

test('a refused sign-up makes nobody, shows the words of the application escaped, and uses the code up (FSA-86, FSA-87)', async (t) => {
  const words = 'Only <b>customers</b>\u0007 may join';
  const gate = await interceptor(
    t,
    'PRE_SIGNUP',
    json({ decision: 'DENY', error: { message: words } }),
  );
  const email = 'new+sktest@example.com';
  const { browser, page } = await refused(email);
  assert.deepEqual([page.status, page.error], [400, 'access_denied']);
  assert.ok(page.html.includes('Only &lt;b&gt;customers&lt;/b&gt; may join'), page.html);
  assert.deepEqual(await people(email), []);
  assert.equal(
    [...browser.cookies.keys()].some((name) => name.includes('session')),
    false,
    'no session cookie',
  );
  const { trigger_point, interceptor_context: context, data } = sent(gate);
  assert.deepEqual(
    [trigger_point, context.user_email, context.user_id, data],
    ['PRE_SIGNUP', email, undefined, {}],
  );
  assert.ok(context.user_agent !== undefined && context.device_type && context.client_id);
  const [failure] = await gatewarden.database.rows<{ reason: string }>(
    sql`select reason from events where type = 'sign_in.failed' order by id desc limit 1`,
  );
  assert.equal(failure?.reason, 'interceptor-denied');
  const [code] = await gatewarden.database.rows<{ used: boolean }>(
    sql`select used_at is not null as used from sign_in_codes order by created_at desc limit 1`,
  );
  assert.equal(code?.used, true);
});

const organization = (display_name: string): Step => ({
  method: OrganizationService.method.createOrganization,
  input: { organization: { display_name, external_id: display_name.toLowerCase() } },
  rest: ['POST', '/organizations', { display_name, external_id: display_name.toLowerCase() }],
});
const roles = (organizationId: string, userId: string): Step => ({
  method: UserService.method.listUserRoles,
  input: { organization_id: organizationId, user_id: userId },
  rest: ['GET', `/organizations/${organizationId}/users/${userId}/roles`],
});

test('a sign-up goes to the organization that the application names, with its roles; a role or organization that there is not lets nobody in by another door (FSA-87)', async (t) => {
  const acme = member(ok(await api(organization('Acme'))), 'organization');
  const wish = { external_organization_id: 'acme', roles: ['admin'] };
  const allow = (membership: JsonObject): Reply =>
    json({ decision: 'ALLOW', response: { create_organization_membership: membership } });
  const gate = await interceptor(t, 'PRE_SIGNUP', allow(wish));
  await signedIn('first+sktest@example.com');
  const [person] = await people('first+sktest@example.com');
  const given = ok(await api(roles(String(acme['id']), String(person?.id))));
  assert.deepEqual(
    (given['roles'] as JsonObject[]).map(({ name }) => name),
    ['admin'],
  );
  const [signup] = await gatewarden.database.rows<{ organization_id: string }>(
    sql`select organization_id from events where type = 'user.signup' and user_id = ${person?.id}`,
  );
  assert.equal(signup?.organization_id, acme['id']);

  gate.state.reply = allow({ ...wish, roles: ['nobody_has_this'] });
  const second = await refused('second+sktest@example.com');
  assert.equal(second.page.error, 'access_denied');
  assert.deepEqual(await people('second+sktest@example.com'), [], 'nothing of it stays');

  gate.state.reply = allow({ organization_id: 'org_123456789012345678' });
  await signedIn('third+sktest@example.com');
  const [third] = await people('third+sktest@example.com');
  const belongs = await gatewarden.database.rows(
    sql`select 1 from memberships where user_id = ${third?.id}`,
  );
  assert.equal(belongs.length, 0);
  const asked = gate.got.length;
  await signedIn('first+sktest@example.com');
  assert.equal(gate.got.length, asked, 'who is known does not sign up');
});

test('claims for the session stand in access tokens, also after a refresh, under custom_claims and nowhere else; a new sign-in forgets them (FSA-86, AS-151)', async (t) => {
  const email = 'claims+sktest@example.com';
  const gate = await interceptor(
    t,
    'PRE_SESSION_CREATION',
    json({
      decision: 'ALLOW',
      response: { claims: { plan: 'gold', sub: 'root', permissions: ['all'], deep: { a: [1] } } },
    }),
  );
  const body = await signedIn(email);
  const [person] = await people(email);
  const claims = decodeJwt(String(body['access_token']));
  assert.deepEqual(
    [claims['custom_claims'], claims.sub, claims['permissions']],
    [{ plan: 'gold', deep: { a: [1] } }, person?.id, undefined],
  );
  const refreshed = await token(site.issuer, {
    grant_type: 'refresh_token',
    client_id: site.clientId,
    refresh_token: String(body['refresh_token']),
  });
  assert.deepEqual(decodeJwt(String(refreshed.body['access_token']))['custom_claims'], {
    plan: 'gold',
    deep: { a: [1] },
  });
  gate.state.reply = json({ decision: 'ALLOW' });
  const again = decodeJwt(String((await signedIn(email))['access_token']));
  assert.equal(again['custom_claims'], undefined);
  assert.deepEqual(sent(gate).data.user.id, person?.id);
  gate.state.reply = json({ decision: 'DENY' });
  const denied = await refused(email);
  assert.deepEqual([denied.page.status, denied.page.error], [400, 'access_denied']);
});

test('somebody known is asked about after the proof, and an application that does not answer stops the sign-in (FSA-86, FSA-88)', async (t) => {
  const email = 'known+sktest@example.com';
  await signedIn(email);
  const gate = await interceptor(t, 'POST_USER_AUTHENTICATION', () => undefined);
  const { page } = await refused(email);
  assert.equal(page.error, 'access_denied');
  const { data } = sent(gate);
  assert.deepEqual([data.user.email, data.user.memberships], [email, []]);
  gate.state.reply = json({ decision: 'ALLOW' });
  await signedIn(email);
});

test('an invitation that the application refuses is not made; a member without an invitation is not asked about (FSA-86)', async (t) => {
  const { id } = member(ok(await api(organization('Umbrella'))), 'organization');
  const create = (email: string, invited: boolean): Step => ({
    method: UserService.method.createUserAndMembership,
    input: { organization_id: String(id), user: { email }, send_invitation_email: invited },
    rest: ['POST', `/organizations/${id}/users?send_invitation_email=${invited}`, { email }],
  });
  const gate = await interceptor(
    t,
    'PRE_USER_INVITATION',
    json({ decision: 'DENY', error: { message: 'not this one' } }),
  );
  const answer = await api(create('guest@example.com', true));
  assert.deepEqual(
    [answer.code, answer.errorCode, answer.message],
    [9, 'INVITATION_DENIED', 'not this one'],
  );
  assert.deepEqual(await people('guest@example.com'), []);
  assert.deepEqual(sent(gate).data, { organization: { id, name: 'Umbrella' } });
  ok(await api(create('member@example.com', false)));
  assert.equal(gate.got.length, 1);
  gate.state.reply = json({ decision: 'ALLOW' });
  ok(await api(create('guest@example.com', true)));
});
