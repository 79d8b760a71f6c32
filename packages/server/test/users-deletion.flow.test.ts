import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sweepMails } from '../src/email/send-mails.job.ts';
import { updateEnvironmentSettings } from '../src/environments/environments.store.ts';
import { forgetPeople } from '../src/grants/forget-people.job.ts';
import { sweepLogins } from '../src/login/sweep-logins.job.ts';
import { asLanding, asPage } from '../src/testing/cookie-browser.ts';
import { LOOPBACK, type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { cookieBrowser, sql } from '../src/testing.ts';
import { type Api, managementApi, member, ok } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';
import { memberSteps, membershipOf, newMember, userSteps } from './user-steps.ts';

let site: McpSite;
/** A client that gets refresh tokens. */
let client_id: string;

before(async (t) => {
  site = await startMcpSite(t as never);
  client_id = await site.clientWith({
    redirect_uris: [LOOPBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
});

const idOf = (thing: JsonObject): string => String(thing['id']);
const anOrganization = async (api: Api): Promise<string> => idOf(await newOrganization(api));

type Access = { readonly userId: string; refresh(): Promise<{ status: number; error: unknown }> };

/** Signs a member in and connects a client in their name. */
async function connected(user: JsonObject): Promise<Access> {
  const browser = cookieBrowser(site.gatewarden.origin);
  const page = await site.consentOf(
    browser,
    site.url({ client_id, scope: 'todo:read offline_access' }),
    String(user['email']),
  );
  const landing = asLanding(await browser.submit(page, { decision: 'allow', confirm: 'yes' }));
  const { status, body } = await site.redeem(landing, { client_id });
  assert.equal(status, 200, JSON.stringify(body));
  const refresh_token = String(body['refresh_token']);
  return {
    userId: idOf(user),
    async refresh() {
      const answer = await site.redeem(landing, {
        client_id,
        grant_type: 'refresh_token',
        refresh_token,
      });
      return { status: answer.status, error: answer.body['error'] };
    },
  };
}

/** How many rows of a table are about somebody. */
async function left(userId: string): Promise<Record<string, number>> {
  const [row] = await site.gatewarden.database.rows<Record<string, number>>(sql`
    select (select count(*)::int from users where id = ${userId}) as users,
           (select count(*)::int from sessions where user_id = ${userId}) as sessions,
           (select count(*)::int from memberships where user_id = ${userId}) as memberships,
           (select count(*)::int from membership_roles where user_id = ${userId}) as roles,
           (select count(*)::int from invitations where user_id = ${userId}) as invitations,
           (select count(*)::int from api_keys where user_id = ${userId}) as keys,
           (select count(*)::int from grants where user_id = ${userId} and ended_at is null) as grants,
           (select count(*)::int from consents where user_id = ${userId} and revoked_at is null) as consents`);
  return row ?? {};
}

const NOTHING = {
  users: 0,
  sessions: 0,
  memberships: 0,
  roles: 0,
  invitations: 0,
  keys: 0,
  grants: 0,
  consents: 0,
};

async function entries(): Promise<number> {
  const rows = await site.gatewarden.database.rows(
    sql`select seq from revocations where mcp_server_id = ${site.server.id} and kind = 'handle'`,
  );
  return rows.length;
}

async function addKey(userId: string, organizationId: string): Promise<void> {
  await site.gatewarden.database.rows(sql`
    insert into api_keys (environment_id, id, organization_id, user_id, key_hash, suffix, created_at, updated_at)
    select id, ${`apit_${userId.slice(4)}`}, ${organizationId}, ${userId}, ${Buffer.from(userId)}::bytea, 'last', now(), now() from environments limit 1`);
}

test('whoever is deleted leaves nothing that works: sessions, refresh and access tokens, keys and memberships end, and servers are told (FSA-67)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const organization = await anOrganization(api);
  const user = await newMember(api, organization);
  const access = await connected(user);
  await addKey(access.userId, organization);
  const bystander = await connected(await newMember(api, organization));
  const [told, before] = [await entries(), await left(access.userId)];
  assert.deepEqual(
    [before['sessions'], before['keys'], before['grants'], before['consents']],
    [1, 1, 1, 1],
  );
  ok(await api(userSteps.delete(access.userId)));
  assert.deepEqual(await left(access.userId), NOTHING);
  assert.equal(await entries(), told + 1);
  assert.deepEqual(await access.refresh(), { status: 400, error: 'invalid_grant' });
  assert.equal((await bystander.refresh()).status, 200);
  const email = String(user['email']);
  const mails = await site.gatewarden.database.rows(
    sql`select id from mails where recipient = ${email}`,
  );
  assert.equal(mails.length, 0);
  assert.equal((await api(userSteps.delete(access.userId))).errorCode, 'USER_NOT_FOUND');

  // The same address is another person, who gets nothing of the first.
  const again = await newMember(api, organization, { email });
  assert.notEqual(idOf(again), access.userId);
  assert.deepEqual(await access.refresh(), { status: 400, error: 'invalid_grant' });
});

test('the last membership takes its person along, unless the call or the environment says not to; another one does not (FSA-66)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const [first, second] = [await anOrganization(api), await anOrganization(api)];
  const user = idOf(await newMember(api, first));
  ok(await api(memberSteps(second).join(user)));
  await addKey(user, first);
  ok(await api(memberSteps(first).leave(user)));
  assert.deepEqual(await left(user), { ...NOTHING, users: 1, memberships: 1, roles: 1 });
  ok(await api(memberSteps(second).leave(user, { cascade: false })));
  assert.deepEqual(await left(user), { ...NOTHING, users: 1 });
  ok(await api(memberSteps(second).join(user)));
  ok(await api(memberSteps(second).leave(user)));
  assert.deepEqual(await left(user), NOTHING);

  const { database } = site.gatewarden;
  const [row] = await database.rows<{ id: string }>(sql`select id from environments limit 1`);
  await updateEnvironmentSettings(database, row?.id ?? '', { deleteOrphanUsers: false });
  t.after(
    async () =>
      await updateEnvironmentSettings(database, row?.id ?? '', { deleteOrphanUsers: true }),
  );
  site.gatewarden.clock.advance({ seconds: 31 });
  const kept = idOf(await newMember(api, first));
  ok(await api(memberSteps(first).leave(kept)));
  assert.equal((await left(kept))['users'], 1);
  await updateEnvironmentSettings(database, row?.id ?? '', { deleteOrphanUsers: true });
  site.gatewarden.clock.advance({ seconds: 31 });
});

test('what was allowed in an organization ends with the membership in it; what was allowed elsewhere goes on (FSA-66)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const [first, second] = [await anOrganization(api), await anOrganization(api)];
  const user = await newMember(api, first);
  ok(await api(memberSteps(second).join(idOf(user))));
  const [here, there] = [await connected(user), await connected(user)];
  const { database } = site.gatewarden;
  const [newest] = await database.rows<{ id: string }>(
    sql`select id from grants where user_id = ${idOf(user)} and ended_at is null order by id desc limit 1`,
  );
  await database.rows(
    sql`update grants set organization_id = ${first} where user_id = ${idOf(user)} and ended_at is null and id <> ${newest?.id}`,
  );
  await database.rows(sql`update grants set organization_id = ${second} where id = ${newest?.id}`);
  await database.rows(sql`update sessions set organization_id = ${first}, authenticated_organizations = array[${first}::text, ${second}::text] where user_id = ${idOf(user)}
    and id = (select id from sessions where user_id = ${idOf(user)} order by id limit 1)`);
  await database.rows(sql`
    insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at, organization_id, authenticated_organizations)
    select environment_id, 'ses_100000000000000000', 'over'::bytea, browser_hash, user_id, method, created_at, created_at, created_at, '2020-01-01', '2020-01-01', ${first}, array[${first}::text]
      from sessions where user_id = ${idOf(user)} limit 1`);
  const told = await entries();
  ok(await api(memberSteps(first).leave(idOf(user))));
  assert.ok((await entries()) > told);
  assert.equal((await here.refresh()).status, 400);
  assert.equal((await there.refresh()).status, 200);
  const sessions = await database.rows<{
    ended_because: string | null;
    authenticated_organizations: string[];
  }>(
    sql`select ended_because, authenticated_organizations from sessions where user_id = ${idOf(user)} order by id`,
  );
  assert.deepEqual(
    sessions.map((one) => one.ended_because),
    [null, 'membership-deleted', null],
    'one that had expired stays expired',
  );
  assert.deepEqual(sessions[1]?.authenticated_organizations, [second]);
});

test('an organization that is deleted takes along people who have no other one, and only those (FSA-59)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const [closing, staying] = [await anOrganization(api), await anOrganization(api)];
  const only = await newMember(api, closing, { membership: { roles: [{ name: 'admin' }] } });
  const both = await newMember(api, closing);
  ok(await api(memberSteps(staying).join(idOf(both))));
  const invited = await newMember(api, closing, {}, true);
  const [gone, stays] = [await connected(only), await connected(both)];
  ok(await api(organizationSteps.delete(closing)));
  assert.deepEqual(await left(idOf(only)), NOTHING);
  assert.deepEqual(await left(idOf(invited)), NOTHING);
  assert.deepEqual(await gone.refresh(), { status: 400, error: 'invalid_grant' });
  assert.equal((await stays.refresh()).status, 200);
  const found = member(ok(await api(userSteps.get(idOf(both)))), 'user');
  assert.equal(membershipOf(found, closing), undefined);
  assert.equal(membershipOf(found, staying)?.['membership_status'], 'ACTIVE');
  const told = await site.gatewarden.database.rows<{ user_id: string | null; type: string }>(
    sql`select user_id, type from events where reason = 'organization-deleted' and type = 'user.deleted' and user_id in (${idOf(only)}, ${idOf(both)}, ${idOf(invited)})`,
  );
  assert.deepEqual(told.map(({ user_id }) => user_id).sort(), [idOf(only), idOf(invited)].sort());
  assert.equal((await api(organizationSteps.delete(closing))).errorCode, 'ORGANIZATION_NOT_FOUND');
});

test('somebody who is deleted while a sign-in is open in their browser is nobody there (attack: a cookie that outlives its person)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const user = await newMember(api, await anOrganization(api));
  const browser = cookieBrowser(site.gatewarden.origin);
  const consent = await site.consentOf(browser, site.url(), String(user['email']));
  ok(await api(userSteps.delete(idOf(user))));
  const after = asPage(await browser.submit(consent, { decision: 'allow' }));
  assert.ok(after.step === 'identify' || after.status >= 400, `${after.status} ${after.step}`);
});

test('nothing in the database says who somebody was who is gone, as soon as the last delivery about them is (FSA-67)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { database, clock } = site.gatewarden;
  const user = await newMember(api, await anOrganization(api), {
    email: 'forget.me+sktest@example.com',
    external_id: 'forget-me-too',
    user_profile: { first_name: 'Forgettable', phone_number: '+1 555 0100' },
    metadata: { nickname: 'forgetful' },
  });
  await connected(user);
  ok(await api(userSteps.delete(idOf(user))));
  const [waiting] = await database.rows<{ environment_id: string; id: bigint }>(
    sql`select environment_id, id from events where user_id = ${idOf(user)} and type = 'user.organization_membership_deleted'`,
  );
  assert.ok(waiting);
  await database.rows(sql`
    insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, next_attempt_at, created_at)
    values (${waiting.environment_id}, 'whe_1', ${waiting.id}, 'user.organization_membership_deleted', now(), now())`);
  await database.rows(sql`
    create function every_row() returns table (place text, line text) language plpgsql as $$
    begin
      for place in select tablename from pg_tables where schemaname = 'public' loop
        return query execute format('select %L::text, x::text from %I x', place, place);
      end loop;
    end $$`);
  t.after(async () => void (await database.rows(sql`drop function every_row`)));
  const places = async (): Promise<string[]> => {
    const rows = await database.rows<{ place: string }>(
      sql`select distinct place from every_row() where line ~* 'forget.?me|forgettable|forgetful|555 0100'`,
    );
    return rows.map(({ place }) => place).sort();
  };
  const forget = async () => {
    clock.advance({ days: 2 });
    await sweepLogins(site.gatewarden.context());
    await sweepMails(site.gatewarden.context());
    await forgetPeople(site.gatewarden.context());
  };
  assert.ok((await places()).includes('events'));
  await forget();
  assert.deepEqual(await places(), ['events'], 'what an endpoint has not heard yet');
  await database.rows(sql`update webhook_deliveries set next_attempt_at = null`);
  await forget();
  assert.deepEqual(await places(), []);
  const told = await database.rows<{ type: string }>(
    sql`select type from events where user_id = ${idOf(user)}`,
  );
  assert.ok(told.length > 4, 'what happened to whom stays in the log');
  assert.equal((await database.rows(sql`select user_id from deleted_users`)).length, 0);
});
