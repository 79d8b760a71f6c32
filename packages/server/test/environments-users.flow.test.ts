import assert from 'node:assert/strict';
import { before, beforeEach, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { asPage } from '../src/testing/cookie-browser.ts';
import {
  authorizeUrl,
  cookieBrowser,
  pkce,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '../src/testing.ts';
import { environmentClientSteps } from './environment-client-steps.ts';
import { environmentSteps as steps } from './environment-steps.ts';
import { type Api, managementApi, member, members, ok, protocols } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';
import { memberSteps, newMember } from './user-steps.ts';

const CALLBACK = 'https://app.example.com/cb';

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

const USUAL_USERS = {
  allow_duplicate_user_identities: false,
  allow_multiple_memberships: true,
  allow_organization_signup: true,
  org_user_relationship: 'MULTIPLE_ORGANIZATIONS',
  enable_max_users_limit: false,
  invitation_expiry: 21_600,
  block_disposable_email_domains: false,
  block_public_email_domains: false,
  sync_user_profile_on_signin: false,
};

for (const protocol of protocols)
  test(`user management of an environment is kept, what is not named stays, and what could have no effect is refused, over ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const made = ok(await api(steps.createUsers(id, {})));
    assert.deepEqual(made, { environment_id: id, user_management: USUAL_USERS });
    const change = { max_users_limit: 7, org_user_relationship: 'SINGLE_ORGANIZATION' };
    ok(await api(steps.updateUsers(id, change)));
    const expected = { ...USUAL_USERS, ...change, allow_multiple_memberships: false };
    const refused: readonly (readonly [JsonObject, string])[] = [
      [{ allow_duplicate_user_identities: true }, 'allow_duplicate_user_identities'],
      [{ sync_user_profile_on_signin: true }, 'sync_user_profile_on_signin'],
      [
        { allow_multiple_memberships: true, org_user_relationship: 'SINGLE_ORGANIZATION' },
        'org_user_relationship',
      ],
      [{ invitation_expiry: 43_201 }, 'invitation_expiry'],
      [{ max_users_limit: 0 }, 'max_users_limit'],
    ];
    for (const [sent, field] of refused) {
      const { code, fields } = await api(steps.updateUsers(id, sent));
      assert.deepEqual([code, fields], [3, [`user_management.${field}`]], JSON.stringify(sent));
    }
    assert.deepEqual(ok(await api(steps.getUsers(id))), { user_management: expected });
    const again = ok(await api(steps.createUsers(id, {})));
    assert.deepEqual(again['user_management'], USUAL_USERS);
    const bare = await api(steps.updateUsers(id, { enable_max_users_limit: true }));
    assert.deepEqual(bare.fields, ['user_management.max_users_limit'], 'which limit?');
  });

test('how many users an organization has, and in how many a user is, is limited by the environment (FSA-56)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [first, second] = [await newOrganization(api), await newOrganization(api)].map((one) =>
    String(one['id']),
  );
  assert.ok(first && second);
  const person = String((await newMember(api, first))['id']);
  ok(await api(steps.updateUsers(id, { allow_multiple_memberships: false })));
  const denied = await api(memberSteps(second).join(person));
  assert.deepEqual([denied.code, denied.errorCode], [9, 'SINGLE_ORGANIZATION']);
  const invited = await api(memberSteps(second).join(person, {}, true));
  assert.equal(invited.errorCode, 'SINGLE_ORGANIZATION');
  ok(await api(steps.updateUsers(id, { org_user_relationship: 'MULTIPLE_ORGANIZATIONS' })));
  ok(await api(memberSteps(second).join(person)));
  ok(await api(steps.updateUsers(id, { enable_max_users_limit: true, max_users_limit: 2 })));
  await newMember(api, second);
  const full = await api(memberSteps(second).create({ email: 'third@example.com' }));
  assert.equal(full.errorCode, 'USER_LIMIT_REACHED');
  // What an organization says itself counts.
  ok(await api(organizationSteps.setUserManagement(second, { max_allowed_users: 3 })));
  await newMember(api, second);
  ok(await api(steps.createUsers(id, { enable_max_users_limit: false })));
});

test('a race: of several memberships at once a person gets one where the environment allows one', async (t) => {
  const api = await managementApi(t, gatewarden);
  const made = await Promise.all([1, 2, 3, 4].map(async () => await newOrganization(api)));
  const [home = '', ...others] = made.map((one) => String(one['id']));
  const person = String((await newMember(api, home))['id']);
  ok(await api(memberSteps(home).leave(person, { cascade: false })));
  ok(await api(steps.updateUsers(id, { allow_multiple_memberships: false })));
  const answers = await Promise.all(
    others.map(async (organization) => await api(memberSteps(organization).join(person))),
  );
  assert.deepEqual(answers.map(({ code }) => code).sort(), [0, 9, 9]);
  ok(await api(steps.createUsers(id, {})));
});

test('an invitation can be accepted for as long as the environment says, and its mail says so (FSA-64)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = String((await newOrganization(api))['id']);
  ok(await api(steps.updateUsers(id, { invitation_expiry: 90 })));
  await newMember(api, organization, { email: 'soon@example.com' }, true);
  const [row] = await gatewarden.database.rows<{ seconds: number }>(sql`
    select extract(epoch from i.expires_at - i.created_at)::int as seconds
      from invitations i join users u on u.environment_id = i.environment_id and u.id = i.user_id where u.email_key = 'soon@example.com'`);
  assert.equal(row?.seconds, 5400);
  const mails: unknown = await (
    await fetch(`${gatewarden.url}/dev/mailbox.json?to=soon@example.com`)
  ).json();
  assert.match(JSON.stringify(mails), /can be accepted for 1 hour\./);
  ok(await api(steps.createUsers(id, {})));
});

test('addresses that anybody can get and those that are thrown away are kept out of sign-ups and invitations; who is there stays (FSA-61)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = String((await newOrganization(api))['id']);
  const known = String((await newMember(api, organization, { email: 'known@gmail.com' }))['id']);
  ok(
    await api(
      steps.updateUsers(id, {
        block_public_email_domains: true,
        block_disposable_email_domains: true,
      }),
    ),
  );
  const own = memberSteps(organization);
  for (const email of ['new@gmail.com', 'new@mail.GMAIL.com', 'new@mailinator.com']) {
    const { code, fields } = await api(own.create({ email }));
    assert.deepEqual([code, fields], [3, ['user.email']], email);
  }
  ok(await api(own.create({ email: 'vouched@gmail.com' }, false)));
  const other = String((await newOrganization(api))['id']);
  ok(await api(memberSteps(other).join(known, {}, true)));

  const { id: client_id } = await application(api);
  const { challenge } = pkce();
  const asked = { client_id, redirect_uri: CALLBACK, code_challenge: challenge, scope: 'openid' };
  const begin = async (prompt: string | undefined) => {
    const browser = cookieBrowser(gatewarden.url);
    const url = authorizeUrl(gatewarden.url, { ...asked, prompt });
    return { browser, page: asPage(await browser.open(url)) };
  };
  for (const [email, said] of [
    ['someone@gmail.com', /email address of your own|work email|your company/i],
    ['someone@mailinator.com', /isn&#39;t accepted|isn't accepted/],
  ] as const) {
    const { browser, page } = await begin('create');
    const again = asPage(await browser.submit(page, { email, name: 'Some One' }));
    assert.deepEqual([again.status, again.step], [400, 'sign-up'], email);
    assert.match(again.html, said);
  }
  // The first page says nothing of who exists: an unknown address sees the same, and no mail goes out.
  for (const [email, sent] of [
    ['unknown@gmail.com', 0],
    ['known@gmail.com', 1],
  ] as const) {
    const { browser, page } = await begin(undefined);
    const code = asPage(await browser.submit(page, { email }));
    assert.equal(code.step, 'email-code', email);
    const mails: unknown = await (
      await fetch(`${gatewarden.url}/dev/mailbox.json?to=${email}`)
    ).json();
    assert.equal((JSON.stringify(mails).match(/"code":/g) ?? []).length, sent, email);
  }
  ok(await api(steps.createUsers(id, {})));
});

test('a sign-up that was closed meanwhile is refused after the proof, test users included (FSA-21)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { id: client_id } = await application(api);
  const { challenge } = pkce();
  const asked = { client_id, redirect_uri: CALLBACK, code_challenge: challenge, scope: 'openid' };
  const browser = cookieBrowser(gatewarden.url);
  const page = asPage(await browser.open(authorizeUrl(gatewarden.url, asked)));
  const email = 'late+sktest@example.com';
  const code = asPage(await browser.submit(page, { email }));
  ok(await api(steps.updateUsers(id, { allow_organization_signup: false })));
  const refused = asPage(await browser.submit(code, { code: '424242', action: 'verify' }));
  assert.equal(refused.error, 'access_denied', refused.html);
  const found = await gatewarden.database.rows(
    sql`select id from users where email_key = ${email}`,
  );
  assert.equal(found.length, 0);
  ok(await api(steps.createUsers(id, {})));
});
