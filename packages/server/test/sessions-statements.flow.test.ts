import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AuditLogsService } from '@gatewarden/contract/scalekit/v1/auditlogs/auditlogs_pb';
import type { Db } from '../src/storage/db.ts';
import { asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { LOOPBACK, type McpSite, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, token } from '../src/testing/oauth-client.ts';
import { sql, testPglite } from '../src/testing.ts';
import { type Api, managementApi, ok, type Step } from './management-api.ts';
import { sessionSteps } from './session-steps.ts';
import { collectCleanup } from './sign-in-site.ts';

const OURS = /\b(sessions|auth_requests|grants|events|users)\b/;
/** Jobs look into the same tables. */
const BACKGROUND = /\bwebhook_deliveries\b/;

let site: McpSite;
let statements: string[] = [];

/** Notes statements about sessions and requests; what runs in the background does not disturb. */
function noting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text) && !BACKGROUND.test(query.text)) statements.push(query.text);
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(noting(tx))),
  };
}

const cleanup = collectCleanup();
before(async () => {
  site = await startMcpSite(cleanup, { database: noting(await testPglite(cleanup)) });
});
after(cleanup.run);

async function cost(api: Api, step: Step): Promise<number> {
  statements = [];
  ok(await api(step));
  return statements.length;
}

const about = (table: RegExp) => statements.filter((text) => table.test(text));

test('the log of requests costs a request for authorization no statement of its own, and tokens nothing at all (docs/adr/0005)', async () => {
  const client = await site.clientWith({
    redirect_uris: [LOOPBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const browser = cookieBrowser(site.gatewarden.origin);
  const target = site.url({ client_id: client });
  const email = 'cost+sktest@example.com';
  statements = [];
  const first = asPage(await browser.open(target));
  assert.equal(about(/\bauth_requests\b/).length, 1);
  assert.match(about(/\bauth_requests\b/)[0] ?? '', /insert into login_requests/);
  const code = asPage(await browser.submit(first, { email }));
  const consent = asPage(await browser.submit(code, { code: '424242', action: 'verify' }));
  statements = [];
  const landing = await allow(browser, consent);
  assert.equal(about(/\bauth_requests\b/).length, 1);
  assert.match(about(/\bauth_requests\b/)[0] ?? '', /update login_requests/);
  statements = [];
  const { body } = await site.redeem(landing, { client_id: client });
  const refreshed = await token(site.issuer, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: String(body['refresh_token']),
  });
  assert.equal(refreshed.status, 200);
  assert.deepEqual(about(/\bauth_requests\b|update sessions/), []);
});

test('how many statements a call about sessions or requests takes does not depend on how many there are', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { database, environment } = site.gatewarden;
  const [user] = await database.rows<{ id: string }>(sql`select id from users`);
  const userId = user?.id ?? '';
  const more = async (from: number, to: number) => {
    await database.rows(sql`
      insert into sessions (environment_id, id, token_hash, browser_hash, user_id, method, authenticated_at, created_at, last_active_at, idle_expires_at, absolute_expires_at)
      select ${environment.id}, 'ses_' || (100000000000000000 + i), sha256(i::text::bytea), 'x', ${userId}, 'email-code', now(), now(), now(), '2099-01-01', '2099-01-01'
        from generate_series(${from}::int, ${to}::int) i`);
    await database.rows(sql`
      insert into auth_requests (environment_id, id, state, workflow, client_id, mcp_server_id, created_at, updated_at)
      select ${environment.id}, 'req_' || (1000000000000000000 + i), 'INITIATED', 'MCP', ${site.loopback}, ${site.server.id}, now(), now()
        from generate_series(${from}::int, ${to}::int) i`);
  };
  const log: Step = {
    method: AuditLogsService.method.listAuthRequests,
    input: {},
    rest: ['GET', '/logs/authentication/requests?page_size=100'],
  };
  await more(1, 3);
  const calls: readonly (readonly [Step, number])[] = [
    [sessionSteps.list(userId, { page_size: 100 }), 2],
    [sessionSteps.get('ses_100000000000000001'), 1],
    [log, 2],
    [sessionSteps.revoke('ses_100000000000000001'), 6],
    [sessionSteps.revokeAll(userId), 6],
  ];
  for (const [step, most] of calls) {
    const taken = await cost(api, step);
    assert.ok(taken <= most, `${step.method.name}: ${taken}\n${statements.join('\n')}`);
  }
  await database.rows(sql`delete from sessions where id like 'ses_1000000%'`);
  await database.rows(sql`delete from auth_requests where id like 'req_1000000%'`);
  await more(1, 150);
  for (const [step, most] of calls) {
    const taken = await cost(api, step);
    assert.ok(taken <= most, `${step.method.name}: ${taken}\n${statements.join('\n')}`);
  }
});
