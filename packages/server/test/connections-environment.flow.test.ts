import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { environmentConnectionSteps as environment } from './connection-steps.ts';
import {
  type Api,
  managementApi,
  member,
  ok,
  protocols,
  type Step,
  steps,
} from './management-api.ts';

const NO_SERVER = 'res_123456789012345678';
const [INVALID, NOT_FOUND, PRECONDITION, UNIMPLEMENTED] = [3, 5, 9, 12];
const { method } = ClientService;

const resourceSteps = {
  ensure: (id: string): Step => ({
    method: method.ensureResourceConnection,
    input: { resource_id: id },
    rest: ['POST', `/resources/${id}/connections`, {}],
  }),
  deleteProvider: (id: string): Step => ({
    method: method.deleteResourceProvider,
    input: { resource_id: id },
    rest: ['PUT', `/resources/${id}/provider:delete`],
  }),
};

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function connection(api: Api, step: Step): Promise<JsonObject> {
  return member(ok(await api(step)), 'connection');
}

async function typesOf(connectionId: string): Promise<string[]> {
  const rows = await gatewarden.database.rows<{ type: string }>(
    sql`select type from events where data ->> 'id' = ${connectionId} order by id`,
  );
  return rows.map(({ type }) => type);
}

for (const protocol of protocols)
  test(`social sign-in is a connection of the environment with a name of its own (contract: ConnectionService), ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const made = await connection(
      api,
      environment.create({ provider: 'GITHUB', type: 'OAUTH' }, { is_login: true }),
    );
    const id = String(made['id']);
    assert.match(String(made['key_id']), /^github-[0-9a-f]{10}$/);
    assert.equal(made['organization_id'], undefined);
    const redirect_uri = `${gatewarden.url}/sso/v1/oauth/${id}/callback`;
    assert.deepEqual(made['oauth_config'], { redirect_uri });
    const update = async (oauth_config: JsonObject, more: JsonObject = {}) =>
      await connection(api, environment.update(id, { provider: 'GITHUB', ...more, oauth_config }));
    await update({ client_id: 'Iv1', scopes: ['user:email'] });
    const whole = await update({ client_secret: 'very-secret', prompt: 'consent' });
    assert.deepEqual(
      [whole['status'], whole['oauth_config']],
      ['COMPLETED', { client_id: 'Iv1', scopes: ['user:email'], prompt: 'consent', redirect_uri }],
    );
    const cleared = await update({ prompt: '' }, { key_id: `social-${protocol}` });
    assert.equal((cleared['oauth_config'] as JsonObject)['prompt'], undefined);
    assert.equal(cleared['key_id'], `social-${protocol}`);
    assert.deepEqual(ok(await api(environment.enable(id))), { enabled: true });
    assert.match(String(ok(await api(environment.enable(id)))['error_message']), /already/);
    assert.equal((await connection(api, environment.get(id)))['enabled'], true);
    ok(await api(environment.disable(id)));
    const twin = { provider: 'GITHUB', type: 'OAUTH', key_id: `social-${protocol}` };
    const taken = await api(environment.create(twin));
    assert.deepEqual([taken.code, taken.fields], [INVALID, ['connection.key_id']]);
    ok(await api(environment.delete(id)));
    for (const step of [environment.get(id), environment.delete(id), environment.enable(id)])
      assert.equal((await api(step)).code, NOT_FOUND);
    assert.deepEqual(await typesOf(id), [
      'connection.created',
      'connection.updated',
      'connection.updated',
      'connection.updated',
      'connection.enabled',
      'connection.disabled',
      'connection.deleted',
    ]);
  });

test('codes, links and passkeys are configured as the contract says; what has no effect is refused', async (t) => {
  const api = await managementApi(t, gatewarden);
  const scalekit = { provider: 'SCALEKIT', provider_key: 'SCALEKIT' };
  const codes = await connection(api, environment.create({ ...scalekit, type: 'PASSWORDLESS' }));
  assert.equal(codes['status'], 'DRAFT');
  const codesId = String(codes['id']);
  const passwordless_config = {
    type: 'LINK_OTP',
    validity: 300,
    enforce_same_browser_origin: true,
  };
  const set = await connection(
    api,
    environment.update(codesId, { ...scalekit, passwordless_config }),
  );
  assert.deepEqual([set['status'], set['passwordless_config']], ['COMPLETED', passwordless_config]);
  for (const config of [
    { validity: 1 },
    { code_challenge_length: 4 },
    { frequency: 0 },
    { validity: 100_000 },
  ]) {
    const answer = await api(
      environment.update(codesId, { ...scalekit, passwordless_config: config }),
    );
    assert.equal(answer.code, INVALID, JSON.stringify(config));
  }

  const passkeys = { ...scalekit, type: 'WEBAUTHN' };
  assert.equal((await api(environment.create(passkeys))).code, INVALID, 'its key_id is WEBAUTHN');
  const made = await connection(api, environment.create({ ...passkeys, key_id: 'WEBAUTHN' }));
  const webauthn_config = {
    rp: { ids: ['acme.example'], origins: ['https://acme.example'] },
    authenticator_selection: { user_verification: 'required' },
    timeout: { login: '120s' },
    show_passkey_button: true,
  };
  const id = String(made['id']);
  const same = { ...passkeys, key_id: 'WEBAUTHN' };
  const passkey = await connection(api, environment.update(id, { ...same, webauthn_config }));
  assert.deepEqual([passkey['status'], passkey['webauthn_config']], ['COMPLETED', webauthn_config]);
  for (const unfit of [
    { timeout: { login: '5s' } },
    { rp: { ids: ['acme.example\0'], origins: ['https://acme.example'] } },
    { attestation: { enterprise_approved_ids: ['x'.repeat(17_000)] } },
  ]) {
    const { code } = await api(environment.update(id, { ...same, webauthn_config: unfit }));
    assert.equal(code, INVALID, JSON.stringify(unfit).slice(0, 80));
  }

  const social = await connection(api, environment.create({ provider: 'CUSTOM', type: 'OAUTH' }));
  const socialId = String(social['id']);
  const whole = { client_id: 'a', client_secret: 'b' };
  const partly = await connection(
    api,
    environment.update(socialId, { provider: 'CUSTOM', oauth_config: whole }),
  );
  assert.equal(partly['status'], 'IN_PROGRESS', 'the addresses of others are not known');
  for (const config of [
    { use_platform_creds: true },
    { app_name: 'x' },
    { extensions: { extra_authorize_params: { a: 'b' } } },
  ]) {
    const answer = await api(
      environment.update(socialId, { provider: 'CUSTOM', oauth_config: config }),
    );
    assert.deepEqual([answer.code, answer.fields.length], [INVALID, 1], JSON.stringify(config));
  }
});

test('connections of agents to other services are not offered: making one is UNIMPLEMENTED, listing them finds none', async (t) => {
  const api = await managementApi(t, gatewarden);
  const count = async () =>
    (await gatewarden.database.rows(sql`select id from connections`)).length;
  const before = await count();
  const app = await api(
    environment.create({ provider_key: 'HUBSPOT', type: 'OAUTH' }, { is_app: true }),
  );
  assert.deepEqual([app.code, app.errorCode], [UNIMPLEMENTED, 'NOT_IMPLEMENTED']);
  const keys = await api(environment.create({ provider_key: 'GOOGLEDWD', type: 'GOOGLE_DWD' }));
  assert.equal(keys.code, UNIMPLEMENTED);
  assert.equal(await count(), before);
  const none = ok(
    await api(environment.listApps({ page_size: 30, query: 'hub', provider: 'HUBSPOT' })),
  );
  assert.deepEqual(none['connections'] ?? [], []);
  for (const params of [
    { page_size: 31 },
    { query: 'ab' },
    { page_token: '>:bad' },
    { provider: 'x'.repeat(51) },
  ])
    assert.equal((await api(environment.listApps(params))).code, INVALID, JSON.stringify(params));
});

for (const protocol of protocols)
  test(`an MCP server gets one connection for an own login page, and can be without it again (SSO-66, contract: ClientService), ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const server = await gatewarden.mcpServer();
    const resource = async () => member(ok(await api(steps.getResource(server.id))), 'resource');
    assert.equal((await resource())['provider'], undefined);

    const racing = await Promise.all(
      [1, 2, 3].map(() => connection(api, resourceSteps.ensure(server.id))),
    );

    const [made] = racing;
    const id = String(made?.['id']);
    assert.deepEqual(made, {
      id,
      type: 'CUSTOM',
      status: 'DRAFT',
      provider: 'CUSTOM',
      settings: {},
    });
    for (const other of racing) assert.deepEqual(other, made);
    const authorize_uri = 'https://app.acme.example/login';
    const sent = { provider: 'CUSTOM', oauth_config: { authorize_uri } };
    const whole = await connection(api, environment.update(id, sent));
    assert.deepEqual(
      [whole['type'], whole['status'], whole['oauth_config']],
      [
        'TRUSTED_IDP',
        'COMPLETED',
        {
          authorize_uri,
          redirect_uri: `${gatewarden.url}/sso/v1/connections/${id}/partner:callback`,
        },
      ],
    );
    ok(await api(environment.enable(id)));
    const shown = await resource();
    const details = {
      id,
      type: 'CUSTOM',
      status: 'COMPLETED',
      enabled: true,
      provider: 'CUSTOM',
      settings: { authorize_uri },
    };
    assert.deepEqual([shown['provider'], shown['connection_details']], ['CUSTOM', details]);
    const [listed] = ok(await api(steps.listResources({ page_size: 1 })))[
      'resources'
    ] as JsonObject[];
    assert.deepEqual(listed?.['connection_details'], details);
    const used = await api(environment.delete(id));
    assert.deepEqual([used.code, used.errorCode], [PRECONDITION, 'CONNECTION_IN_USE']);

    const without = member(ok(await api(resourceSteps.deleteProvider(server.id))), 'resource');

    assert.deepEqual([without['provider'], without['connection_details']], [undefined, undefined]);
    assert.deepEqual(
      without,
      member(ok(await api(resourceSteps.deleteProvider(server.id))), 'resource'),
    );
    assert.equal((await api(environment.get(id))).code, NOT_FOUND);
    const next = String((await connection(api, resourceSteps.ensure(server.id)))['id']);
    ok(await api(steps.deleteResource(server.id)));
    assert.equal((await api(environment.get(next))).code, NOT_FOUND, 'it goes with its server');
    assert.deepEqual(await typesOf(next), ['connection.created', 'connection.deleted']);
    for (const step of [resourceSteps.ensure, resourceSteps.deleteProvider]) {
      for (const unknown of [server.id, NO_SERVER])
        assert.equal((await api(step(unknown))).code, NOT_FOUND, step(unknown).method.name);
      assert.equal((await api(step('conn_123456789012345'))).code, INVALID);
    }
  });
