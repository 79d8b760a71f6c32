import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Database } from '../src/storage/db.ts';
import {
  sql,
  startTestGatewarden,
  type TestGatewarden,
  testPglite,
  testPostgres,
} from '../src/testing.ts';
import { type Api, managementApi, member, members, ok, type Step } from './management-api.ts';
import { newOrganization, organizationSteps as steps } from './organization-steps.ts';

let gatewarden: TestGatewarden;

// Only PostgreSQL has a second connection, so only there calls really meet.
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

const codesOf = (answers: readonly { code: number }[]): number[] =>
  answers.map(({ code }) => code).sort((a, b) => a - b);
const ten = <T>(make: () => T): T[] => Array.from({ length: 10 }, make);

test('of ten calls at once that take one external id or slug, or delete one organization, one succeeds', async (t) => {
  const api = await managementApi(t, gatewarden);
  const one = [0, 3, 3, 3, 3, 3, 3, 3, 3, 3];
  for (const taken of [{ external_id: 'race' }, { slug: 'race.example' }]) {
    const sent = { display_name: 'Race', ...taken };
    assert.deepEqual(codesOf(await Promise.all(ten(() => api(steps.create(sent))))), one);
    const others = await Promise.all(ten(() => newOrganization(api)));
    const [first = {}] = members(ok(await api(steps.search({ query: 'Race' }))), 'organizations');
    const freed = { external_id: '', slug: '' };
    ok(await api(steps.update(String(first['id']), freed)));
    const renamed = await Promise.all(others.map(({ id }) => api(steps.update(String(id), taken))));
    assert.deepEqual(codesOf(renamed), one);
    const gone = await Promise.all(ten(() => api(steps.delete(String(first['id'])))));
    assert.deepEqual(codesOf(gone), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
  }
});

test('changes of different members at once all hold, and none survives a deletion that came first', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let meeting = 0; meeting < 5; meeting += 1) {
    const id = String((await newOrganization(api))['id']);
    const custom = { policy_source: 'CUSTOM', absolute_session_timeout: 60 };
    const changes: Step[] = [
      steps.update(id, { display_name: 'Changed' }),
      steps.update(id, { metadata: { plan: 'pro' } }),
      steps.settings(id, [{ name: 'sso', enabled: true }]),
      steps.settings(id, [{ name: 'dir_sync', enabled: true }]),
      steps.setPolicy(id, custom),
      steps.setUserManagement(id, { max_allowed_users: 3 }),
    ];
    const answers = await Promise.all(changes.map((step) => api(step)));
    assert.deepEqual(codesOf(answers), [0, 0, 0, 0, 0, 0]);
    const organization = member(ok(await api(steps.get(id))), 'organization');
    assert.deepEqual(
      [organization['display_name'], organization['metadata']],
      ['Changed', { plan: 'pro' }],
    );
    const features = members(member(organization, 'settings'), 'features');
    assert.deepEqual(
      features.map(({ enabled }) => enabled),
      [true, true],
    );
    const policy = member(ok(await api(steps.getPolicy(id))), 'policy');
    assert.equal(policy['absolute_session_timeout'], 60);
    assert.deepEqual(ok(await api(steps.getUserManagement(id))), {
      settings: { max_allowed_users: 3 },
    });
    const [deleted, late] = await Promise.all([api(steps.delete(id)), api(changes[0] as Step)]);
    assert.ok(deleted.code === 0 && (late.code === 0 || late.code === 5));
    assert.equal((await api(steps.get(id))).code, 5);
  }
});

test('each call is a fixed number of statements, however many organizations there are', async (t) => {
  const database = await testPglite(t);
  let statements = 0;
  const counted = <D extends Database | Pick<Database, 'engine' | 'rows' | 'transaction'>>(
    db: D,
  ): D => ({
    ...db,
    rows: (query) => {
      // What runs in the background does not disturb.
      if (
        /\b(organizations|memberships|insert into events|from row_counts where)\b/.test(query.text)
      )
        statements += 1;
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counted(tx))),
  });
  const site = await startTestGatewarden(t, { database: counted(database) });
  const api = await managementApi(t, site);
  const caller = async (): Promise<number> => {
    statements = 0;
    assert.equal((await api(steps.get('org_123456789012345678'))).code, 5);
    return statements - 1;
  };
  await caller();
  const overhead = await caller();
  const cost = async (step: Step): Promise<number> => {
    statements = 0;
    ok(await api(step));
    return statements - overhead;
  };
  for (let index = 0; index < 15; index += 1) await newOrganization(api);
  const id = String((await newOrganization(api, { external_id: 'e' }))['id']);
  const costs: [Step, number][] = [
    [steps.create({ display_name: 'Acme' }), 2],
    [steps.get(id), 1],
    [steps.getByExternalId('e'), 1],
    [steps.list({ page_size: 15 }), 2],
    [steps.search({ query: 'acme' }), 2],
    [steps.update(id, { display_name: 'New', slug: 'new' }), 3],
    [steps.update(id, {}), 1],
    [steps.settings(id, [{ name: 'sso', enabled: true }]), 3],
    [steps.setPolicy(id, { policy_source: 'APPLICATION' }), 3],
    [steps.getPolicy(id), 1],
    [steps.applicationPolicy(id), 1],
    [steps.setUserManagement(id, {}), 3],
    [steps.getUserManagement(id), 1],
    [steps.delete(id), 4],
  ];
  for (const [step, expected] of costs)
    assert.equal(await cost(step), expected, `${step.method.name}`);
});

test('a search among many organizations reads the index over parts of names, a page reads the primary key', async (t) => {
  const { database } = await testPostgres(t);
  const site = await startTestGatewarden(t, { database });
  const { environmentId } = site.context();
  await database.rows(sql`
    insert into organizations (environment_id, id, display_name, search_text, created_at, updated_at)
    select ${environmentId}::text, 'org_7' || lpad(n::text, 17, '0'), 'Customer ' || n, lower('Customer ' || md5(n::text) || n), now(), now() from generate_series(1, 20000) as n`);
  await database.rows(sql`analyze organizations`);
  const api: Api = await managementApi(t, site);
  const wanted = await newOrganization(api, { display_name: 'Zyx Wholesale' });
  const found = ok(await api(steps.search({ query: 'zyx who' })));
  assert.deepEqual(
    members(found, 'organizations').map(({ id }) => id),
    [wanted['id']],
  );
  const plan = async (condition: ReturnType<typeof sql>): Promise<string> => {
    const rows = await database.rows<{ 'QUERY PLAN': string }>(
      sql`explain select id from organizations where environment_id = ${environmentId} and ${condition}`,
    );
    return rows.map((row) => row['QUERY PLAN']).join('\n');
  };
  assert.match(
    await plan(sql`search_parts @> trigrams(${'zyx who'})`),
    /organizations_by_search_parts/,
  );
  assert.match(await plan(sql`id < ${'org_8'} order by id desc limit 11`), /organizations_pkey/);
  assert.match(await plan(sql`external_id = ${'e'}`), /organizations_by_external_id/);
});
