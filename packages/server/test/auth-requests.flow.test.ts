import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { AuditLogsService } from '@gatewarden/contract/scalekit/v1/auditlogs/auditlogs_pb';
import { forgetAuthRequests } from '../src/login/forget-auth-requests.job.ts';
import { asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow } from '../src/testing/oauth-client.ts';
import { disablePerson, sql } from '../src/testing.ts';
import { type Api, managementApi, members, ok, protocols, type Step } from './management-api.ts';
import { collectCleanup } from './sign-in-site.ts';

let site: McpSite;
const cleanup = collectCleanup();
before(async () => {
  site = await startMcpSite(cleanup);
});
after(cleanup.run);

const list = (params: JsonObject = {}): Step => ({
  method: AuditLogsService.method.listAuthRequests,
  input: params,
  rest: ['GET', `/logs/authentication/requests?${query(params)}`],
});

function query(params: JsonObject): URLSearchParams {
  const pairs = Object.entries(params).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, String(one)]),
  );
  return new URLSearchParams(pairs);
}

const entries = async (api: Api, params: JsonObject = {}) =>
  members(ok(await api(list(params))), 'authRequests');

/** State and reason of the newest line. */
async function newest(): Promise<readonly [string | undefined, string | null | undefined]> {
  const rows = await site.gatewarden.database.rows<{ state: string; reason: string | null }>(
    sql`select state, reason from auth_requests order by id desc limit 1`,
  );
  return [rows[0]?.state, rows[0]?.reason];
}

async function lines(): Promise<number> {
  const rows = await site.gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from auth_requests`,
  );
  return rows[0]?.count ?? 0;
}

test('one line follows an authorization request from its arrival over the sign-in to the code (FSA-89)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const browser = cookieBrowser(site.gatewarden.origin);
  const email = 'followed+sktest@example.com';
  const before = await lines();
  const first = asPage(await browser.open(site.url()));
  assert.deepEqual(await newest(), ['INITIATED', null]);
  const code = asPage(await browser.submit(first, { email: email.toUpperCase() }));
  assert.deepEqual(await newest(), ['PENDING', null]);
  const consent = asPage(await browser.submit(code, { code: '424242', action: 'verify' }));
  await allow(browser, consent);
  assert.deepEqual(await newest(), ['SUCCESS', null]);
  assert.equal(await lines(), before + 1);
  const [entry] = await entries(api);
  const { auth_request_id: id, timestamp, email: shown, ...rest } = entry ?? {};
  assert.match(String(id), /^req_[0-9]{19}$/);
  assert.equal(String(shown).toLowerCase(), email);
  assert.ok(Math.abs(Date.parse(String(timestamp)) - Date.now()) < 60_000);
  assert.deepEqual(rest, {
    environment_id: site.gatewarden.environment.id,
    status: 'SUCCESS',
    workflow: 'MCP',
    resource_id: site.server.id,
    resource_name: 'Calendar',
    resource_type: 'MCP_SERVER',
    client_id: site.loopback,
    client_name: 'Test client',
    client_type: 'NTV',
  });
  asPage(await browser.open(site.url()));
  assert.deepEqual(await newest(), ['INITIATED', null]);
  const denied = asPage(await browser.open(site.url()));
  await browser.submit(denied, { decision: 'deny' });
  assert.deepEqual(await newest(), ['FAILED', 'access_denied']);
  const [last] = await entries(api);
  assert.equal(String(last?.['email']).toLowerCase(), email, 'who was signed in all along');
});

test('what is refused at once, silently or after the sign-in is a failure with its reason (FSA-89)', async (t) => {
  const browser = cookieBrowser(site.gatewarden.origin);
  await browser.open(site.url({ response_type: 'token' }));
  assert.deepEqual(await newest(), ['FAILED', 'unsupported_response_type']);
  await browser.open(site.url({ redirect_uri: 'https://evil.example/cb' }));
  assert.deepEqual(await newest(), ['FAILED', 'redirect-uri-not-registered']);
  await browser.open(site.url({ client_id: 'm2m_100000000000000000' }));
  assert.equal((await newest())[0], 'FAILED');
  await browser.open(site.url({ prompt: 'none' }));
  assert.deepEqual(await newest(), ['FAILED', 'login_required']);

  const email = 'disabled+sktest@example.com';
  const signIn = async () => {
    const mine = cookieBrowser(site.gatewarden.origin);
    const code = asPage(await mine.submit(asPage(await mine.open(site.url())), { email }));
    return asPage(await mine.submit(code, { code: '424242', action: 'verify' }));
  };
  await signIn();
  const rows = await site.gatewarden.database.rows<{ id: string }>(
    sql`select id from users where email = ${email}`,
  );
  await disablePerson(site.gatewarden.context(), rows[0]?.id ?? '');
  await signIn();
  assert.deepEqual(await newest(), ['FAILED', 'user-disabled']);
  const api = await managementApi(t, site.gatewarden);
  const [entry] = await entries(api, { email: email.toUpperCase(), status: ['failed'] });
  assert.equal(entry?.['email'], email);
});

for (const protocol of protocols)
  test(`over ${protocol} the log is filtered by everything the contract names, and paged (FSA-89)`, async (t) => {
    const api = await managementApi(t, site.gatewarden, protocol);
    const { database, environment } = site.gatewarden;
    await database.rows(sql`delete from auth_requests`);
    // Ids of 2026-01-01 and the hours after: milliseconds, 22 bits further up.
    await database.rows(sql`
      insert into auth_requests (environment_id, id, state, workflow, email, email_key, client_id, mcp_server_id, created_at, updated_at)
      select ${environment.id}, 'req_' || ((extract(epoch from at) * 1000)::bigint * 4194304), (array['INITIATED', 'PENDING', 'SUCCESS', 'FAILED'])[1 + i % 4], 'MCP',
        'p' || i % 3 || '@example.com', 'p' || i % 3 || '@example.com', case i % 2 when 0 then ${site.loopback} else 'skc_1' end, case when i % 5 = 0 then 'res_1' end, at, at
        from generate_series(0, 23) i, lateral (select '2026-01-01'::timestamptz + i * interval '1 hour' as at) t`);
    const all = Array.from({ length: 24 }, (_, index) => 23 - index);
    const hours = (body: JsonObject[]) =>
      body.map(({ timestamp }) => new Date(String(timestamp)).getUTCHours());
    const first = ok(await api(list()));
    assert.deepEqual(hours(members(first, 'authRequests')), all.slice(0, 10));
    assert.equal(first['total_size'], 24);
    const next = String(first['next_page_token']);
    const second = ok(await api(list({ page_token: next })));
    assert.deepEqual(hours(members(second, 'authRequests')), all.slice(10, 20));
    const back = ok(await api(list({ page_token: String(second['prev_page_token']) })));
    assert.deepEqual(members(back, 'authRequests'), members(first, 'authRequests'));
    const cases: [JsonObject, (index: number) => boolean][] = [
      [{ status: ['failed'] }, (i) => i % 4 === 3],
      [{ status: ['Success', 'INITIATED'] }, (i) => i % 2 === 0],
      [{ email: 'P1@Example.com' }, (i) => i % 3 === 1],
      [{ client_id: site.loopback }, (i) => i % 2 === 0],
      [{ resource_id: 'res_1' }, (i) => i % 5 === 0],
      [{ start_time: '2026-01-01T20:00:00Z' }, (i) => i >= 20],
      [{ end_time: '2026-01-01T03:00:00Z' }, (i) => i < 3],
      [
        {
          start_time: '2026-01-01T05:00:00Z',
          end_time: '2026-01-01T09:00:00Z',
          status: ['PENDING'],
        },
        (i) => i === 5,
      ],
      [{ email: 'nobody@example.com' }, () => false],
      [{ connected_account_identifier: 'x' }, () => false],
      [{ start_time: '0001-01-01T00:00:00Z', end_time: '9999-12-31T23:59:59Z' }, () => true],
    ];
    for (const [filter, fits] of cases) {
      const found = ok(await api(list({ page_size: 50, ...filter })));
      const expected = all.filter(fits);
      assert.deepEqual(hours(members(found, 'authRequests')), expected, JSON.stringify(filter));
      assert.equal(found['total_size'] ?? 0, expected.length);
    }
    for (const [params, code] of [
      [{ status: ['gone'] }, 3],
      [{ page_token: 'x' }, 3],
      [{ page_token: next, email: 'p1@example.com' }, 3],
      [{ start_time: '2026-01-02T00:00:00Z', end_time: '2026-01-01T00:00:00Z' }, 3],
    ] as const)
      assert.equal((await api(list(params as JsonObject))).code, code, JSON.stringify(params));
    assert.equal((await api(list(), undefined)).code, 16);
    await database.rows(sql`update auth_requests set environment_id = 'env_9'`);
    assert.deepEqual(await entries(api), [], 'another environment’s log is not ours');
    await database.rows(sql`update auth_requests set environment_id = ${environment.id}`);
  });

test('lines of more than 90 days ago are forgotten, and no younger ones', async () => {
  const { app, database, clock } = site.gatewarden;
  await database.rows(sql`delete from auth_requests`);
  const open = () => cookieBrowser(site.gatewarden.origin).open(site.url());
  await open();
  clock.advance({ days: 89 });
  await open();
  await forgetAuthRequests(app);
  assert.equal(await lines(), 2);
  clock.advance({ days: 2 });
  await forgetAuthRequests(app);
  assert.equal(await lines(), 1);
});
