import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { readMailbox } from '../src/email/mails.ts';
import { asPage, type Landing, type Page } from '../src/testing/cookie-browser.ts';
import {
  type CookieBrowser,
  cookieBrowser,
  createClient,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '../src/testing.ts';
import { noteSignIn } from '../src/users/users.store.ts';
import { type Api, managementApi, member, members, ok } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';
import { memberSteps, membershipOf, newMember, userSteps } from './user-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const NOBODY = 'usr_123456789012345678';

const idOf = (thing: JsonObject): string => String(thing['id']);
const names = (body: JsonObject, list = 'roles'): unknown[] =>
  members(body, list).map(({ name }) => name);

async function anOrganization(api: Api): Promise<string> {
  return idOf(await newOrganization(api));
}

type Told = {
  type: string;
  organization_id: string | null;
  data: JsonObject;
  object: string | null;
};

/** Events about one person, oldest first. */
async function eventsOf(userId: string): Promise<Told[]> {
  return await gatewarden.database.rows<Told>(
    sql`select type, organization_id, data, object from events where user_id = ${userId} order by id`,
  );
}

test('an organization has no more members and living invitations than it may, whichever way they come (FSA-56)', async (t) => {
  let api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  ok(await api(organizationSteps.setUserManagement(organization, { max_allowed_users: 2 })));
  await newMember(api, organization);
  const invited = idOf(await newMember(api, organization, {}, true));
  const elsewhere = idOf(await newMember(api, await anOrganization(api)));
  const refused = async (step: Parameters<Api>[0]) => {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.errorCode], [9, 'USER_LIMIT_REACHED']);
  };
  await refused(own.create({ email: 'third@example.com' }, false));
  await refused(own.create({ email: 'third@example.com' }, true));
  await refused(own.join(elsewhere));
  assert.deepEqual(members(ok(await api(userSteps.search({ query: 'third@' }))), 'users'), []);
  gatewarden.clock.advance({ days: 16 });
  api = await managementApi(t, gatewarden);
  ok(await api(own.join(elsewhere)));
  await refused(own.resend(invited));
  ok(await api(organizationSteps.setUserManagement(organization, { max_allowed_users: 0 })));
  ok(await api(own.resend(invited)));
});

test('an invitation is pending for fifteen days, then over; a reminder keeps its end, a new one begins again (FSA-64)', async (t) => {
  let api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const email = 'invited@example.com';
  const membership = { inviter_email: 'boss@example.com', roles: [{ name: 'admin' }] };
  const sent = member(ok(await api(own.create({ email, membership }))), 'user');
  const user = idOf(sent);
  const shown = async () =>
    membershipOf(member(ok(await api(userSteps.get(user))), 'user'), organization) ?? {};
  const pending = await shown();
  assert.deepEqual(
    [
      pending['membership_status'],
      pending['inviter_email'],
      names(pending),
      pending['permissions'] ?? [],
    ],
    ['PENDING_INVITE', 'boss@example.com', ['admin'], []],
  );
  assert.deepEqual(
    ok(await api(own.permissions(user))),
    {},
    'nobody may do anything before they accept',
  );
  assert.equal(member(sent, 'user_profile')['email_verified'] ?? false, false);
  const days = (from: unknown, to: unknown): number =>
    Math.round((Date.parse(String(to)) - Date.parse(String(from))) / 86_400_000);
  assert.equal(days(pending['created_at'], pending['expires_at']), 15);

  gatewarden.clock.advance({ days: 3 });
  api = await managementApi(t, gatewarden);
  const reminder = member(ok(await api(own.resend(user))), 'invite');
  assert.deepEqual(
    [
      reminder['status'],
      reminder['resent_count'],
      reminder['user_id'],
      reminder['organization_id'],
      reminder['inviter_email'],
    ],
    ['PENDING_INVITE', 1, user, organization, 'boss@example.com'],
  );
  assert.deepEqual(
    [reminder['expires_at'], days(reminder['created_at'], reminder['resent_at'])],
    [pending['expires_at'], 3],
  );
  gatewarden.clock.advance({ days: 13 });
  api = await managementApi(t, gatewarden);
  assert.equal((await shown())['membership_status'], 'INVITE_EXPIRED');
  const renewed = member(ok(await api(own.resend(user))), 'invite');
  assert.equal(renewed['resent_count'], 2);
  assert.equal(days(renewed['created_at'], renewed['expires_at']), 15);
  assert.equal((await shown())['membership_status'], 'PENDING_INVITE');
  assert.equal(
    (await gatewarden.database.rows(sql`select id from mails where recipient = ${email}`)).length,
    3,
  );

  const active = idOf(await newMember(api, organization));
  const refused = await api(own.resend(active));
  assert.deepEqual([refused.code, refused.errorCode], [9, 'ALREADY_ACTIVE']);
  assert.equal((await api(own.resend(NOBODY))).errorCode, 'USER_NOT_FOUND');
  const elsewhere = idOf(await newMember(api, await anOrganization(api)));
  ok(await api(own.join(elsewhere, {}, true)));
  assert.equal(
    membershipOf(member(ok(await api(userSteps.get(elsewhere))), 'user'), organization)?.[
      'membership_status'
    ],
    'PENDING_INVITE',
  );
});

test('what happens to a membership is told with the organization and the person as webhooks have them; a refused call tells nothing', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [first, second] = [await anOrganization(api), await anOrganization(api)];
  const created = await newMember(api, first, {
    external_id: 'told',
    user_profile: { given_name: 'Tola' },
  });
  const user = idOf(created);
  const own = memberSteps(second);
  ok(await api(own.join(user, {}, true)));
  ok(await api(own.change(user, {})));
  ok(await api(own.assign(user, [{ role_name: 'admin' }])));
  assert.equal((await api(own.join(user))).code, 3);
  assert.equal((await api(own.assign(user, [{ role_name: 'boss' }]))).code, 3);
  ok(await api(userSteps.update(user, { metadata: { plan: 'x1' } })));
  ok(await api(userSteps.update(user, { metadata: { plan: 'x1' } })));
  ok(await api(own.leave(user)));
  ok(await api(userSteps.delete(user)));
  const told = await eventsOf(user);
  assert.deepEqual(
    told.map(({ type, organization_id, object }) => [type, organization_id, object]),
    [
      ['user.created', null, 'User'],
      ['user.organization_membership_created', first, 'OrgMembership'],
      ['user.organization_invitation', second, 'OrgMembership'],
      ['user.organization_membership_updated', second, 'OrgMembership'],
      ['user.updated', null, 'User'],
      ['user.organization_membership_deleted', second, 'OrgMembership'],
      ['user.organization_membership_deleted', first, 'OrgMembership'],
      ['user.deleted', null, 'User'],
    ],
  );
  const data = told[1]?.data ?? {};
  assert.deepEqual(Object.keys(data).sort(), ['organization', 'user']);
  assert.equal(member(data, 'organization')['id'], first);
  const facts = member(data, 'user');
  assert.deepEqual(
    [
      facts['id'],
      facts['email'],
      facts['external_id'],
      member(facts, 'user_profile')['given_name'],
    ],
    [user, created['email'], 'told', 'Tola'],
  );
  assert.deepEqual(Object.keys(member(facts, 'user_profile')).sort(), [
    'custom_attributes',
    'email_verified',
    'external_identities',
    'family_name',
    'gender',
    'given_name',
    'groups',
    'id',
    'locale',
    'metadata',
    'name',
    'phone_number',
    'phone_number_verified',
    'picture',
    'preferred_username',
  ]);
  assert.deepEqual(
    told.at(-1)?.data,
    { id: user },
    'the last word on somebody says nothing of who they were',
  );
});

/** The links of the invitations to an address, the newest first. */
async function linksTo(email: string): Promise<string[]> {
  const mails = await readMailbox(gatewarden.context(), { recipient: email, limit: 10 });
  return mails.map(({ link, text, html }) => {
    assert.ok(link && text.includes(link) && html.includes(link));
    assert.match(link, /^http[^ ]+\/login\/invitation\/[A-Za-z0-9_-]{43}$/);
    return link;
  });
}

const aBrowser = (): CookieBrowser => cookieBrowser(gatewarden.origin);
const endedAs = (page: Page | Landing): string | undefined =>
  'error' in page ? page.error : page.location;

async function invited(
  api: Api,
): Promise<{ organization: string; user: string; email: string; link: string }> {
  const organization = await anOrganization(api);
  const made = await newMember(api, organization, {}, true);
  const email = String(made['email']);
  const [link = ''] = await linksTo(email);
  return { organization, user: idOf(made), email, link };
}

test('opening the link of an invitation accepts nothing, its button does once, and whoever pressed it is signed in and joined (FSA-64)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { organization, user, email, link } = await invited(api);
  const standing = async () => {
    const found = member(ok(await api(userSteps.get(user))), 'user');
    return [
      membershipOf(found, organization)?.['membership_status'],
      member(found, 'user_profile')['email_verified'] ?? false,
    ];
  };
  const scanner = await fetch(link, { headers: { accept: 'text/html' } });
  assert.equal(scanner.status, 200);
  const form = new URLSearchParams({ action: 'accept', csrf: 'guessed' });
  for (const headers of [{}, { origin: 'https://evil.example' }]) {
    const posted = await fetch(link, { method: 'POST', body: form, headers, redirect: 'manual' });
    assert.ok(posted.status >= 400, 'a link scanner that sends forms, and a foreign page');
  }
  assert.deepEqual(await standing(), ['PENDING_INVITE', false]);

  const browser = aBrowser();
  const page = asPage(await browser.open(link));
  assert.equal(page.step, 'invitation');
  assert.match(page.html, /Acme/);
  assert.ok(page.html.includes(email));
  const csrf = asPage(await aBrowser().open(link)).form?.hidden ?? {};
  const stolen = asPage(await browser.submit(page, { action: 'accept' }, { hidden: csrf }));
  assert.equal(stolen.status, 403, 'a form token of another browser');
  const joined = asPage(await browser.submit(page, { action: 'accept' }));
  assert.match(joined.html, /You have joined (?:<bdi>)?Acme/);
  assert.deepEqual(await standing(), ['ACTIVE', true]);
  const sessions = await gatewarden.database.rows<{ method: string; organization_id: string }>(
    sql`select method, organization_id from sessions where user_id = ${user}`,
  );
  assert.equal(sessions.length, 1);
  assert.equal(sessions[0]?.organization_id, organization);

  const repeated = asPage(await browser.submit(page, { action: 'accept' }));
  assert.equal(repeated.status, 403, 'the form of before the sign-in');
  for (const path of [
    link,
    `${link}/joined`,
    link.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    `${gatewarden.origin}/login/invitation/short`,
  ]) {
    const again = asPage(await aBrowser().open(path));
    assert.deepEqual([again.status, again.error], [400, 'invitation_expired'], path);
  }
  const told = (await eventsOf(user)).map(({ type }) => type);
  assert.deepEqual(
    told.filter((type) => type.startsWith('user.')),
    [
      'user.created',
      'user.organization_invitation',
      'user.organization_membership_created',
      'user.login',
    ],
  );
});

test('a link ends with its invitation; a reminder has one more, a new invitation only its own (FSA-64)', async (t) => {
  let api = await managementApi(t, gatewarden);
  const { organization, user, email, link } = await invited(api);
  ok(await api(memberSteps(organization).resend(user)));
  assert.equal((await linksTo(email)).length, 2);
  for (const one of await linksTo(email))
    assert.equal(asPage(await aBrowser().open(one)).step, 'invitation');
  gatewarden.clock.advance({ days: 15 });
  assert.equal(endedAs(await aBrowser().open(link)), 'invitation_expired');
  api = await managementApi(t, gatewarden);
  ok(await api(memberSteps(organization).resend(user)));
  assert.equal(endedAs(await aBrowser().open(link)), 'invitation_expired', 'a link of before');
  const [newest = ''] = await linksTo(email);
  const browser = aBrowser();
  const page = asPage(await browser.open(newest));
  ok(await api(memberSteps(organization).leave(user, { cascade: false })));
  assert.equal(
    endedAs(await browser.submit(page, { action: 'accept' })),
    'invitation_expired',
    'withdrawn',
  );
});

test('a link that was mailed to the address a person had before is over: it would prove the new one, which nobody has (attack: an invitation that verifies an address of choice)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { organization, user, email, link } = await invited(api);
  const { database, environment } = gatewarden;
  const said = { environmentId: environment.id, id: user, emailVerified: false, now: new Date() };
  await noteSignIn(database, { ...said, email });
  assert.equal(asPage(await aBrowser().open(link)).step, 'invitation', 'the same address');
  await noteSignIn(database, { ...said, email: 'victim@example.com' });
  assert.equal(endedAs(await aBrowser().open(link)), 'invitation_expired');
  ok(await api(memberSteps(organization).resend(user)));
  const [sent = ''] = await linksTo('victim@example.com');
  assert.equal(asPage(await aBrowser().open(sent)).step, 'invitation');
  assert.equal(endedAs(await aBrowser().open(link)), 'invitation_expired');
});

test('whoever accepts goes on to the sign-in of the application; somebody else signed in there is told whose invitation it is (FSA-64)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const first = await invited(api);
  const browser = aBrowser();
  const page = asPage(await browser.open(first.link));
  assert.equal(asPage(await browser.submit(page, { action: 'accept' })).status, 200);
  const second = await invited(api);
  const other = asPage(await browser.open(second.link));
  assert.ok(other.html.includes(first.email) && other.html.includes(second.email));
  const created = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Portal',
    redirectUris: ['https://portal.example/cb'],
    settings: { initiateLoginUri: 'https://portal.example/login' },
  });
  assert.equal(created.kind, 'created');
  const landing = await browser.submit(other, { action: 'accept' });
  assert.equal(endedAs(landing), 'https://portal.example/login');
  const found = member(ok(await api(userSteps.get(second.user))), 'user');
  assert.equal(membershipOf(found, second.organization)?.['membership_status'], 'ACTIVE');
});
