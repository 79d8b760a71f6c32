import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, testPglite } from '../src/testing.ts';
import { type Headers, join, operator, organization, person, portal } from './every-caller.ts';
import { managementToken } from './management-api.ts';

const OURS =
  /\b(operators|operator_sessions|portal_links|portal_sessions|sessions|memberships|organizations)\b/;
let statements: string[] = [];

/** Notes statements about callers and what they call about; what runs in the background does not disturb. */
function counting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text)) statements.push(query.text.trim().slice(0, 80));
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  };
}

test('who calls is one statement, two for a person; members and portal links take as many for a hundred as for one', async (t) => {
  const database = counting(await testPglite(t));
  const gatewarden = await startTestGatewarden(t, { database });
  const org = await organization(gatewarden, 'Own');
  const { id: mcpServerId } = await gatewarden.mcpServer({
    serverUrl: 'https://m.example.com/mcp',
  });
  const ana = await person(gatewarden, mcpServerId, 'ana+sktest@example.com');
  await join(gatewarden, { userId: ana.userId, organizationId: org, roles: ['admin'] });
  const owner = (await operator(gatewarden, 'owner')).headers;
  const client = { authorization: `Bearer ${await managementToken(gatewarden)}` };
  const opened = (await portal(gatewarden, org)).headers;
  const call = async (headers: Headers, verb: string, path: string, body?: object) => {
    statements = [];
    const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method: verb,
      headers: { ...headers, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    });
    assert.ok(response.ok, `${verb} ${path}: ${response.status} ${await response.text()}`);
    return statements;
  };
  const costs = async (
    headers: Headers,
    verb: string,
    path: string,
    most: number,
    body?: object,
  ) => {
    const seen = await call(headers, verb, path, body);
    assert.ok(seen.length <= most, `${verb} ${path}: ${seen.length}\n${seen.join('\n')}`);
  };
  const links = `/organizations/${org}/portal_links`;
  for (const round of ['few', 'many']) {
    await costs(owner, 'GET', `/organizations/${org}`, 2);
    await costs(opened, 'GET', `/organizations/${org}`, 2);
    await costs(ana.headers, 'GET', `/organizations/${org}`, 3);
    await costs(client, 'GET', '/members?page_size=100', 2);
    await costs(client, 'POST', '/members', 1, { email: `${round}@example.com` });
    await costs(client, 'PUT', links, 2);
    await costs(owner, 'GET', links, 3);
    if (round === 'many') break;
    await gatewarden.database.rows(sql`
      insert into operators (environment_id, id, email, email_key, role, created_at, updated_at)
      select environment_id, 'mem_' || (100000000000000000 + n), n || '@example.com', n || '@example.com', 'viewer', created_at, updated_at
        from operators, generate_series(1, 100) as n where email_key = 'owner@example.com'`);
    await gatewarden.database.rows(sql`
      insert into portal_links (environment_id, id, organization_id, key_hash, features, created_at, expires_at)
      select environment_id, 'lnk_' || (100000000000000000 + n), organization_id, sha256(n::text::bytea), features, created_at, created_at + interval '1 day'
        from (select * from portal_links limit 1) as one, generate_series(1, 100) as n`);
  }
  await costs(owner, 'DELETE', links, 3);
  const events = await gatewarden.database.rows(
    sql`select id from events where type = 'portal_link.deleted'`,
  );
  assert.ok(events.length > 100, `${events.length} events`);
});
