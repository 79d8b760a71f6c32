import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import {
  connectionSteps,
  customer,
  environmentConnectionSteps as environment,
  newConnection,
  OIDC_CONFIG,
} from './connection-steps.ts';
import { newDomain } from './domain-steps.ts';
import { type Api, managementApi, member, ok, protocols, type Step } from './management-api.ts';
import { organizationSteps } from './organization-steps.ts';

const NOBODY = 'org_123456789012345678';
const NOTHING = 'conn_123456789012345678';
const [INVALID, NOT_FOUND, PRECONDITION, UNIMPLEMENTED] = [3, 5, 9, 12];

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

type Written = { type: string; data: JsonObject };

async function eventsOf(connectionId: string): Promise<Written[]> {
  return await gatewarden.database.rows<Written>(
    sql`select type, data from events where data ->> 'id' = ${connectionId} order by id`,
  );
}

async function connection(api: Api, step: Step): Promise<JsonObject> {
  return member(ok(await api(step)), 'connection');
}

for (const protocol of protocols)
  test(`a connection of an organization begins as a draft, is configured, enabled, disabled and deleted (SSO-1, SSO-2, contract: ConnectionService), ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const organizationId = await customer(api);
    const own = connectionSteps(organizationId);

    const made = await newConnection(api, organizationId, { provider: 'OKTA', type: 'OIDC' });

    const id = String(made['id']);
    assert.match(id, /^conn_[0-9]{15,19}$/);
    const { create_time, update_time, oidc_config, ...rest } = made;
    assert.ok(create_time && update_time);
    assert.deepEqual(rest, {
      id,
      provider: 'OKTA',
      provider_key: 'OKTA',
      type: 'OIDC',
      status: 'DRAFT',
      organization_id: organizationId,
    });
    const base = `${gatewarden.url}/sso/v1/oidc/${id}`;
    const addresses = {
      redirect_uri: `${base}/callback`,
      post_logout_redirect_uri: `${base}/logout/callback`,
      backchannel_logout_redirect_uri: `${base}/backchannel-logout`,
    };
    assert.deepEqual(oidc_config, addresses);
    const early = await api(own.enable(id));
    assert.deepEqual([early.code, early.errorCode], [PRECONDITION, 'CONNECTION_INCOMPLETE']);

    const { client_secret, ...shown } = OIDC_CONFIG;
    const half = { provider: 'OKTA', type: 'OIDC', oidc_config: shown };
    assert.equal((await connection(api, own.update(id, half)))['status'], 'IN_PROGRESS');
    const rest_of_it = {
      provider: 'OKTA',
      oidc_config: { client_secret, scopes: ['openid', 'email'] },
    };
    const whole = await connection(api, own.update(id, rest_of_it));
    assert.deepEqual(
      [whole['status'], whole['oidc_config']],
      ['COMPLETED', { ...shown, ...addresses, scopes: ['openid', 'email'] }],
    );
    assert.deepEqual(await connection(api, own.get(id)), whole);

    assert.deepEqual(ok(await api(own.enable(id))), { enabled: true });
    const again = ok(await api(own.enable(id)));
    assert.deepEqual(again, { enabled: true, error_message: 'the connection is enabled already' });
    assert.deepEqual(ok(await api(own.disable(id)))['enabled'] ?? false, false);
    assert.match(String(ok(await api(own.disable(id)))['error_message']), /disabled already/);
    ok(await api(own.delete(id)));
    for (const step of [own.get(id), own.delete(id), own.enable(id), own.disable(id)])
      assert.equal((await api(step)).code, NOT_FOUND, step.method.name);

    const events = await eventsOf(id);
    assert.deepEqual(
      events.map(({ type }) => type),
      [
        'organization.sso_created',
        'connection.updated',
        'connection.updated',
        'organization.sso_enabled',
        'organization.sso_disabled',
        'organization.sso_deleted',
      ],
    );
    const facts = {
      id,
      organization_id: organizationId,
      connection_type: 'OIDC',
      provider: 'OKTA',
    };
    assert.deepEqual(events[0]?.data, facts);
    assert.deepEqual(events[3]?.data, { ...facts, enabled: true, status: 'COMPLETED' });
    assert.deepEqual(events[4]?.data, { ...facts, enabled: false, status: 'COMPLETED' });
    assert.deepEqual(events[5]?.data, facts);
    assert.ok(!JSON.stringify(events).includes(client_secret), 'no event has the secret');
  });

test('people who sign in by a connection never meet a half configured one: it is disabled before', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  const base = { provider: 'OKTA', type: 'OIDC' };
  ok(await api(own.update(id, { ...base, oidc_config: OIDC_CONFIG })));
  ok(await api(organizationSteps.settings(organizationId, [{ name: 'sso', enabled: false }])));
  const off = await api(own.enable(id));
  assert.deepEqual([off.code, off.errorCode], [PRECONDITION, 'SSO_DISABLED']);
  ok(await api(organizationSteps.settings(organizationId, [{ name: 'sso', enabled: true }])));
  const racing = await Promise.all([1, 2, 3, 4].map(() => api(own.enable(id))));
  assert.equal(racing.filter((answer) => ok(answer)['error_message'] === undefined).length, 1);
  for (const config of [{ client_id: '' }, { client_secret: '' }, { issuer: '' }]) {
    const answer = await api(own.update(id, { ...base, oidc_config: config }));
    assert.deepEqual(
      [answer.code, answer.errorCode],
      [PRECONDITION, 'CONNECTION_ENABLED'],
      JSON.stringify(config),
    );
  }
  ok(await api(own.update(id, { ...base, oidc_config: { client_id: 'another' } })));
  assert.equal((await connection(api, own.get(id)))['enabled'], true);
  const events = (await eventsOf(id)).filter(({ type }) => type === 'organization.sso_enabled');
  assert.equal(events.length, 1);
});

test('which connections there are is decided by type, provider and key (contract: CreateConnection)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const refused: JsonObject[] = [
    {},
    { provider: 'OKTA' },
    { type: 'SAML' },
    { provider: 'GOOGLE', type: 'OAUTH' },
    { provider: 'SCALEKIT', type: 'PASSWORDLESS', provider_key: 'SCALEKIT' },
    { provider: 'SCALEKIT', type: 'WEBAUTHN', provider_key: 'SCALEKIT', key_id: 'WEBAUTHN' },
    { provider: 'CUSTOM', type: 'TRUSTED_IDP' },
    { provider: 'SCALEKIT', type: 'SAML' },
    { provider: 'OKTA', type: 'SAML', provider_key: 'GOOGLE' },
    { type: 'SAML', provider_key: 'no spaces please' },
    { type: 'SAML', provider_key: 'x'.repeat(51) },
    { type: 'SAML', provider: 'OKTA', key_id: randomBytes(6000).toString('base64') },
  ];
  for (const sent of refused)
    assert.equal((await api(own.create(sent))).code, INVALID, JSON.stringify(sent));
  for (const type of ['BASIC', 'API_KEY', 'GOOGLE_DWD', 'PASSWORD', 'NO_AUTH']) {
    const answer = await api(own.create({ provider: 'CUSTOM', type }));
    assert.deepEqual([answer.code, answer.errorCode], [UNIMPLEMENTED, 'NOT_IMPLEMENTED'], type);
  }
  const okta = await newConnection(api, organizationId, {
    provider: 'OKTA',
    type: 'SAML',
    provider_key: '',
  });
  assert.deepEqual(
    [okta['provider'], okta['provider_key'], okta['enabled'] ?? false],
    ['OKTA', 'OKTA', false],
  );
  const rows = await gatewarden.database.rows(
    sql`select id from connections where organization_id = ${organizationId}`,
  );
  assert.equal(rows.length, 1, 'what is refused leaves nothing');
});

test('connections of another organization, of the environment, unknown ids and malformed ones are refused alike', async (t) => {
  const api = await managementApi(t, gatewarden);
  const owner = await customer(api);
  const stranger = await customer(api);
  const id = String((await newConnection(api, owner))['id']);
  const social = await connection(api, environment.create({ provider: 'GITHUB', type: 'OAUTH' }));
  const sent = { provider: 'OKTA', type: 'OIDC' };
  const calls = (organization: string, connectionId: string): Step[] => {
    const own = connectionSteps(organization);
    return [
      own.get(connectionId),
      own.update(connectionId, sent),
      own.enable(connectionId),
      own.disable(connectionId),
      own.assign(connectionId, []),
      own.delete(connectionId),
    ];
  };
  const unknown = [
    ...calls(stranger, id),
    ...calls(owner, NOTHING),
    ...calls(NOBODY, id),
    ...calls(owner, String(social['id'])),
    environment.get(id),
    environment.update(id, sent),
    environment.enable(id),
    environment.disable(id),
    environment.delete(id),
    connectionSteps(NOBODY).create(sent),
    environment.list({ organization_id: NOBODY }),
    environment.testResult(id, 'test_123456789012345678'),
  ];
  for (const step of unknown)
    assert.equal(
      (await api(step)).code,
      NOT_FOUND,
      `${step.method.name} ${JSON.stringify(step.input)}`,
    );
  const malformed = [
    ...calls(owner, 'dom_123456789012345'),
    ...calls('acme', id),
    environment.get('connection'),
    environment.delete('org_123456789012345'),
    connectionSteps('acme').create(sent),
    environment.list({ organization_id: 'acme' }),
    environment.testResult(id, 'test_1'),
    environment.testResult('conn', 'test_123456789012345678'),
  ];
  for (const step of malformed)
    assert.equal(
      (await api(step)).code,
      INVALID,
      `${step.method.name} ${JSON.stringify(step.input)}`,
    );
  assert.equal((await connection(api, connectionSteps(owner).get(id)))['status'], 'DRAFT');
  assert.equal(
    (await api(environment.getContext(id))).code,
    7,
    'a context is for people on our pages',
  );
});

test('a connection is for the domains that were assigned to it, else for all of its organization', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = await customer(api);
  const own = connectionSteps(organizationId);
  const id = String((await newConnection(api, organizationId))['id']);
  const ids: string[] = [];
  for (const name of ['first', 'second', 'third'])
    ids.push(
      String((await newDomain(api, organizationId, { domain: `${name}-assigned.example` }))['id']),
    );
  const [first = '', second = '', third = ''] = ids;
  const domains = async (step: Step) =>
    ((await connection(api, step))['domains'] as JsonObject[]).map((domain) => domain['id']);
  assert.deepEqual(await domains(own.get(id)), [third, second, first]);
  assert.deepEqual(await domains(own.assign(id, [first, second, first])), [second, first]);
  assert.deepEqual(await domains(own.assign(id, [second])), [second]);
  assert.deepEqual(await domains(own.get(id)), [second]);
  const foreign = await customer(api);
  const theirs = String(
    (await newDomain(api, foreign, { domain: 'theirs-assigned.example' }))['id'],
  );
  assert.equal((await api(own.assign(id, [first, theirs]))).code, NOT_FOUND);
  const suggested = { domain: 'first-assigned.example', domain_type: 'ALLOWED_EMAIL_DOMAIN' };
  const allowed = String((await newDomain(api, organizationId, suggested))['id']);
  assert.equal((await api(own.assign(id, [allowed]))).code, INVALID);
  assert.equal((await api(own.assign(id, ['first']))).code, INVALID);
  const many = Array.from({ length: 51 }, (_, index) => `dom_1234567890123456${10 + index}`);
  assert.equal((await api(own.assign(id, many))).code, INVALID);
  assert.deepEqual(await domains(own.get(id)), [second], 'what is refused changes nothing');
  assert.deepEqual(await domains(own.assign(id, [])), [third, second, first]);
});
