import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden, token } from '../src/testing.ts';
import { managementApi, member, members, ok, type Step, steps } from './management-api.ts';

let gatewarden: TestGatewarden;
let count = 0;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

/** A Server URL nobody else has. */
function serverUrl(): string {
  count += 1;
  return `https://mcp-${count}.example.com/mcp`;
}

test('each way in which a Server URL cannot be an audience is refused, and so is one in use in another spelling (AS-36, AS-148)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { origin } = new URL(serverUrl());
  await gatewarden.mcpServer({ serverUrl: `${origin}/mcp` });
  const own = new URL(gatewarden.url);
  const refused = [
    'mcp.example.com',
    '/mcp',
    'ftp://mcp.example.com/mcp',
    'http://mcp.example.com/mcp',
    'https://user@mcp.example.com/mcp',
    'https://user:pw@mcp.example.com/mcp',
    'https://mcp.example.com/mcp#x',
    'https://mcp.example.com/mcp?a=b',
    'https://mcp.example.com/a/../mcp',
    'https://mcp.example.com/./mcp',
    'https://mcp.example.com/%2e%2e/mcp',
    'https://mcp.example.com/a%2Fb',
    'https://mcp.example.com/a%5Cb',
    'https://mcp.example.com\\mcp',
    'https://mcp.example.com./mcp',
    'https://mcp.example.com:99999/mcp',
    'https://mcp.example.com/ mcp',
    'https://mcp.example.com/ä',
    `${own.origin}/mcp`,
    `${own.origin}`,
    `${gatewarden.url}/resources/res_123456789012345678`,
    'res_123456789012345678',
    'skc_123456789012345678',
    gatewarden.environment.id,
    `${origin}/mcp`,
    `${origin}/mcp/`,
    `${origin.toUpperCase()}/mcp`,
    `${origin}:443/mcp`,
  ];
  for (const url of refused) {
    const answer = await api(steps.createResource({ name: 'Calendar', resource_uri: url }));
    assert.deepEqual(
      [answer.code, answer.errorCode, answer.fields],
      [3, 'INVALID_ARGUMENT', ['resource.resource_uri']],
      url,
    );
  }
  for (const url of [
    `${origin}/MCP`,
    `${origin}:8443/mcp`,
    `${origin}/mcp/x`,
    'http://127.0.0.1:3333/mcp',
  ])
    ok(await api(steps.createResource({ name: 'Calendar', resource_uri: url })));
  const other = await gatewarden.mcpServer();
  const taken = await api(steps.updateResource(other.id, { resource_uri: `${origin}/mcp/` }));
  assert.deepEqual([taken.code, taken.fields], [3, ['resource.resource_uri']]);
});

test('a Server URL that is the id of a client is refused: audiences and client ids are one name space (AS-148)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const url = 'https://client.example.net/metadata.json';
  await gatewarden.database.rows(sql`
    insert into clients (environment_id, id, kind, registration, revocation_secret, created_at, updated_at)
    values (${gatewarden.environment.id}, ${url}, 'mcp', 'metadata-document', ${new Uint8Array(32)}, now(), now())`);
  const answer = await api(steps.createResource({ name: 'Calendar', resource_uri: url }));
  assert.deepEqual([answer.code, answer.fields], [3, ['resource.resource_uri']]);
});

test('members that would have no effect, or make no sense, are refused by name, and nothing is written', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { total_size: total } = ok(await api(steps.listResources()));
  const refused: [JsonObject, string][] = [
    [{ resource_type: 'WEB' }, 'resource.resource_type'],
    [{ provider: 'byoa' }, 'resource.provider'],
    [{ xaa_enabled: true }, 'resource.xaa_enabled'],
    [{ intersect_scopes_user_permission: true }, 'resource.intersect_scopes_user_permission'],
    [{ access_token_expiry: '59' }, 'resource.access_token_expiry'],
    [{ access_token_expiry: '86401' }, 'resource.access_token_expiry'],
    [{ access_token_expiry: '-1' }, 'resource.access_token_expiry'],
    [{ access_token_expiry: '9223372036854775807' }, 'resource.access_token_expiry'],
    [{ refresh_token_expiry: '59' }, 'resource.refresh_token_expiry'],
    [{ refresh_token_expiry: '31536001' }, 'resource.refresh_token_expiry'],
    [{ name: '' }, 'resource.name'],
    [{ name: ' \u200b ' }, 'resource.name'],
    [{ name: 'a'.repeat(129) }, 'resource.name'],
    [{ name: 'a\0b' }, 'resource.name'],
    [{ description: 'a'.repeat(513) }, 'resource.description'],
    [{ description: '\0' }, 'resource.description'],
    [{ logo_uri: 'http://example.com/logo.png' }, 'resource.logo_uri'],
    [{ logo_uri: 'javascript:alert(1)' }, 'resource.logo_uri'],
    [{ scopes: ['with.dot'] }, 'resource.scopes'],
    [{ scopes: [''] }, 'resource.scopes'],
    [{ scopes: ['offline_access'] }, 'resource.scopes'],
    [{ scopes: ['a', 'a'] }, 'resource.scopes'],
    [{ scopes: Array.from({ length: 101 }, (_, index) => `s${index}`) }, 'resource.scopes'],
    [
      { resource_uri: 'https://a.example.org', resource_id: 'https://b.example.org' },
      'resource.resource_id',
    ],
  ];
  for (const [resource, field] of refused) {
    const answer = await api(steps.createResource({ name: 'Calendar', ...resource }));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(resource));
  }
  const missing = await api({
    ...steps.createResource({}),
    rest: ['POST', '/resources', { name: 'Calendar' }],
  });
  assert.deepEqual([missing.code, missing.fields], [3, ['resource.resource_type']]);
  assert.equal(ok(await api(steps.listResources()))['total_size'], total);
});

test('ids that cannot be ids are malformed, and those of nobody or of another environment are not found', async (t) => {
  const api = await managementApi(t, gatewarden);
  const foreign = 'res_123456789012345670';
  const { database } = gatewarden;
  await database.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_2', 'https://other.example', 'Other', 'PRODUCTION', now())`,
  );
  await database.rows(
    sql`insert into mcp_servers (environment_id, id, name, created_at, updated_at) values ('env_2', ${foreign}, 'Foreign', now(), now())`,
  );
  await database.rows(
    sql`insert into permissions (environment_id, id, name, created_at, updated_at) values ('env_2', 'perm_123456789012345670', 'foreign:read', now(), now())`,
  );
  const of = (id: string): Step[] => [
    steps.getResource(id),
    steps.updateResource(id, { name: 'Mine now' }),
    steps.deleteResource(id),
    steps.getSettings(id),
    steps.updateSettings(id, { enabled: false }),
    steps.listClients(id),
    steps.createClient(id, { name: 'x' }),
    steps.getClient(id, 'm2m_123456789012345678'),
    steps.listConsents(id),
  ];
  for (const step of [
    ...of(foreign),
    ...of('res_123456789012345679'),
    steps.getPermission('foreign:read'),
    steps.deletePermission('foreign:read'),
  ])
    assert.equal((await api(step)).code, 5, JSON.stringify(step.rest));
  for (const id of [
    'res_1',
    'app_123456789012345678',
    'res_12345678901234567x',
    `res_${'1'.repeat(28)}`,
    `res_${'1'.repeat(40)}`,
  ])
    for (const step of of(id)) assert.equal((await api(step)).code, 3, JSON.stringify(step.rest));
  const rows = await database.rows<{ name: string; enabled: boolean }>(
    sql`select name, enabled from mcp_servers where environment_id = 'env_2' and deleted_at is null`,
  );
  assert.deepEqual(
    rows.map(({ name, enabled }) => ({ name, enabled })),
    [{ name: 'Foreign', enabled: true }],
  );
});

test('a mask says what changes: an empty member goes back to its default, one outside of the mask stays, and an unknown one is refused', async (t) => {
  const api = await managementApi(t, gatewarden, 'gRPC');
  const url = serverUrl();
  const server = await gatewarden.mcpServer({
    serverUrl: url,
    description: 'Dates',
    accessTokenLifetime: 600,
    registrationEnabled: false,
  });
  const update = (resource: JsonObject, mask?: string): Step => ({
    ...steps.updateResource(server.id, {}),
    input: {
      resource_id: server.id,
      resource,
      ...(mask === undefined ? {} : { update_mask: mask }),
    },
  });
  const read = (answer: JsonObject): unknown[] => {
    const one = member(answer, 'resource');
    return [
      one['name'],
      one['description'],
      one['resource_uri'],
      one['access_token_expiry'],
      one['disable_dynamic_client_registration'],
      members(one, 'scopes').length,
    ];
  };
  assert.deepEqual(read(ok(await api(update({ name: 'Diary', description: '' })))), [
    'Diary',
    'Dates',
    url,
    '600',
    true,
    3,
  ]);
  assert.deepEqual(
    read(ok(await api(update({ name: 'Ignored', description: '' }, 'description')))),
    ['Diary', undefined, url, '600', true, 3],
  );
  assert.deepEqual(
    read(
      ok(
        await api(
          update({}, 'accessTokenExpiry,resourceUri,scopes,disableDynamicClientRegistration'),
        ),
      ),
    ),
    ['Diary', undefined, undefined, '3600', undefined, 0],
  );
  assert.deepEqual(
    read(ok(await api(update({ scopes: ['todo:write', 'todo:read'], resource_id: url }))))[5],
    2,
  );
  for (const [resource, mask] of [
    [{ name: 'x' }, 'resourceType'],
    [{ name: 'x' }, 'id'],
    [{}, 'name'],
    [{ custom_connection_settings: { authorize_uri: 'https://login.example.com' } }, undefined],
  ] as const)
    assert.equal((await api(update(resource, mask))).code, 3, JSON.stringify([resource, mask]));
});

test('a switched-off MCP server gives out nothing more and its machines stop; switched on again, old tokens stay dead (AS-13)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const server = await gatewarden.mcpServer();
  const machine = await gatewarden.machine(server.id);
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const get = () =>
    token(issuer, {
      grant_type: 'client_credentials',
      client_id: machine.id,
      client_secret: machine.secret,
    });
  const active = async (value: string): Promise<unknown> => {
    const response = await fetch(`${gatewarden.url}/oauth/introspect`, {
      method: 'POST',
      body: new URLSearchParams({
        token: value,
        client_id: gatewarden.client.id,
        client_secret: String(gatewarden.client.secret),
      }),
    });
    return ((await response.json()) as { active: unknown }).active;
  };
  const old = String((await get()).body['access_token']);
  assert.equal(await active(old), true);
  ok(await api(steps.updateSettings(server.id, { enabled: false })));
  assert.equal((await get()).status, 400);
  assert.equal(await active(old), false);
  const feed = await gatewarden.database.rows<{ kind: string }>(
    sql`select kind from revocations where mcp_server_id = ${server.id}`,
  );
  assert.deepEqual(
    feed.map(({ kind }) => kind),
    ['before'],
  );
  ok(await api(steps.updateSettings(server.id, { enabled: true })));
  assert.equal(await active(old), false);
  gatewarden.clock.advance({ seconds: 2 });
  assert.equal(await active(String((await get()).body['access_token'])), true);
});
