import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { AuthService } from '@gatewarden/contract/scalekit/v1/auth/auth_pb';
import { asPage } from '../src/testing/cookie-browser.ts';
import { type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { signIn } from '../src/testing/oauth-client.ts';
import { type CookieBrowser, cookieBrowser, sql, type TestGatewarden } from '../src/testing.ts';
import { authSteps, type PageAnswer, type Sent } from './auth-service-steps.ts';
import { environmentSteps } from './environment-steps.ts';
import { endpoint, interceptorSteps, json } from './interceptor-steps.ts';
import { managementApi, member, members, ok } from './management-api.ts';
import { begun, ownSite } from './own-sign-in-site.ts';
import { collectCleanup } from './sign-in-site.ts';
import { newestCode } from './test-browser.ts';

const CODE = '424242';
const cleanup = collectCleanup();
let site: McpSite;
let gatewarden: TestGatewarden;
before(async () => {
  site = await startMcpSite(cleanup);
  gatewarden = site.gatewarden;
});
after(cleanup.run);

const { own, call, state, verify, resend, organizations, signUp, discover, logout } = authSteps(
  () => gatewarden,
);

/** A browser in a login, at its first page. */
async function started(params: Record<string, string> = {}, browser?: CookieBrowser) {
  const used = browser ?? cookieBrowser(gatewarden.url);
  const page = asPage(await used.open(site.url(params)));
  return { browser: used, page };
}

/** The same after an address was typed on the hosted page. */
async function asked(email: string): Promise<CookieBrowser> {
  const { browser, page } = await started();
  asPage(await browser.submit(page, { email }));
  return browser;
}

async function signedIn(email: string): Promise<CookieBrowser> {
  const { browser, page } = await started();
  asPage(await signIn(browser, page, email));
  return browser;
}

const liveSessions = async (email: string): Promise<{ organization_id: string | null }[]> =>
  await gatewarden.database.rows(sql`
    select s.organization_id from sessions s join users u on u.environment_id = s.environment_id and u.id = s.user_id
     where u.email = ${email} and s.ended_at is null`);

const organizationsNamed = async (name: string): Promise<{ id: string }[]> =>
  await gatewarden.database.rows(sql`select id from organizations where display_name = ${name}`);

async function setUsers(t: TestContext, settings: JsonObject, then: JsonObject): Promise<void> {
  const api = await managementApi(t, gatewarden);
  const { id } = gatewarden.environment;
  ok(await api(environmentSteps.updateUsers(id, settings)));
  t.after(async () => void ok(await api(environmentSteps.updateUsers(id, then))));
}

test('what a login page may know of the environment is open and holds no secret', async () => {
  const browser = cookieBrowser(gatewarden.url);
  const features = await call(browser, 'GET', '/api/v1/auth:features');
  assert.deepEqual(features.body, {
    features: {
      sign_up: true,
      organization_sign_up: true,
      multiple_memberships: true,
      passwordless: true,
      passkeys: false,
    },
  });
  const { body } = await call(browser, 'GET', '/api/v1/auth:customizations');
  assert.deepEqual(body, {
    customization_settings: { display_name: 'Development' },
    settings: {},
  });
});

test('outside of a login, in another browser and with a stolen session there is nothing (AS-30)', async () => {
  const victim = await signedIn('victim+sktest@example.com');
  const nobody = cookieBrowser(gatewarden.url);
  const { browser: thief } = await started();
  for (const [name, value] of victim.cookies)
    if (!name.endsWith('browser')) thief.cookies.set(name, value);
  for (const browser of [nobody, thief]) {
    assert.equal((await organizations(browser)).status, 404);
    assert.equal((await signUp(browser, 'Stolen')).status, 404);
    assert.notEqual((await verify(browser, CODE)).status, 200);
    assert.notEqual((await resend(browser)).status, 200);
  }
  for (const path of ['/auth/state', '/authmethods', '/auth:organizations'])
    assert.equal((await call(nobody, 'GET', `/api/v1${path}`)).error, 'LOGIN_NOT_FOUND', path);
  assert.equal(await state(thief), 'AUTHENTICATION_IN_PROGRESS');
  assert.equal((await logout(thief)).status, 200);
  assert.equal((await liveSessions('victim+sktest@example.com')).length, 1, 'not signed out');
  assert.deepEqual(await organizationsNamed('Stolen'), []);
});

test('a login page signs somebody in by code: once, in the browser that asked, which then goes on to consent (AS-30, AS-147)', async () => {
  const email = 'ana+sktest@example.com';
  const { browser, page } = await started({ login_hint: email });
  const before = await call(browser, 'GET', '/api/v1/auth/state');
  assert.deepEqual(before.body, { auth_state: 'AUTHENTICATION_IN_PROGRESS', login_hint: email });
  const { body } = await call(browser, 'GET', '/api/v1/authmethods');
  const [method, ...others] = members(body, 'auth_methods');
  assert.deepEqual(others, []);
  assert.deepEqual(
    [method?.['connection_type'], method?.['passwordless_type'], method?.['code_challenge_length']],
    ['PASSWORDLESS', 'LINK_OTP', 6],
  );
  assert.equal(method?.['auth_initiation_uri'], page.url, 'where the address is typed');
  assert.equal((await call(browser, 'GET', '/api/v1/authmethods?intent=x')).status, 400);
  assert.equal((await verify(browser, CODE)).error, 'NO_CODE_PENDING');

  asPage(await browser.submit(page, { email }));
  const pending = await call(browser, 'GET', '/api/v1/auth/state');
  assert.equal(pending.body['auth_state'], 'LINK_SENT_OTP_VERIFICATION_PENDING');
  assert.deepEqual(pending.body['user'], { email });
  for (const bad of ['12345', 'abcdef', '000000']) {
    const refused = await verify(browser, bad);
    assert.deepEqual([refused.status, refused.headers.getSetCookie()], [400, []], bad);
  }
  const other = await asked('other+sktest@example.com');
  const cookies = new Map(browser.cookies);
  const tries = await Promise.all([verify(browser, CODE), verify(browser, CODE)]);
  assert.deepEqual(tries.map(({ status }) => status).sort(), [200, 400], 'one of two at once');
  const cookie = tries.flatMap(({ headers }) => headers.getSetCookie());
  assert.equal(cookie.length, 1);
  assert.match(cookie[0] ?? '', /session=[^;]+; Path=\/; HttpOnly; SameSite=Lax/);
  assert.notDeepEqual(browser.cookies, cookies);
  assert.equal((await verify(browser, CODE)).error, 'NO_CODE_PENDING', 'replay');
  assert.equal(await state(other), 'LINK_SENT_OTP_VERIFICATION_PENDING', "another browser's login");
  const done = await call(browser, 'GET', '/api/v1/auth/state');
  assert.equal(done.body['auth_state'], 'AUTHENTICATION_COMPLETED');
  assert.deepEqual(done.body['user'], { email });
  const hub = page.url.replace(/\/email$/, '');
  assert.equal(asPage(await browser.open(hub)).step, 'consent');
});

test('the same over Connect sets the cookie; gRPC-Web, whose answers cannot, signs nobody in or out, however it is spelled (AS-30)', async () => {
  const email = 'connect+sktest@example.com';
  const browser = await asked(email);
  const path = `/${AuthService.typeName}/VerifyPasswordLessOtp`;
  const byWeb = async (method: string, type: string, message: readonly number[]) => {
    const answer = await browser.fetch(`${gatewarden.url}/${AuthService.typeName}/${method}`, {
      method: 'POST',
      headers: { ...own(), 'content-type': type },
      body: Buffer.from([0, 0, 0, 0, message.length, ...message]),
    });
    return await answer.text();
  };
  const spellings = ['application/grpc-web+proto', 'Application/gRPC-Web+proto'];
  for (const type of spellings) {
    const typed = await byWeb('VerifyPasswordLessOtp', type, [18, 8, 10, 6, ...Buffer.from(CODE)]);
    assert.match(typed, /grpc-status: 5/i, type);
    assert.deepEqual(await liveSessions(email), []);
  }
  const answer = await call(browser, 'POST', path, { otpReq: { codeChallenge: CODE } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.equal(answer.headers.getSetCookie().length, 1);
  assert.equal(await state(browser), 'AUTHENTICATION_COMPLETED');
  for (const type of spellings) {
    const left = await byWeb('Logout', type, []);
    assert.match(left, /grpc-status: 5/i, 'a page must not believe that somebody was signed out');
    assert.equal((await liveSessions(email)).length, 1);
  }
});

test('calls that change something are refused from other origins, from forms and without a word of the browser (CSRF, AS-129)', async () => {
  const email = 'csrf+sktest@example.com';
  const browser = await asked(email);
  const { origin } = new URL(gatewarden.url);
  const page = { 'gatewarden-caller': 'login' };
  const foreign: Sent[] = [
    {},
    { origin, 'sec-fetch-site': 'same-origin' },
    page,
    { ...page, origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    { ...page, origin: 'null' },
    { ...page, origin: 'https://evil.example' },
    { ...page, origin, 'sec-fetch-site': 'same-site' },
    { ...page, 'sec-fetch-site': 'none' },
    { ...own(), 'gatewarden-caller': 'session' },
  ];
  for (const sent of foreign) {
    const what = JSON.stringify(sent);
    assert.equal((await verify(browser, CODE, sent)).status, 403, what);
    assert.equal((await resend(browser, sent)).status, 403, what);
    assert.equal((await discover(browser, 'a@acme.example', sent)).status, 403, what);
  }
  const [code] = await gatewarden.database.rows<{ attempts: number; count: number }>(sql`
    select max(attempts)::int as attempts, count(*)::int as count from sign_in_codes where email = ${email}`);
  assert.deepEqual(code, { attempts: 0, count: 1 }, 'no try was counted, no mail was made');
  assert.equal((await verify(browser, CODE)).status, 200);
  for (const sent of foreign) {
    const what = JSON.stringify(sent);
    assert.equal((await signUp(browser, 'Forged', {}, sent)).status, 403, what);
    assert.equal((await logout(browser, sent)).status, 403, what);
  }
  assert.equal((await liveSessions(email)).length, 1);
  assert.deepEqual(await organizationsNamed('Forged'), []);
});

test('pages and calls share the tries of a code: after five the right one is refused at both (brute force, AS-147)', async () => {
  const { browser, page } = await started();
  const email = 'tries+sktest@example.com';
  const codePage = asPage(await browser.submit(page, { email }));
  await browser.submit(codePage, { code: '000000', action: 'verify' });
  await browser.submit(codePage, { code: '000001', action: 'verify' });
  for (const code of ['000002', '000003', '000004'])
    assert.equal((await verify(browser, code)).status, 400);
  const refused = await verify(browser, CODE);
  assert.deepEqual([refused.status, refused.error], [429, 'TOO_MANY_TRIES']);
  const shown = asPage(await browser.submit(codePage, { code: CODE, action: 'verify' }));
  assert.equal(shown.step, 'email-code');
  assert.deepEqual(await liveSessions(email), []);
});

test('a new code ends the older one, and mails are limited alike for addresses known and unknown (AS-147, FSA-22)', async (t) => {
  const known = 'known@example.com';
  const maker = await asked(known);
  assert.equal((await verify(maker, await newestCode(gatewarden.origin, known))).status, 200);
  gatewarden.clock.advance({ minutes: 2 });
  await setUsers(t, { allow_organization_signup: false }, { allow_organization_signup: true });
  const seen: unknown[] = [];
  for (const email of [known, 'unknown@example.com']) {
    const browser = await asked(email);
    const older = email === known ? await newestCode(gatewarden.origin, email) : '';
    const first = await resend(browser);
    const second = await resend(browser);
    const wait = Number(second.headers.get('retry-after'));
    assert.ok(wait > 0 && wait <= 60, `${wait}`);
    seen.push([first.status, first.body, second.status, second.error, await state(browser)]);
    if (older === '') continue;
    const refused = await verify(browser, older);
    assert.match(String(refused.body['message']), /from an earlier mail/);
    assert.equal((await verify(browser, await newestCode(gatewarden.origin, email))).status, 200);
    assert.equal((await resend(browser)).error, 'NO_CODE_PENDING');
  }
  assert.deepEqual(seen[0], [200, {}, 429, 'TOO_MANY_MAILS', 'LINK_SENT_OTP_VERIFICATION_PENDING']);
  assert.deepEqual(seen[1], seen[0]);
});

test('signing out ends the sessions of this browser alone and forgets their cookie; again it does nothing (FSA-51)', async () => {
  const email = 'leaver+sktest@example.com';
  const browser = await signedIn(email);
  await signedIn(email);
  assert.equal((await liveSessions(email)).length, 2);
  const answer = await logout(browser);
  assert.deepEqual([answer.status, answer.body], [200, {}]);
  assert.match(answer.headers.getSetCookie()[0] ?? '', /session=; .*Max-Age=0/);
  assert.equal((await liveSessions(email)).length, 1);
  assert.equal((await organizations(browser)).error, 'NOT_SIGNED_IN');
  assert.equal((await logout(browser)).status, 200);
});

test('somebody new makes an organization in a login: one, as its administrator, and the session is open in it (FSA-21)', async () => {
  const email = 'founder+sktest@example.com';
  const browser = await asked(email);
  assert.equal((await organizations(browser)).error, 'NOT_SIGNED_IN');
  assert.equal((await signUp(browser, 'Too early')).error, 'NOT_SIGNED_IN');
  assert.equal((await verify(browser, CODE)).status, 200);
  const none = await organizations(browser);
  assert.deepEqual(none.body, { user: { email }, intent: 'sign_in' });
  assert.equal((await signUp(browser, ' \u202e ')).status, 400);
  assert.equal((await signUp(browser, 'x'.repeat(201))).status, 400);

  const at = await Promise.all(
    [1, 2, 3].map(() => signUp(browser, 'Fo\u202eunders', { first_name: 'Fay' })),
  );
  assert.deepEqual(at.map(({ status }) => status).sort(), [200, 400, 400], 'one of three at once');
  const made = at.find(({ status }) => status === 200);
  const [organization, ...more] = await organizationsNamed('Founders');
  assert.deepEqual([made?.body['organization_id'], more], [organization?.id, []]);
  assert.equal((await signUp(browser, 'Another')).error, 'ORGANIZATION_MADE');
  const { body } = await organizations(browser);
  assert.deepEqual(members(body, 'organizations'), [
    { id: organization?.id, name: 'Founders', membership_status: 'ACTIVE' },
  ]);
  assert.deepEqual(body['user'], { email, first_name: 'Fay' });
  assert.deepEqual(await liveSessions(email), [{ organization_id: organization?.id }]);
  const events = await gatewarden.database.rows<{ type: string; actor: string }>(sql`
    select type, actor_id as actor from events where organization_id = ${organization?.id} order by id`);
  const [actor] = await gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email = ${email}`,
  );
  assert.ok(events.some((one) => one.type === 'organization.created' && one.actor === actor?.id));
  const roles = await gatewarden.database.rows<{ name: string }>(sql`
    select r.name from membership_roles m join roles r on r.environment_id = m.environment_id and r.id = m.role_id
     where m.organization_id = ${organization?.id}`);
  assert.deepEqual(roles, [{ name: 'admin' }]);

  const { browser: again } = await started({}, browser);
  assert.equal((await signUp(again, 'Second')).status, 200, 'in another login');
  const rest: PageAnswer[] = [];
  for (let count = 3; count <= 11; count += 1)
    rest.push(await signUp((await started({}, browser)).browser, `Number ${count}`));
  assert.deepEqual([rest.at(-2)?.status, rest.at(-1)?.error], [200, 'TOO_MANY_ORGANIZATIONS']);
  assert.deepEqual(await liveSessions(email), [{ organization_id: organization?.id }]);
});

test('organizations are not made where the environment or the application forbids it, and nothing of them stays (FSA-61, FSA-87)', async (t) => {
  const browser = await signedIn('refused+sktest@example.com');
  const api = await managementApi(t, gatewarden);
  const gate = await endpoint(t, json({ decision: 'DENY', error: { message: 'Ask sales' } }));
  const answer = ok(
    await api(
      interceptorSteps.create({
        display_name: 'Gate',
        trigger_point: 'PRE_SIGNUP',
        api_url: gate.url,
        failure_policy: 'FAIL_CLOSED',
        timeout_ms: '1000',
      }),
    ),
  );
  const id = String(member(answer, 'interceptor')['id']);
  ok(await api(interceptorSteps.turn(id, true)));
  const denied = await signUp(browser, 'Denied Ltd');
  assert.deepEqual([denied.status, denied.body['message']], [403, 'Ask sales']);
  const told = JSON.parse(gate.got.at(-1)?.body ?? '{}');
  assert.deepEqual(told.data, { organization: { name: 'Denied Ltd' } });
  assert.equal(told.interceptor_context.user_email, 'refused+sktest@example.com');
  ok(await api(interceptorSteps.remove(id)));

  await setUsers(t, { allow_organization_signup: false }, { allow_organization_signup: true });
  assert.equal((await signUp(browser, 'Denied Ltd')).error, 'SIGN_UP_NOT_ALLOWED');
  const methods = await call(browser, 'GET', '/api/v1/authmethods?intent=sign_up');
  assert.deepEqual(methods.body, {});
  await setUsers(t, { allow_organization_signup: true }, {});
  await setUsers(t, { allow_multiple_memberships: false }, { allow_multiple_memberships: true });
  assert.equal((await signUp(browser, 'Only one')).status, 200);
  const { browser: next } = await started({}, browser);
  assert.equal((await signUp(next, 'Denied Ltd')).error, 'SINGLE_ORGANIZATION');
  assert.deepEqual(await organizationsNamed('Denied Ltd'), []);
});

test('an address leads to the sign-in of its proven domain, known or not; every other one to a code by mail (FSA-20, FSA-22)', async () => {
  const { database: db, environment } = gatewarden;
  const organizationId = 'org_100000000000000777';
  const connectionId = 'conn_100000000000000777';
  await db.rows(
    sql`insert into organizations (environment_id, id, display_name, created_at, updated_at) values (${environment.id}, ${organizationId}, 'Acme', now(), now())`,
  );
  await db.rows(sql`
    insert into connections (environment_id, id, organization_id, type, provider, provider_key, enabled, status, created_at, updated_at)
    values (${environment.id}, ${connectionId}, ${organizationId}, 'OIDC', 'OKTA', 'OKTA', true, 'COMPLETED', now(), now())`);
  for (const [name, status] of [
    ['acme.example', 'VERIFIED'],
    ['claimed.example', 'PENDING'],
  ] as const)
    await db.rows(sql`
      insert into domains (environment_id, id, organization_id, domain, domain_type, verification_method, verification_status, created_at, updated_at)
      values (${environment.id}, ${`dom_${name}`}, ${organizationId}, ${name}, 'ORGANIZATION_DOMAIN', 'DNS', ${status}, now(), now())`);
  const { browser } = await started();
  const at = async (email: string) => member((await discover(browser, email)).body, 'auth_method');
  const home = await at('ann@acme.example');
  assert.deepEqual(
    [home['connection_id'], home['connection_type'], home['provider'], home['auth_initiation_uri']],
    [connectionId, 'OIDC', 'OKTA', undefined],
  );
  assert.deepEqual(await at('Nobody.Here@ACME.example'), home);
  const mail = await at('ann@elsewhere.example');
  assert.equal(mail['connection_type'], 'PASSWORDLESS');
  for (const email of ['x@sub.acme.example', 'x@claimed.example'])
    assert.deepEqual(await at(email), mail, email);
  assert.equal((await discover(browser, 'no address')).status, 400);
  await db.rows(sql`update connections set enabled = false where id = ${connectionId}`);
  assert.deepEqual(await at('ann@acme.example'), mail);
  assert.equal((await discover(cookieBrowser(gatewarden.url), 'ann@acme.example')).status, 404);
});

test('people of an MCP server with its own sign-in have that and nothing else (SSO-66)', async (t) => {
  const { connectionId, ...rest } = await ownSite(t, gatewarden);
  const { browser } = await begun({ connectionId, ...rest });
  const { body } = await call(browser, 'GET', '/api/v1/authmethods');
  const [method, ...others] = members(body, 'auth_methods');
  assert.deepEqual([method?.['connection_id'], others], [connectionId, []]);
  const initiate = new URL(String(method?.['auth_initiation_uri']));
  const away = await browser.fetch(initiate.href);
  assert.match(away.headers.get('location') ?? '', /^https:\/\/app\.example\/login\?/);
  const found = member((await discover(browser, 'ann@elsewhere.example')).body, 'auth_method');
  assert.deepEqual(found, method);
  assert.equal((await verify(browser, CODE)).error, 'NO_CODE_PENDING');
  assert.equal((await resend(browser)).error, 'NO_CODE_PENDING');
  assert.equal(await state(browser), 'AUTHENTICATION_IN_PROGRESS');
});

test('a login that is over is nothing any more, and who is switched off learns it after the proof alone (AS-31, FSA-22)', async () => {
  const off = 'off+sktest@example.com';
  await signedIn(off);
  await gatewarden.database.rows(sql`update users set enabled = false where email = ${off}`);
  const waiting = await asked(off);
  assert.equal((await verify(waiting, '000000')).status, 400);
  const told = await verify(waiting, CODE);
  assert.deepEqual([told.error, told.headers.getSetCookie()], ['USER_DISABLED', []]);
  const browser = await asked('late+sktest@example.com');
  gatewarden.clock.advance({ minutes: 11 });
  assert.equal((await verify(browser, CODE)).error, 'LOGIN_NOT_FOUND');
  assert.equal((await call(browser, 'GET', '/api/v1/auth/state')).status, 404);
  assert.deepEqual(await liveSessions('late+sktest@example.com'), []);
});
