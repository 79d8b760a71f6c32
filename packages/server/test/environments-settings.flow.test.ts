import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { allEnvironments } from '../src/environments/environments.ts';
import { checkTestUsers } from '../src/environments/test-user-settings.ts';
import { asPage } from '../src/testing/cookie-browser.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { environmentClientSteps } from './environment-client-steps.ts';
import { environmentSteps as steps } from './environment-steps.ts';
import { type Api, managementApi, member, members, ok, protocols } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';

const CALLBACK = 'https://app.example.com/cb';
const STRANGE = 'env_100000000000000001';

let gatewarden: TestGatewarden;
let id: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  id = gatewarden.environment.id;
});

beforeEach(async () => {
  await gatewarden.database.rows(sql`delete from rate_limits`);
});

let app: { id: string; secret: string } | undefined;

async function application(api: Api): Promise<{ id: string; secret: string }> {
  if (app) return app;
  const sent = { name: 'Shop', client_type: 'WEB_APP', post_login_uris: [CALLBACK] };
  const shown = member(ok(await api(environmentClientSteps.create(sent))), 'client');
  const secret = String(members(shown, 'secrets')[0]?.['plain_secret']);
  app = { id: String(shown['id']), secret };
  return app;
}

let people = 0;

/** A sign-in to an application with its answers: the token's lifetime, and how the browser was told to keep the session. */
async function signIn(api: Api) {
  const { id: client_id, secret } = await application(api);
  people += 1;
  const email = `shopper${people}+sktest@example.com`;
  const { verifier, challenge } = pkce();
  const asked = { client_id, redirect_uri: CALLBACK, code_challenge: challenge, scope: 'openid' };
  const browser = cookieBrowser(gatewarden.url);
  const page = asPage(await browser.open(authorizeUrl(gatewarden.url, asked)));
  const code = asPage(await browser.submit(page, { email }));
  const answer = await browser.fetch(new URL(code.form?.action ?? '', code.url).href, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      origin: gatewarden.url,
      'sec-fetch-site': 'same-origin',
    },
    body: new URLSearchParams({ ...code.form?.hidden, code: '424242', action: 'verify' }),
  });
  const cookie = answer.headers.getSetCookie().find((line) => line.includes('-session=')) ?? '';
  const landing = await authorizeWith(browser, authorizeUrl(gatewarden.url, asked), email);
  const { body } = await token(gatewarden.url, {
    grant_type: 'authorization_code',
    client_id,
    client_secret: secret,
    redirect_uri: CALLBACK,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  });
  const [row] = await gatewarden.database.rows<{ idle: number | null; absolute: number }>(sql`
    select s.idle_seconds as idle, extract(epoch from s.absolute_expires_at - s.authenticated_at)::int as absolute
      from sessions s join users u on u.environment_id = s.environment_id and u.id = s.user_id where u.email_key = ${email}`);
  return { expiresIn: body['expires_in'], cookie, row };
}

const USUAL = {
  access_token_expiry: 5,
  access_token_expiry_unit: 'MINUTES',
  absolute_session_timeout: 43_200,
  absolute_session_timeout_unit: 'MINUTES',
  session_management_enabled: true,
  idle_session_timeout: 10_080,
  idle_session_timeout_unit: 'MINUTES',
  idle_session_enabled: true,
  cookie_persistence_type: 'PERSISTENT',
  cookie_same_site_setting: 'LAX_MODE',
};

for (const protocol of protocols)
  test(`session settings of an environment are kept in minutes whatever unit they came in, over ${protocol} (FSA-39)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const shown = async () => member(ok(await api(steps.getSession(id))), 'session_settings');
    const made = ok(await api(steps.createSession(id, {})));
    assert.deepEqual(made, { environment_id: id, session_settings: USUAL });
    const times = {
      access_token_expiry: 1,
      access_token_expiry_unit: 'HOURS',
      idle_session_timeout: 1,
      idle_session_timeout_unit: 'DAYS',
      absolute_session_timeout: 7,
      absolute_session_timeout_unit: 'DAYS',
    };
    const changed = ok(await api(steps.updateSession(id, times)));
    const minutes = {
      ...USUAL,
      access_token_expiry: 60,
      idle_session_timeout: 1440,
      absolute_session_timeout: 10_080,
    };
    assert.deepEqual(changed['session_settings'], minutes);
    ok(await api(steps.updateSession(id, { idle_session_enabled: false })));
    assert.deepEqual(await shown(), { ...minutes, idle_session_enabled: false }, 'others stay');
    ok(await api(steps.createSession(id, { access_token_expiry: 10 })));
    assert.deepEqual(await shown(), { ...USUAL, access_token_expiry: 10 }, 'begun anew');
    ok(await api(steps.createSession(id, {})));
    for (const step of [
      steps.getSession(STRANGE),
      steps.updateSession(STRANGE, {}),
      steps.createSession(STRANGE, {}),
      steps.getUsers(STRANGE),
      steps.updateUsers(STRANGE, {}),
      steps.createUsers(STRANGE, {}),
      steps.getTestUser(STRANGE),
      steps.updateTestUser(STRANGE, {}),
    ]) {
      const { code, errorCode } = await api(step);
      assert.deepEqual([code, errorCode], [5, 'ENVIRONMENT_NOT_FOUND']);
    }
    assert.deepEqual((await api(steps.getSession('env_1'))).fields, ['id']);
  });

test('settings against the order absolute, idle, access token, and those that could have no effect, are refused and change nothing (FSA-39)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const before = ok(await api(steps.getSession(id)));
  const events = async () =>
    await gatewarden.database.rows(sql`select id from events where type like 'environment.%'`);
  const { length } = await events();
  const refused: readonly (readonly [JsonObject, string])[] = [
    [{ access_token_expiry: 1440, idle_session_timeout: 1440 }, 'idle_session_timeout'],
    [
      { absolute_session_timeout: 7, absolute_session_timeout_unit: 'DAYS' },
      'absolute_session_timeout',
    ],
    [
      { idle_session_enabled: false, absolute_session_timeout: 60, access_token_expiry: 60 },
      'absolute_session_timeout',
    ],
    [{ access_token_expiry: 2, access_token_expiry_unit: 'DAYS' }, 'access_token_expiry'],
    [{ idle_session_timeout: 8, idle_session_timeout_unit: 'DAYS' }, 'idle_session_timeout'],
    [{ client_access_token_expiry: 60 }, 'client_access_token_expiry'],
    [{ session_management_enabled: false }, 'session_management_enabled'],
    [{ cookie_same_site_setting: 'NONE_MODE' }, 'cookie_same_site_setting'],
    [{ cookie_custom_domain: 'example.com' }, 'cookie_custom_domain'],
    [{ access_token_expiry: 0 }, 'access_token_expiry'],
  ];
  for (const [sent, field] of refused) {
    const { code, fields } = await api(steps.updateSession(id, sent));
    assert.deepEqual([code, fields], [3, [`session_settings.${field}`]], JSON.stringify(sent));
  }
  assert.deepEqual(ok(await api(steps.getSession(id))), before);
  assert.equal((await events()).length, length);
});

test('sessions, their cookies and access tokens of applications are what the environment says, from the next sign-in on (FSA-38, FSA-39)', async (t) => {
  const api = await managementApi(t, gatewarden);
  ok(await api(steps.createSession(id, {})));
  const usual = await signIn(api);
  assert.equal(usual.expiresIn, 300);
  assert.match(usual.cookie, /; HttpOnly; SameSite=Lax; Max-Age=2592000$/);
  assert.deepEqual(usual.row, { idle: 604_800, absolute: 2_592_000 });
  ok(
    await api(
      steps.updateSession(id, {
        access_token_expiry: 20,
        idle_session_timeout: 30,
        absolute_session_timeout: 60,
        cookie_persistence_type: 'SESSION',
      }),
    ),
  );
  const changed = await signIn(api);
  assert.equal(changed.expiresIn, 1200);
  assert.match(changed.cookie, /; HttpOnly; SameSite=Lax$/);
  assert.deepEqual(changed.row, { idle: 1800, absolute: 3600 });
  ok(await api(steps.updateSession(id, { idle_session_enabled: false })));
  assert.deepEqual((await signIn(api)).row, { idle: null, absolute: 3600 });
  const organization = String((await newOrganization(api))['id']);
  const short = { policy_source: 'CUSTOM', absolute_session_timeout: 20 };
  const { fields } = await api(organizationSteps.setPolicy(organization, short));
  assert.deepEqual(fields, ['absolute_session_timeout'], 'tokens live as long');
  ok(await api(steps.createSession(id, {})));
  ok(await api(organizationSteps.setPolicy(organization, short)));
});

for (const protocol of protocols)
  test(`test users are at most five addresses with +sktest and a code of six digits, over ${protocol} (FSA-92)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const emails = ['a+sktest@example.com', 'b+sktest.two@example.com'];
    const set = { enabled: true, static_confirmation_code: '135790', emails };
    const answered = ok(await api(steps.updateTestUser(id, set)));
    assert.deepEqual(answered, { environment_id: id, test_user: set });
    const refused: readonly (readonly [JsonObject, string])[] = [
      [{ static_confirmation_code: '12345' }, 'test_user.static_confirmation_code'],
      [{ static_confirmation_code: '１２３４５６' }, 'test_user.static_confirmation_code'],
      [{ emails: ['a@example.com'] }, 'test_user.emails[0]'],
      [{ emails: [...emails, 'A+sktest@example.com'] }, 'test_user.emails[2]'],
      [{ emails: ['x+y+sktest@example.com'] }, 'test_user.emails[0]'],
      [{ emails: [emails[0] ?? '', emails[0] ?? ''] }, 'test_user.emails[1]'],
      [
        { emails: [1, 2, 3, 4, 5, 6].map((one) => `p${one}+sktest@example.com`) },
        'test_user.emails',
      ],
    ];
    for (const [sent, field] of refused) {
      const { code, fields } = await api(steps.updateTestUser(id, sent));
      assert.deepEqual([code, fields], [3, [field]], JSON.stringify(sent));
    }
    assert.deepEqual(ok(await api(steps.getTestUser(id))), { test_user: set });
    const back = { enabled: false, static_confirmation_code: '424242' };
    ok(await api(steps.updateTestUser(id, back)));
  });

test('in production only listed addresses of an environment that is named are test users; without the name it does not start (AS-152, FSA-92)', async (t) => {
  const { testUserCodeOfApplication } = await import('../src/login/test-users.ts');
  const api = await managementApi(t, gatewarden);
  const listed = 'listed+sktest@example.com';
  const set = { enabled: true, static_confirmation_code: '135790', emails: [listed] };
  ok(await api(steps.updateTestUser(id, set)));
  const ctx = gatewarden.context();
  const serve = { ...ctx.config, mode: 'serve' } as const;
  const named = { ...serve, testUserEnvironments: [id] };
  const codeOf = async (config: typeof ctx.config, email: string) =>
    await testUserCodeOfApplication({ ...ctx, config }, email);
  assert.equal(await codeOf(named, listed), '135790');
  assert.equal(await codeOf(named, 'other+sktest@example.com'), undefined);
  assert.equal(await codeOf(serve, listed), undefined);
  assert.equal(await codeOf(ctx.config, 'any+sktest@example.com'), '135790', 'development');
  assert.equal(await codeOf({ ...serve, testUserEnvironments: [STRANGE] }, listed), undefined);
  const environments = await allEnvironments(gatewarden.app);
  assert.throws(
    () => checkTestUsers({ config: serve }, environments),
    /GATEWARDEN_ALLOW_TEST_USERS/,
  );
  checkTestUsers({ config: named }, environments);
  checkTestUsers({ config: ctx.config }, environments);
  ok(await api(steps.updateTestUser(id, { enabled: false })));
  checkTestUsers({ config: serve }, await allEnvironments(gatewarden.app));
  assert.equal(await codeOf(named, listed), undefined, 'switched off');
});

test('every change of settings is written down without the code of test users (AS-140)', async (t) => {
  const api = await managementApi(t, gatewarden);
  ok(await api(steps.updateTestUser(id, { static_confirmation_code: '987654' })));
  const rows = await gatewarden.database.rows<{ type: string; data: unknown }>(
    sql`select type, data from events where type like 'environment.%' order by id`,
  );
  const types = new Set(rows.map(({ type }) => type));
  assert.deepEqual([...types].sort(), [
    'environment.session_settings_updated',
    'environment.test_users_updated',
  ]);
  assert.doesNotMatch(JSON.stringify(rows.map(({ data }) => data)), /987654|135790/);
});
