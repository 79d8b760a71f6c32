import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { disablePerson, sql } from '../src/testing.ts';
import { managementApi, member, ok } from './management-api.ts';
import { organizationSteps } from './organization-steps.ts';
import { sessionSteps } from './session-steps.ts';
import { collectCleanup } from './sign-in-site.ts';

const SAFARI =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1';

let site: McpSite;
const cleanup = collectCleanup();
before(async () => {
  site = await startMcpSite(cleanup);
});
after(cleanup.run);

type Told = {
  type: string;
  object: string | null;
  organization_id: string | null;
  data: JsonObject;
};

/** What was told of a person since the last time. */
async function told(email: string): Promise<Told[]> {
  const rows = await site.gatewarden.database.rows<Told>(sql`
    select type, object, organization_id, data from events
     where type in ('user.signup', 'user.login', 'user.logout', 'session.revoked') and data -> 'user' ->> 'email' = ${email} order by id`);
  await site.gatewarden.database.rows(
    sql`delete from events where data -> 'user' ->> 'email' = ${email}`,
  );
  return rows;
}

async function signIn(email: string) {
  const browser = cookieBrowser(site.gatewarden.origin);
  const headers = { 'user-agent': SAFARI };
  const first = asPage(await browser.open(site.url()));
  const code = asPage(await browser.submit(first, { email }, { headers }));
  await browser.submit(code, { code: '424242', action: 'verify' }, { headers });
  return browser;
}

const idOf = (one: Told | undefined) =>
  String(member(one?.data ?? {}, 'user_session')['session_id']);

test('signing up, in and out is told with the person, the session and its device, and nothing else (FSA-82)', async () => {
  const email = 'told+sktest@example.com';
  const browser = await signIn(email);
  const [signup, login, ...more] = await told(email);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [signup?.type, signup?.object, Object.keys(signup?.data ?? {})],
    ['user.signup', 'OrgMembership', ['user']],
  );
  assert.deepEqual([login?.type, login?.object], ['user.login', 'User']);
  assert.deepEqual(Object.keys(login?.data ?? {}).sort(), ['user', 'user_session']);
  const session = member(login?.data ?? {}, 'user_session');
  const at = session['created_at'];
  const device = member(session, 'device');
  assert.deepEqual(session, {
    session_id: session['session_id'],
    user_id: member(login?.data ?? {}, 'user')['id'],
    authenticated_organizations: [],
    created_at: at,
    updated_at: at,
    last_active_at: at,
    idle_expires_at: session['idle_expires_at'],
    absolute_expires_at: session['absolute_expires_at'],
    status: 'ACTIVE',
    device,
  });
  assert.deepEqual(device, {
    browser: 'Safari',
    browser_version: '18.5',
    os: 'iOS',
    os_version: '18.5',
    device_type: 'Mobile',
    ip: device['ip'],
    user_agent: SAFARI,
  });

  const page = asPage(await browser.open(`${site.gatewarden.url}/logout`));
  await browser.submit(page, { action: 'sign-out' });
  const [logout, ...nothing] = await told(email);
  assert.deepEqual([logout?.type, nothing], ['user.logout', []]);
  const ended = member(logout?.data ?? {}, 'user_session');
  assert.deepEqual([ended['status'], ended['session_id']], ['LOGOUT', session['session_id']]);
  assert.equal(ended['logout_at'], ended['expired_at']);

  await signIn(email);
  assert.deepEqual(
    (await told(email)).map(({ type }) => type),
    ['user.login'],
    'the second time nobody signs up',
  );
});

test('a revocation and the end of a person are told once for each session, in the organization it was open in (FSA-82)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const email = 'ended+sktest@example.com';
  await signIn(email);
  const [, first] = await told(email);
  const userId = String(member(first?.data ?? {}, 'user')['id']);
  const made = ok(await api(organizationSteps.create({ display_name: 'Acme' })));
  const organizationId = String(member(made, 'organization')['id']);
  await site.gatewarden.database.rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at)
    select environment_id, ${organizationId}, id, 'ACTIVE', 'api', now(), now() from users where id = ${userId}`);
  await signIn(email);
  const [second] = await told(email);
  assert.equal(second?.organization_id, organizationId);
  assert.equal(member(second?.data ?? {}, 'user_session')['organization_id'], organizationId);
  ok(await api(sessionSteps.revokeAll(userId)));
  const events = await told(email);
  assert.deepEqual(
    events.map((one) => [one.type, idOf(one), one.organization_id]).sort(),
    [
      ['session.revoked', idOf(first), null],
      ['session.revoked', idOf(second), organizationId],
      ['user.logout', idOf(first), null],
      ['user.logout', idOf(second), organizationId],
    ].sort(),
  );
  for (const { data } of events) {
    const session = member(data, 'user_session');
    assert.deepEqual([session['status'], session['logout_at']], ['REVOKED', undefined]);
  }
  ok(await api(sessionSteps.revokeAll(userId)));
  assert.deepEqual(await told(email), [], 'nothing ended');
  await signIn(email);
  const [third] = await told(email);
  await disablePerson(site.gatewarden.context(), userId);
  assert.deepEqual(
    (await told(email)).map((one) => [one.type, idOf(one)]),
    [
      ['user.logout', idOf(third)],
      ['session.revoked', idOf(third)],
    ],
  );
});
