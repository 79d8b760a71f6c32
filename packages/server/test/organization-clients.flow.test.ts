import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { decodeJwt } from 'jose';
import { sql, startTestGatewarden, type TestGatewarden, token } from '../src/testing.ts';
import {
  type Api,
  managementApi,
  member,
  members,
  ok,
  protocols,
  type Step,
  steps,
} from './management-api.ts';
import { organizationClientSteps as own } from './organization-client-steps.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';

type Answer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };
type Machine = { readonly id: string; readonly secret: string; readonly shown: JsonObject };

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function acme(api: Api): Promise<string> {
  return String((await newOrganization(api))['id']);
}

async function newMachine(api: Api, org: string, client: JsonObject = {}): Promise<Machine> {
  const body = ok(await api(own.create(org, { name: 'Robot', ...client })));
  const shown = member(body, 'client');
  return { id: String(shown['client_id']), secret: String(body['plain_secret']), shown };
}

async function tokenOf(
  { id, secret }: Pick<Machine, 'id' | 'secret'>,
  more: Record<string, string> = {},
  issuer = gatewarden.url,
): Promise<Answer> {
  return await token(issuer, {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
    ...more,
  });
}

async function introspected(value: unknown): Promise<boolean> {
  const answer = await fetch(`${gatewarden.url}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({
      token: String(value),
      client_id: gatewarden.client.id,
      client_secret: gatewarden.client.secret ?? '',
    }),
  });
  const body: unknown = await answer.json();
  return Reflect.get(Object(body), 'active') === true;
}

const refused = (answer: Answer): unknown[] => [answer.status, answer.body['error']];
const codeOf = async (api: Api, step: Step): Promise<number> => (await api(step)).code;

for (const protocol of protocols) {
  test(`over ${protocol} a machine of an organization is made, changed and deleted, and its tokens name the organization (FSA-77)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const org = await acme(api);
    const machine = await newMachine(api, org, {
      description: 'Deploys',
      scopes: ['deploy:app', 'read:app'],
      audience: ['https://api.acme.example/v1', 'urn:acme:billing'],
      custom_claims: [
        { key: 'workspace', value: 'w1' },
        { key: 'tier', value: 'gold' },
      ],
      expiry: '120',
    });
    assert.match(machine.id, /^m2morg_[0-9]{15,19}$/);
    const { create_time: at, update_time: changedAt, secrets, ...shown } = machine.shown;
    assert.equal(at, changedAt);
    assert.deepEqual(shown, {
      client_id: machine.id,
      name: 'Robot',
      description: 'Deploys',
      organization_id: org,
      scopes: ['deploy:app', 'read:app'],
      audience: ['https://api.acme.example/v1', 'urn:acme:billing'],
      custom_claims: [
        { key: 'tier', value: 'gold' },
        { key: 'workspace', value: 'w1' },
      ],
      expiry: '120',
    });
    assert.deepEqual(
      (secrets as JsonObject[]).map(({ secret_suffix: suffix }) => suffix),
      [machine.secret.slice(-4)],
    );
    const granted = await tokenOf(machine);
    assert.equal(granted.status, 200, JSON.stringify(granted.body));
    const { access_token: access, ...rest } = granted.body;
    assert.deepEqual(rest, {
      token_type: 'Bearer',
      expires_in: 120,
      scope: 'deploy:app read:app',
    });
    const { iat = 0, exp = 0, jti, rvk: _, ...claims } = decodeJwt(String(access));
    assert.match(String(jti), /^tkn_[0-9]+$/);
    assert.equal(exp - iat, 120);
    assert.deepEqual(claims, {
      iss: gatewarden.url,
      sub: machine.id,
      client_id: machine.id,
      azp: machine.id,
      gty: 'client-credentials',
      oid: org,
      org_id: org,
      aud: ['https://api.acme.example/v1', 'urn:acme:billing'],
      scope: 'deploy:app read:app',
      scopes: ['deploy:app', 'read:app'],
      custom_claims: { workspace: 'w1', tier: 'gold' },
    });

    const change = {
      name: 'Android',
      scopes: ['read:app'],
      custom_claims: [{ key: 'a', value: 'b' }],
    };
    const changed = member(ok(await api(own.update(org, machine.id, change))), 'client');
    assert.deepEqual(
      [changed['name'], changed['description'], changed['scopes'], changed['custom_claims']],
      ['Android', 'Deploys', ['read:app'], [{ key: 'a', value: 'b' }]],
    );
    assert.deepEqual([changed['expiry'], changed['audience']], ['120', machine.shown['audience']]);
    assert.deepEqual(member(ok(await api(own.get(org, machine.id))), 'client'), changed);
    assert.equal(
      decodeJwt(String((await tokenOf(machine)).body['access_token']))['scope'],
      'read:app',
    );
    assert.ok(!JSON.stringify(ok(await api(own.list(org)))).includes(machine.secret));

    assert.equal(await introspected(access), true);
    ok(await api(own.delete(org, machine.id)));
    assert.deepEqual(refused(await tokenOf(machine)), [401, 'invalid_client']);
    assert.equal(await introspected(access), false, 'what it had is revoked');
    for (const step of [
      own.get(org, machine.id),
      own.delete(org, machine.id),
      own.update(org, machine.id, { name: 'x' }),
      own.addSecret(org, machine.id),
    ])
      assert.equal(await codeOf(api, step), 5, step.method.name);
  });
}

test('a machine gets exactly the scopes and audiences it asks for, among its own, and an hour without a word (FSA-77, AS-148)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const plain = await newMachine(api, org);
  assert.equal(plain.shown['expiry'], '3600');
  const bare = await tokenOf(plain);
  assert.deepEqual([bare.body['expires_in'], bare.body['scope']], [3600, '']);
  const claims = decodeJwt(String(bare.body['access_token']));
  assert.deepEqual(
    [claims.aud, claims['scopes'], claims['custom_claims']],
    [undefined, [], undefined],
  );

  const machine = await newMachine(api, org, {
    scopes: ['a', 'b', 'c'],
    audience: ['https://one.example', 'https://two.example'],
  });
  assert.equal((await tokenOf(machine, { scope: 'c a' })).body['scope'], 'c a');
  for (const scope of ['d', 'a d', 'openid', 'a  admin'])
    assert.deepEqual(refused(await tokenOf(machine, { scope })), [400, 'invalid_scope'], scope);
  for (const name of ['resource', 'audience']) {
    const one = await tokenOf(machine, { [name]: 'https://two.example' });
    assert.deepEqual(decodeJwt(String(one.body['access_token'])).aud, ['https://two.example']);
    for (const value of ['https://three.example', `${gatewarden.url}/api`, gatewarden.url])
      assert.deepEqual(refused(await tokenOf(machine, { [name]: value })), [400, 'invalid_target']);
  }
  assert.deepEqual(refused(await tokenOf({ ...machine, secret: 'x' })), [401, 'invalid_client']);
  const { id } = await gatewarden.mcpServer();
  const atServer = await tokenOf(machine, {}, `${gatewarden.url}/resources/${id}`);
  assert.deepEqual(refused(atServer), [401, 'invalid_client'], 'it belongs to no MCP server');
  for (const grant of ['authorization_code', 'refresh_token'])
    assert.equal(
      (await tokenOf(machine, { grant_type: grant })).body['error'],
      'unauthorized_client',
    );
});

test('a token of an organization’s machine opens neither the management API nor userinfo (AS-149, privilege escalation)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const access = (await tokenOf(await newMachine(api, org, { scopes: ['openid'] }))).body[
    'access_token'
  ];
  const authorization = `Bearer ${access}`;
  for (const step of [
    own.list(org),
    own.create(org, { name: 'Mine' }),
    organizationSteps.get(org),
    steps.listResources(),
  ]) {
    const { code, errorCode } = await api(step, authorization);
    assert.deepEqual([code, errorCode], [7, 'PERMISSION_DENIED'], step.method.name);
  }
  const userinfo = await fetch(`${gatewarden.url}/userinfo`, { headers: { authorization } });
  assert.ok([401, 403].includes(userinfo.status), String(userinfo.status));
});

test('a machine ends with its organization at once: credentials, tokens and row (FSA-59, FSA-77)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const [machine, deleted] = [await newMachine(api, org), await newMachine(api, org)];
  const granted = (await tokenOf(machine)).body['access_token'];
  ok(await api(own.delete(org, deleted.id)));
  ok(await api(organizationSteps.delete(org)));
  assert.deepEqual(refused(await tokenOf(machine)), [401, 'invalid_client']);
  assert.equal(await introspected(granted), false);
  assert.equal(await codeOf(api, own.list(org)), 5);
  const rows = await gatewarden.database.rows(
    sql`select id from clients where organization_id = ${org}`,
  );
  assert.equal(rows.length, 0);
});

test('two secrets work side by side, a third is refused, and the last one stays (FSA-4, FSA-77)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const machine = await newMachine(api, org);
  const first = String(members(machine.shown, 'secrets')[0]?.['id']);
  assert.match(first, /^sec_[0-9]+$/);
  const added = ok(await api(own.addSecret(org, machine.id)));
  const second = { id: machine.id, secret: String(added['plain_secret']) };
  for (const one of [machine, second]) assert.equal((await tokenOf(one)).status, 200);
  const third = await api(own.addSecret(org, machine.id));
  assert.deepEqual([third.code, third.errorCode], [9, 'TOO_MANY_SECRETS']);
  ok(await api(own.deleteSecret(org, machine.id, first)));
  assert.deepEqual([(await tokenOf(machine)).status, (await tokenOf(second)).status], [401, 200]);
  const last = await api(own.deleteSecret(org, machine.id, String(member(added, 'secret')['id'])));
  assert.deepEqual([last.code, last.message], [9, 'last client cannot be deleted']);
  assert.equal((await tokenOf(second)).status, 200);
  const again = await api(own.deleteSecret(org, machine.id, first));
  assert.deepEqual([again.code, again.errorCode], [5, 'SECRET_NOT_FOUND']);
});

test('what a machine cannot have is refused by name, and nothing is written (AS-148, AS-151)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.acme.example/mcp' });
  const { id } = await newMachine(api, org);
  const claim = (key: string, value = 'v'): JsonObject => ({ custom_claims: [{ key, value }] });
  const bad: [JsonObject, string][] = [
    [{ name: 'a'.repeat(129) }, 'client.name'],
    [{ name: 'a\0' }, 'client.name'],
    [{ description: 'a'.repeat(513) }, 'client.description'],
    [{ scopes: ['a b'] }, 'client.scopes[0]'],
    [{ scopes: ['a', ''] }, 'client.scopes[1]'],
    [{ scopes: ['a"'] }, 'client.scopes[0]'],
    [{ scopes: Array.from({ length: 101 }, (_, index) => `s${index}`) }, 'client.scopes'],
    [{ audience: [''] }, 'client.audience[0]'],
    [{ audience: ['https://a.example', gatewarden.url] }, 'client.audience[1]'],
    [{ audience: [`${gatewarden.url}/api`] }, 'client.audience[0]'],
    [
      { audience: [`${gatewarden.url.toUpperCase().replace('HTTP', 'http')}/API`] },
      'client.audience[0]',
    ],
    [{ audience: [server.id] }, 'client.audience[0]'],
    [{ audience: ['https://mcp.acme.example/mcp'] }, 'client.audience[0]'],
    [{ audience: ['HTTPS://MCP.acme.example:443/mcp/'] }, 'client.audience[0]'],
    [{ audience: [gatewarden.client.id] }, 'client.audience[0]'],
    [{ audience: [id] }, 'client.audience[0]'],
    [{ audience: ['usr_123456789012345678'] }, 'client.audience[0]'],
    [{ audience: Array.from({ length: 11 }, (_, index) => `urn:a:${index}`) }, 'client.audience'],
    [claim('sub'), 'client.custom_claims[0].key'],
    [claim('oid'), 'client.custom_claims[0].key'],
    [claim('custom_claims'), 'client.custom_claims[0].key'],
    [claim('__proto__'), 'client.custom_claims[0].key'],
    [claim(''), 'client.custom_claims[0].key'],
    [claim('k', 'v'.repeat(1001)), 'client.custom_claims[0]'],
    [
      {
        custom_claims: Array.from({ length: 5 }, (_, index) => ({
          key: `k${index}`,
          value: 'v'.repeat(900),
        })),
      },
      'client.custom_claims',
    ],
    [
      {
        custom_claims: [
          { key: 'k', value: '1' },
          { key: 'k', value: '2' },
        ],
      },
      'client.custom_claims[1].key',
    ],
    [{ expiry: '59' }, 'client.expiry'],
    [{ expiry: '86401' }, 'client.expiry'],
    [{ expiry: '-1' }, 'client.expiry'],
  ];
  for (const [client, field] of bad)
    for (const step of [own.create(org, client), own.update(org, id, client)]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(client));
    }
  assert.equal(members(ok(await api(own.list(org))), 'clients').length, 1);
});

test('an attacker with a token for an address finds no MCP server there later (AS-148, confused deputy)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = await acme(api);
  const audience = ['urn:other', 'https://Later.example/Mcp/'];
  const machine = await newMachine(api, org, { audience });
  const register = async (resource_uri: string) =>
    await api(steps.createResource({ name: 'Later', resource_uri }));
  for (const uri of ['https://later.example/Mcp', 'HTTPS://LATER.example:443/Mcp/']) {
    const { code, fields } = await register(uri);
    assert.deepEqual([code, fields], [3, ['resource.resource_uri']], uri);
  }
  const made = member(ok(await register('https://later.example/mcp')), 'resource');
  const moved = { resource_uri: 'https://later.example/Mcp' };
  const { code, fields } = await api(steps.updateResource(String(made['id']), moved));
  assert.deepEqual([code, fields], [3, ['resource.resource_uri']]);
  assert.equal((await tokenOf(machine)).status, 200);
  ok(await api(own.update(org, machine.id, { audience: ['urn:other'] })));
  ok(await api(steps.updateResource(String(made['id']), moved)));
  // As after two calls at the same moment, of which neither saw the other.
  await gatewarden.database.rows(
    sql`update clients set settings = ${JSON.stringify({ audience })}::jsonb, row_version = row_version + 1 where id = ${machine.id}`,
  );
  assert.deepEqual(refused(await tokenOf(machine)), [400, 'invalid_target']);
});

test('machines of another organization or environment are not found, and pages stay in their list (tenant isolation)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [org, other] = [await acme(api), await acme(api)];
  const ids: string[] = [];
  for (let index = 0; index < 5; index += 1) ids.unshift((await newMachine(api, org)).id);
  const [first = ''] = ids;
  const secret = String(
    members(member(ok(await api(own.get(org, first))), 'client'), 'secrets')[0]?.['id'],
  );
  const foreign = (at: string, id: string): Step[] => [
    own.get(at, id),
    own.update(at, id, { name: 'Mine' }),
    own.delete(at, id),
    own.addSecret(at, id),
    own.deleteSecret(at, id, secret),
  ];
  const unknown = 'org_999999999999999';
  const machine = await gatewarden.machine((await gatewarden.mcpServer()).id);
  for (const at of [other, unknown])
    for (const step of foreign(at, first))
      assert.equal(await codeOf(api, step), 5, step.method.name);
  for (const step of [own.list(unknown), own.create(unknown, {})])
    assert.equal(await codeOf(api, step), 5, step.method.name);
  for (const id of ['x', machine.id, gatewarden.client.id])
    for (const step of foreign(org, id)) assert.equal(await codeOf(api, step), 3, step.method.name);
  for (const step of [
    own.list('acme'),
    own.list(org, { page_size: '101' }),
    own.list(org, { page_token: 'x' }),
    own.deleteSecret(org, first, 'x'),
    steps.createSecret(first),
  ])
    assert.equal(await codeOf(api, step), 3, step.method.name);

  const shown = (body: JsonObject): unknown[] =>
    members(body, 'clients').map((one) => one['client_id']);
  const page = ok(await api(own.list(org, { page_size: '2' })));
  assert.deepEqual([shown(page), page['total_size']], [ids.slice(0, 2), 5]);
  const next = { page_size: '10', page_token: String(page['next_page_token']) };
  const rest = ok(await api(own.list(org, next)));
  assert.deepEqual([shown(rest), rest['next_page_token']], [ids.slice(2), undefined]);
  assert.equal(await codeOf(api, own.list(other, next)), 3, 'a token of another list');
  assert.deepEqual(shown(ok(await api(own.list(other)))), []);
});
