import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPglite } from '../src/testing.ts';
import {
  connectionSteps,
  customer,
  environmentConnectionSteps as environment,
  newConnection,
  OIDC_CONFIG,
} from './connection-steps.ts';
import { domainSteps, newDomain } from './domain-steps.ts';
import { type Api, managementApi, members, ok, protocols, type Step } from './management-api.ts';
import { organizationSteps } from './organization-steps.ts';

const INVALID = 3;
const OURS = /\b(connections|connection_domains|domains|organizations|redirect_uris\) as uri)\b/;

let gatewarden: TestGatewarden;
let statements = 0;

/** Counts statements about connections and domains; what runs in the background does not disturb. */
function counting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text)) statements += 1;
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  };
}

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, {
    database: counting(await testPglite(t as never)),
  });
});

async function ids(api: Api, step: Step): Promise<unknown[]> {
  return members(ok(await api(step)), 'connections').map(({ id }) => id);
}

/** A connection that people can sign in by. */
async function inUse(api: Api, organizationId: string): Promise<string> {
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  ok(await api(own.update(id, { provider: 'OKTA', oidc_config: OIDC_CONFIG })));
  ok(await api(own.enable(id)));
  return id;
}

for (const protocol of protocols)
  test(`connections are listed by organization and by domain: those in use, or all (SSO-2, SSO-11), ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const organizationId = await customer(api);
    const domain = `${protocol.toLowerCase()}-list.example`;
    const { id: domainId } = await newDomain(api, organizationId, { domain });
    const used = await inUse(api, organizationId);
    const draft = String((await newConnection(api, organizationId))['id']);
    const of = { organization_id: organizationId };
    const [entry, ...none] = members(ok(await api(environment.list(of))), 'connections');
    assert.deepEqual(none, []);
    assert.ok(entry?.['created_at']);
    const { created_at, ...shown } = entry;
    assert.deepEqual(shown, {
      id: used,
      provider: 'OKTA',
      provider_key: 'OKTA',
      type: 'OIDC',
      status: 'COMPLETED',
      enabled: true,
      organization_id: organizationId,
      organization_name: 'Acme',
      domains: [domain],
    });
    assert.deepEqual(await ids(api, environment.list({ ...of, include: 'all' })), [draft, used]);
    assert.deepEqual(await ids(api, environment.list({ domain: domain.toUpperCase() })), [used]);
    assert.deepEqual(await ids(api, environment.list({ domain, include: 'all' })), [draft, used]);
    for (const other of [`x.${domain}`, 'gmail.com', 'not a domain', 'x'])
      assert.deepEqual(await ids(api, environment.list({ domain: other })), [], other);
    for (const params of [
      { domain: '' },
      { domain: `${'a'.repeat(29)}.com` },
      { organization_id: '' },
    ])
      assert.equal((await api(environment.list(params))).code, INVALID, JSON.stringify(params));
    const elsewhere = await customer(api);
    assert.deepEqual(await ids(api, environment.list({ domain, organization_id: elsewhere })), []);
    ok(await api(connectionSteps(organizationId).disable(used)));
    assert.deepEqual(await ids(api, environment.list({ domain })), []);
    ok(await api(connectionSteps(organizationId).enable(used)));
    ok(await api(domainSteps.delete(organizationId, String(domainId))));
    assert.deepEqual(
      await ids(api, environment.list({ domain })),
      [],
      'routing ends at once (SSO-50)',
    );
  });

test('an unproven claim of a domain leads nobody anywhere (SSO-48)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  ok(
    await api(
      organizationSteps.settings(organizationId, [{ name: 'domain_verification', enabled: true }]),
    ),
  );
  await inUse(api, organizationId);
  await newDomain(api, organizationId, { domain: 'victim.example' });
  assert.deepEqual(
    await ids(api, environment.list({ domain: 'victim.example', include: 'all' })),
    [],
  );
  const [entry] = members(
    ok(await api(environment.list({ organization_id: organizationId }))),
    'connections',
  );
  assert.ok(entry && entry['domains'] === undefined, 'nobody reads it from a list either');
});

test('connections of organizations are listed and searched in parts, newest first', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  ok(await api(organizationSteps.update(organizationId, { display_name: 'Zeppelin Works' })));
  const used = await inUse(api, organizationId);
  const saml = String(
    (await newConnection(api, organizationId, { provider: 'ADFS', type: 'SAML' }))['id'],
  );
  const third = String(
    (await newConnection(api, organizationId, { provider_key: 'SHIBBOLETH', type: 'SAML' }))['id'],
  );
  const social = environment.create({ provider: 'GITHUB', type: 'OAUTH' });
  ok(await api(social));
  const first = ok(await api(environment.listOfOrganizations({ page_size: 2 })));
  assert.deepEqual(
    members(first, 'connections').map(({ id }) => id),
    [third, saml],
  );
  const page_token = String(first['next_page_token']);
  const next = ok(await api(environment.listOfOrganizations({ page_size: 2, page_token })));
  assert.equal(members(next, 'connections')[0]?.['id'], used);
  const back = { page_size: 2, page_token: String(next['prev_page_token']) };
  assert.deepEqual(await ids(api, environment.listOfOrganizations(back)), [third, saml]);
  const rows = await gatewarden.database.rows(
    sql`select id from connections where organization_id is not null`,
  );
  assert.equal(first['total_size'], rows.length);

  const search = async (params: JsonObject) => await ids(api, environment.search(params));
  assert.deepEqual(await search({ query: 'PELIN wor' }), [third, saml, used]);
  assert.deepEqual(await search({ query: organizationId }), [third, saml, used]);
  assert.deepEqual(await search({ query: saml }), [saml]);
  assert.deepEqual(await search({ query: 'zeppelin', connection_type: 'OIDC' }), [used]);
  assert.deepEqual(await search({ query: 'zeppelin', status: 'DRAFT' }), [third, saml]);
  assert.deepEqual(await search({ query: 'zeppelin', enabled: true }), [used]);
  assert.deepEqual(await search({ query: 'zeppelin', enabled: false, provider: 'adfs' }), [saml]);
  assert.deepEqual(await search({ query: 'zeppelin', provider: 'Shibboleth' }), [third]);
  assert.deepEqual(await search({ query: '%__%' }), []);
  const found = ok(await api(environment.search({ query: 'zeppelin', page_size: 2 })));
  assert.equal(found['total_size'], 3);
  const foreignToken = { page_token: String(found['next_page_token']) };
  const refused = [
    { query: 'ab' },
    { query: 'x'.repeat(101) },
    { page_size: 31 },
    { status: 9 },
    { connection_type: 99 },
    { query: 'other', ...foreignToken },
    { page_token: 'nonsense' },
  ];
  for (const params of refused)
    assert.equal((await api(environment.search(params))).code, INVALID, JSON.stringify(params));
  assert.equal((await api(environment.listOfOrganizations(foreignToken))).code, INVALID);
});

test('how many statements a call about connections and domains takes does not depend on how many there are', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = await inUse(api, organizationId);
  const domainId = String((await newDomain(api, organizationId, { domain: 'cost.example' }))['id']);
  const calls: readonly (readonly [Step, number])[] = [
    [own.get(id), 2],
    [own.update(id, { provider: 'OKTA', oidc_config: { client_id: 'x' } }), 3],
    [own.enable(id), 3],
    [own.assign(id, [domainId]), 5],
    [environment.list({ organization_id: organizationId, include: 'all' }), 2],
    [environment.list({ domain: 'cost.example' }), 1],
    [environment.listOfOrganizations({ page_size: 30 }), 2],
    [environment.search({ query: organizationId, page_size: 30 }), 2],
    [domainSteps.get(organizationId, domainId), 2],
    [domainSteps.list(organizationId, { page_size: 100 }), 2],
    [domainSteps.verify(organizationId, domainId), 2],
    [domainSteps.authorized('https://app.acme.example'), 1],
  ];
  const expensive = async () => {
    for (const [step, most] of calls) {
      statements = 0;
      ok(await api(step));
      assert.ok(statements <= most, `${step.method.name}: ${statements} statements`);
    }
  };
  await expensive();
  for (let index = 0; index < 12; index += 1) {
    await newConnection(api, organizationId);
    await newDomain(api, organizationId, { domain: `cost-${index}.example` });
  }
  await expensive();
});
