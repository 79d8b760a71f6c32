import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import {
  managementApi,
  member,
  members,
  ok,
  protocols,
  type Step,
  steps,
} from './management-api.ts';

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

for (const protocol of protocols) {
  test(`over ${protocol} an MCP server is registered, shown, listed, changed and deleted once, and its id stays taken (AS-13, AS-47)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const url = serverUrl();
    const created = member(
      ok(
        await api(
          steps.createResource({
            name: 'Calendar',
            description: 'Dates',
            resource_uri: url,
            scopes: ['events:read', 'events:write'],
            access_token_expiry: '600',
            enable_cimd: true,
          }),
        ),
      ),
      'resource',
    );
    const id = String(created['id']);
    assert.match(id, /^res_[0-9]{15,19}$/);
    assert.deepEqual(
      [
        created['resource_uri'],
        created['resource_id'],
        created['access_token_expiry'],
        created['refresh_token_expiry'],
        created['enable_cimd'],
      ],
      [url, url, '600', '2592000', true],
    );
    assert.deepEqual(
      members(created, 'scopes').map(({ name, enabled }) => [name, enabled]),
      [
        ['events:read', true],
        ['events:write', true],
      ],
    );
    assert.deepEqual(created['protected_metadata'], {
      resource: url,
      authorization_servers: [`${gatewarden.url}/resources/${id}`],
      bearer_methods_supported: ['header'],
      resource_name: 'Calendar',
      scopes_supported: ['events:read', 'events:write'],
    });
    assert.equal(
      created['protected_metadata_uri'],
      `${new URL(url).origin}/.well-known/oauth-protected-resource/mcp`,
    );
    assert.deepEqual(member(ok(await api(steps.getResource(id))), 'resource'), created);
    assert.ok(
      members(ok(await api(steps.listResources())), 'resources').some((one) => one['id'] === id),
    );

    const changed = member(
      ok(
        await api(steps.updateResource(id, { name: 'Diary', description: '', enable_cimd: false })),
      ),
      'resource',
    );
    assert.deepEqual(
      [
        changed['name'],
        changed['description'] ?? '',
        changed['enable_cimd'] ?? false,
        changed['resource_uri'],
        members(changed, 'scopes').length,
      ],
      ['Diary', '', false, url, 2],
    );
    const shown = await fetch(
      `${gatewarden.url}/resources/${id}/.well-known/oauth-authorization-server`,
    );
    assert.equal(shown.status, 200);

    ok(await api(steps.deleteResource(id)));
    for (const step of [
      steps.deleteResource(id),
      steps.getResource(id),
      steps.updateResource(id, { name: 'x' }),
      steps.getSettings(id),
      steps.listClients(id),
    ]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.errorCode], [5, 'RESOURCE_NOT_FOUND']);
    }
    assert.equal(
      (await fetch(`${gatewarden.url}/resources/${id}/.well-known/oauth-authorization-server`))
        .status,
      404,
    );
    const again = member(
      ok(await api(steps.createResource({ name: 'Calendar', resource_uri: url }))),
      'resource',
    );
    assert.notEqual(again['id'], id);
  });

  test(`over ${protocol} permissions are created, described, listed and deleted, and a duplicate is the caller's mistake`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const name = `${protocol.toLowerCase()}:read`;
    const created = member(
      ok(await api(steps.createPermission({ name, description: 'Read' }))),
      'permission',
    );
    assert.match(String(created['id']), /^perm_[0-9]{15,19}$/);
    assert.deepEqual(member(ok(await api(steps.getPermission(name))), 'permission'), created);
    assert.equal(
      members(ok(await api(steps.listPermissions())), 'permissions')[0]?.['name'],
      name,
      'newest first',
    );
    const builtIn = ok(await api(steps.listPermissions({ type: 'SCALEKIT', page_size: 20 })));
    assert.equal(builtIn['total_size'], 12);
    assert.deepEqual(
      members(builtIn, 'permissions').filter(
        (one) => one['is_scalekit_permission'] !== true || !/^sk_org_/.test(String(one['name'])),
      ),
      [],
    );
    for (const step of [
      steps.createPermission({ name: 'sk_mine' }),
      steps.updatePermission('sk_org_sso_read', { name: 'sk_org_sso_read', description: 'x' }),
      steps.deletePermission('sk_org_sso_read'),
    ])
      assert.equal((await api(step)).code, 3, 'built-in permissions are as they are');
    const changed = member(
      ok(await api(steps.updatePermission(name, { name, description: 'See' }))),
      'permission',
    );
    assert.equal(changed['description'], 'See');
    const refused: [Step, number][] = [
      [steps.createPermission({ name, description: 'x' }), 3],
      [steps.createPermission({ name: 'with.dot' }), 3],
      [steps.createPermission({ name: 'a'.repeat(65) }), 3],
      [steps.createPermission({ name: '' }), 3],
      [steps.updatePermission(name, { name: 'other', description: 'x' }), 3],
      [steps.updatePermission('nobody:knows', { name: 'nobody:knows' }), 5],
      [steps.getPermission('nobody:knows'), 5],
      [steps.getPermission('non.existent.permission'), 3],
      [steps.listPermissions({ page_size: 101 }), 3],
    ];
    for (const [step, code] of refused)
      assert.equal((await api(step)).code, code, JSON.stringify(step.rest));
    ok(await api(steps.deletePermission(name)));
    assert.equal((await api(steps.deletePermission(name))).code, 5);
    assert.equal((await api(steps.getPermission(name))).code, 5);
  });

  test(`over ${protocol} the settings of an MCP server are read with their defaults and changed one by one`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const { id } = await gatewarden.mcpServer();
    const defaults = member(ok(await api(steps.getSettings(id))), 'settings');
    const { scopes, ...rest } = defaults;
    assert.deepEqual(rest, {
      enabled: true,
      access_token_issuer: 'environment',
      access_token_typ: 'at+jwt',
      code_lifetime: 60,
      refresh_idle_lifetime: 2_592_000,
      refresh_absolute_lifetime: 31_536_000,
      refresh_grace: 120,
      refresh_grace_strict: 'auto',
      rotate_confidential: true,
      refresh_policy: 'grant_type',
      dcr_management: false,
      registrations_per_hour_per_network: 20,
      registrations_per_hour: 500,
      private_use_schemes: 'known',
      allow_unregistered_resource: false,
      require_resource: false,
      resource_covers_paths: false,
      remember_native_consent: false,
      userinfo_for_mcp: false,
      revoke_public_clients: true,
      iat_backdate: 0,
      introspection_client_ids: {},
      allowed_client_hosts: {},
      blocked_client_hosts: {},
    });
    assert.deepEqual(
      (scopes as JsonObject[]).map((scope) => [scope['name'], scope['class'], scope['is_default']]),
      [
        ['todo:read', 'see', true],
        ['todo:write', 'change', false],
        ['todo:delete', 'delete_or_spend', false],
      ],
    );
    const change: JsonObject = {
      code_lifetime: 30,
      refresh_grace: 0,
      refresh_grace_strict: 'on',
      access_token_issuer: 'resource',
      access_token_typ: 'JWT',
      rotate_confidential: false,
      require_resource: true,
      registrations_per_hour: 7,
      private_use_schemes: 'deny',
      blocked_client_hosts: { values: ['bad.example', 'bad.example'] },
      service_documentation: 'https://docs.example.com/mcp',
    };
    const after = member(
      ok(
        await api(
          steps.updateSettings(id, {
            ...change,
            scopes: [{ name: 'todo:read', class: 'change', title: 'See' }],
          }),
        ),
      ),
      'settings',
    );
    const { scopes: changedScopes, ...changed } = after;
    assert.deepEqual(changed, {
      ...rest,
      ...change,
      blocked_client_hosts: { values: ['bad.example'] },
    });
    assert.deepEqual((changedScopes as JsonObject[])[0], {
      name: 'todo:read',
      class: 'change',
      is_default: false,
      title: 'See',
      description: '',
    });
    assert.equal((changedScopes as JsonObject[]).length, 3);
    const back = member(
      ok(
        await api(
          steps.updateSettings(id, {
            refresh_grace_strict: 'auto',
            service_documentation: '',
            blocked_client_hosts: {},
          }),
        ),
      ),
      'settings',
    );
    assert.deepEqual(
      [back['refresh_grace_strict'], back['service_documentation'], back['blocked_client_hosts']],
      ['auto', undefined, {}],
    );

    const refused: [JsonObject, number][] = [
      [{ code_lifetime: 29 }, 3],
      [{ code_lifetime: 601 }, 3],
      [{ refresh_grace: 301 }, 3],
      [{ iat_backdate: 11 }, 3],
      [{ access_token_typ: 'none' }, 3],
      [{ refresh_grace_strict: 'yes' }, 3],
      [{ allowed_client_hosts: { values: ['https://x'] } }, 3],
      [{ service_documentation: 'javascript:alert(1)' }, 3],
      [{ scopes: [{ name: 'todo:unknown' }] }, 3],
      [{ scopes: [{ name: 'todo:read' }, { name: 'todo:read' }] }, 3],
      [{ scopes: [{ name: 'todo:read', class: 'all' }] }, 3],
      [{ refresh_idle_lifetime: 60, refresh_absolute_lifetime: 59 }, 3],
      [{ refresh_idle_lifetime: 100, refresh_absolute_lifetime: 99 }, 3],
    ];
    for (const [settings, code] of refused) {
      const answer = await api(steps.updateSettings(id, settings));
      assert.equal(answer.code, code, JSON.stringify(settings));
      assert.ok(answer.fields.length > 0, JSON.stringify(settings));
    }
    assert.deepEqual(
      member(ok(await api(steps.getSettings(id))), 'settings'),
      back,
      'a refused change changes nothing',
    );
  });
}
