import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { asPage, type CookieBrowser, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { LOOPBACK, type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, token } from '../src/testing/oauth-client.ts';
import { sql } from '../src/testing.ts';
import { type Api, managementApi, member, members, ok, protocols } from './management-api.ts';
import { organizationSteps } from './organization-steps.ts';
import { sessionSteps } from './session-steps.ts';
import { collectCleanup } from './sign-in-site.ts';

const CHROME =
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/149.0.7827.53 Safari/537.36';
const NOBODY = 'usr_100000000000000000';
const NOTHING = 'ses_100000000000000000';

let site: McpSite;
let client: string;
const cleanup = collectCleanup();
before(async () => {
  site = await startMcpSite(cleanup, { engine: 'postgres' });
  client = await site.clientWith({
    redirect_uris: [LOOPBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
});
after(cleanup.run);

type SignedIn = { browser: CookieBrowser; sessionId: string; userId: string };

/** Signs in, in a new browser, up to the consent page. */
async function signIn(email: string, headers: Record<string, string> = {}): Promise<SignedIn> {
  const browser = cookieBrowser(site.gatewarden.origin);
  const first = asPage(await browser.open(site.url({ client_id: client })));
  const code = asPage(await browser.submit(first, { email }, { headers }));
  await browser.submit(code, { code: '424242', action: 'verify' }, { headers });
  const rows = await site.gatewarden.database.rows<{ id: string; user_id: string }>(
    sql`select s.id, s.user_id from sessions s join users u on u.id = s.user_id where u.email = ${email} order by s.id desc limit 1`,
  );
  return { browser, sessionId: rows[0]?.id ?? '', userId: rows[0]?.user_id ?? '' };
}

/** The same, and a client connected: its refresh token. */
async function connect(email: string): Promise<SignedIn & { refreshToken: string }> {
  const signedIn = await signIn(email);
  const consent = asPage(await signedIn.browser.open(site.url({ client_id: client })));
  const { body } = await site.redeem(await allow(signedIn.browser, consent), {
    client_id: client,
  });
  return { ...signedIn, refreshToken: String(body['refresh_token']) };
}

async function refreshes(refreshToken: string): Promise<number> {
  const { status } = await token(site.issuer, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: refreshToken,
  });
  return status;
}

async function feed(): Promise<number> {
  const rows = await site.gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from revocations`,
  );
  return rows[0]?.count ?? 0;
}

const statusOf = async (api: Api, id: string) => ok(await api(sessionSteps.get(id)))['status'];

for (const protocol of protocols)
  test(`over ${protocol} a session says whose it is, how long it lives and what device it is on (FSA-41)`, async (t) => {
    const api = await managementApi(t, site.gatewarden, protocol);
    const email = `device-${protocol.toLowerCase()}+sktest@example.com`;
    const { browser, sessionId, userId } = await signIn(email, { 'user-agent': CHROME });
    const consent = asPage(await browser.open(site.url({ client_id: client })));
    await allow(browser, consent);
    const session = ok(await api(sessionSteps.get(sessionId)));
    assert.equal(session['session_id'], sessionId);
    assert.equal(session['user_id'], userId);
    assert.equal(session['status'], 'active');
    assert.equal(session['expired_at'], undefined);
    const days = (name: string) =>
      Math.round(
        (Date.parse(String(session[name])) - Date.parse(String(session['created_at']))) /
          86_400_000,
      );
    assert.deepEqual([days('idle_expires_at'), days('absolute_expires_at')], [7, 30]);
    const { user_agent: agent, ip, ...device } = member(session, 'device');
    assert.deepEqual([agent, typeof ip], [CHROME, 'string']);
    assert.deepEqual(device, {
      browser: 'Chrome',
      browser_version: '149.0.7827.53',
      os: 'Windows',
      os_version: '10.0',
      device_type: 'Desktop',
    });
    assert.deepEqual(
      members(session, 'authenticated_clients').map((client) => client['client_id']),
      [client],
    );
    const listed = ok(await api(sessionSteps.list(userId)));
    assert.deepEqual([listed['total_size'], members(listed, 'sessions')], [1, [session]]);
    for (const [step, code] of [
      [sessionSteps.get(NOTHING), 5],
      [sessionSteps.get('ses_x'), 3],
      [sessionSteps.get('usr_100000000000000000'), 3],
      [sessionSteps.list(NOBODY), 5],
      [sessionSteps.list('usr_1x'), 3],
      [sessionSteps.list(userId, { page_token: 'x' }), 3],
      [sessionSteps.list(userId, {}, { status: ['gone'] }), 3],
      [sessionSteps.revoke(NOTHING), 5],
      [sessionSteps.revoke('ses_x'), 3],
      [sessionSteps.revokeAll(NOBODY), 5],
      [sessionSteps.revokeAll('usr_x'), 3],
    ] as const)
      assert.equal((await api(step)).code, code, JSON.stringify(step.rest));
  });

test('revoking a session ends refresh at once, tells the servers, and works once; one that is over stays as it ended (FSA-41, AS-114)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const one = await connect('revoked+sktest@example.com');
  const other = await connect('revoked+sktest@example.com');
  assert.equal(one.userId, other.userId);
  const told = await feed();
  const revoked = member(ok(await api(sessionSteps.revoke(one.sessionId))), 'revoked_session');
  assert.equal(revoked['status'], 'revoked');
  assert.equal(revoked['session_id'], one.sessionId);
  assert.ok(Math.abs(Date.parse(String(revoked['expired_at'])) - Date.now()) < 60_000);
  assert.equal(revoked['logout_at'], undefined);
  assert.equal(await feed(), told + 1);
  assert.deepEqual(
    [await refreshes(one.refreshToken), await refreshes(other.refreshToken)],
    [400, 200],
  );
  assert.equal(
    asPage(await one.browser.open(site.url({ client_id: client }))).step,
    'identify',
    'signed out',
  );
  const again = await api(sessionSteps.revoke(one.sessionId));
  assert.deepEqual([again.code, again.errorCode], [9, 'SESSION_NOT_ACTIVE']);

  const page = asPage(await other.browser.open(`${site.gatewarden.url}/logout`));
  await other.browser.submit(page, { action: 'sign-out' });
  const left = ok(await api(sessionSteps.get(other.sessionId)));
  assert.equal(left['status'], 'logout');
  assert.equal(left['logout_at'], left['expired_at']);
  assert.equal((await api(sessionSteps.revoke(other.sessionId))).code, 9);
  assert.equal(await statusOf(api, other.sessionId), 'logout');
  const none = ok(await api(sessionSteps.revokeAll(other.userId)));
  assert.deepEqual(none, {}, 'nothing was active');
});

test('a race: of ten revocations of one session one succeeds, and its ending is written down once', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { sessionId } = await connect('raced+sktest@example.com');
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => api(sessionSteps.revoke(sessionId))),
  );
  assert.deepEqual(answers.map(({ code }) => code).sort(), [0, ...Array(9).fill(9)]);
  const events = await site.gatewarden.database.rows(
    sql`select 1 from events where type = 'session.ended' and data ->> 'sessionId' = ${sessionId}`,
  );
  assert.equal(events.length, 1);
});

test('all active sessions of a person end together, and no one else’s; expired ones stay expired (FSA-41)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const first = await connect('all+sktest@example.com');
  const second = await connect('all+sktest@example.com');
  const expired = await signIn('all+sktest@example.com');
  const other = await connect('other+sktest@example.com');
  await site.gatewarden.database.rows(
    sql`update sessions set idle_expires_at = now() - interval '1 minute' where id = ${expired.sessionId}`,
  );
  const body = ok(await api(sessionSteps.revokeAll(first.userId)));
  assert.equal(body['total_revoked'], 2);
  assert.deepEqual(
    members(body, 'revoked_sessions').map(({ session_id: id, status }) => [id, status]),
    [
      [second.sessionId, 'revoked'],
      [first.sessionId, 'revoked'],
    ],
  );
  assert.equal(await statusOf(api, expired.sessionId), 'expired');
  assert.equal((await api(sessionSteps.revoke(expired.sessionId))).code, 9);
  assert.deepEqual(
    [await refreshes(first.refreshToken), await refreshes(second.refreshToken)],
    [400, 400],
  );
  assert.equal(await refreshes(other.refreshToken), 200);
  assert.equal(await statusOf(api, other.sessionId), 'active');
});

test('sessions are listed newest first, in pages, by status in any case and by time; tokens of another filter do not fit (FSA-41)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { userId } = await signIn('many+sktest@example.com');
  await site.gatewarden.database.rows(sql`delete from sessions where user_id = ${userId}`);
  await site.gatewarden.database.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at, ended_at, ended_because)
    select u.environment_id, 'ses_' || (100000000000000000 + i), sha256(i::text::bytea), sha256('browser'), u.id, 'email-code', at, at, at,
      case i % 4 when 1 then at + interval '1 minute' else '2099-01-01' end, '2099-01-02', case when i % 4 > 1 then at + interval '5 minutes' end,
      case i % 4 when 2 then 'admin' when 3 then 'signed-out' end
      from users u, generate_series(0, 23) i, lateral (select '2026-01-01'::timestamptz + i * interval '1 hour' as at) t where u.id = ${userId}`);
  const idsOf = (body: JsonObject) =>
    members(body, 'sessions').map(({ session_id: id }) => Number(String(id).slice(-2)));
  const all = Array.from({ length: 24 }, (_, index) => 23 - index);
  const first = ok(await api(sessionSteps.list(userId, { page_size: 10 })));
  assert.deepEqual([idsOf(first), first['total_size']], [all.slice(0, 10), 24]);
  assert.equal(first['prev_page_token'] ?? '', '');
  const next = String(first['next_page_token']);
  const second = ok(await api(sessionSteps.list(userId, { page_size: 10, page_token: next })));
  assert.deepEqual(idsOf(second), all.slice(10, 20));
  const back = String(second['prev_page_token']);
  assert.deepEqual(
    idsOf(ok(await api(sessionSteps.list(userId, { page_size: 10, page_token: back })))),
    all.slice(0, 10),
  );
  assert.deepEqual(idsOf(ok(await api(sessionSteps.list(userId)))), all.slice(0, 10), 'default');
  const more = ok(await api(sessionSteps.list(userId, { page_size: 5000 })));
  assert.equal(idsOf(more).length, 24);
  for (const [status, rest] of [
    ['ACTIVE', 0],
    ['expired', 1],
    ['Revoked', 2],
    ['logout', 3],
  ] as const) {
    const found = ok(await api(sessionSteps.list(userId, { page_size: 50 }, { status: [status] })));
    assert.deepEqual(
      idsOf(found),
      all.filter((index) => index % 4 === rest),
      status,
    );
    assert.equal(found['total_size'], 6);
  }
  const both = { status: ['active', 'logout'] };
  assert.equal(ok(await api(sessionSteps.list(userId, {}, both)))['total_size'], 12);
  const window = { start_time: '2026-01-01T02:00:00Z', end_time: '2026-01-01T05:00:00Z' };
  assert.deepEqual(idsOf(ok(await api(sessionSteps.list(userId, {}, window)))), [4, 3, 2]);
  const turned = { start_time: window.end_time, end_time: window.start_time };
  assert.deepEqual((await api(sessionSteps.list(userId, {}, turned))).fields, ['filter.end_time']);
  assert.equal((await api(sessionSteps.list(userId, { page_token: next }, both))).code, 3);
});

test('sessions and people of another environment are not found (FSA-1)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const db = site.gatewarden.database;
  await db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_9', 'https://other.example', '', 'DEVELOPMENT', now())`,
  );
  const { sessionId, userId } = await signIn('foreign+sktest@example.com');
  const foreignUser = 'usr_900000000000000000';
  const foreign = 'ses_900000000000000000';
  await db.rows(sql`
    insert into users (environment_id, id, email, email_key, revocation_secret, created_at, updated_at)
    select 'env_9', ${foreignUser}, 'x@example.com', 'x@example.com', revocation_secret, now(), now() from users where id = ${userId}`);
  await db.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at)
    select 'env_9', ${foreign}, token_hash, browser_hash, ${foreignUser}, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at
      from sessions where id = ${sessionId}`);
  for (const step of [
    sessionSteps.get(foreign),
    sessionSteps.revoke(foreign),
    sessionSteps.list(foreignUser),
    sessionSteps.revokeAll(foreignUser),
  ])
    assert.equal((await api(step)).code, 5, step.method.name);
  const rows = await db.rows<{ ended_at: Date | null }>(
    sql`select ended_at from sessions where id = ${foreign}`,
  );
  assert.equal(rows[0]?.ended_at, null);
});

test('a new session lives no longer than the policy of any organization the person belongs to, and is open in the only one (FSA-40)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const email = 'member+sktest@example.com';
  const { userId } = await signIn(email);
  const made = ok(await api(organizationSteps.create({ display_name: 'Strict' })));
  const organizationId = String(member(made, 'organization')['id']);
  const policy = {
    policy_source: 'CUSTOM',
    absolute_session_timeout: 60,
    idle_session_timeout_enabled: true,
    idle_session_timeout: 30,
  };
  ok(await api(organizationSteps.setPolicy(organizationId, policy)));
  await site.gatewarden.database.rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at)
    select environment_id, ${organizationId}, id, 'ACTIVE', 'api', now(), now() from users where id = ${userId}`);
  const { browser, sessionId } = await signIn(email);
  const session = ok(await api(sessionSteps.get(sessionId)));
  assert.deepEqual(
    [session['organization_id'], session['authenticated_organizations']],
    [organizationId, [organizationId]],
  );
  const at = (body: JsonObject, name: string) => Date.parse(String(body[name]));
  const made60 = at(session, 'absolute_expires_at') - at(session, 'created_at');
  const made30 = at(session, 'idle_expires_at') - at(session, 'created_at');
  assert.deepEqual([made60, made30], [3_600_000, 1_800_000]);
  site.gatewarden.clock.advance({ minutes: 20 });
  assert.equal(asPage(await browser.open(site.url({ client_id: client }))).step, 'consent');
  const used = ok(await api(sessionSteps.get(sessionId)));
  const moved = at(used, 'idle_expires_at') - at(session, 'idle_expires_at');
  assert.ok(moved > 1_190_000 && moved < 1_260_000, `use moves the idle end: ${moved}`);
  site.gatewarden.clock.advance({ minutes: 31 });
  assert.equal(
    asPage(await browser.open(site.url({ client_id: client }))).step,
    'identify',
    'idle for too long',
  );
  assert.equal(await statusOf(api, sessionId), 'expired');
});
