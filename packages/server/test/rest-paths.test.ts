import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bindingsOf } from '../src/http/rest-bindings.ts';
import { services } from '../src/rpcs.ts';

const bindings = bindingsOf(services);

/** The method that a request reaches, with the values of its path variables. */
function reached(verb: string, path: string): string {
  const found = bindings.find((each) => each.verb === verb && each.pattern.test(path));
  if (!found) return 'none';
  return [found.method.name, ...(found.pattern.exec(path) ?? []).slice(1)].join(' ');
}

test('every template of the contract reaches its own method, whatever the variables are', () => {
  assert.ok(bindings.length > 300);
  for (const value of ['org_123', 'a:b', '%2F']) {
    for (const { verb, template, method } of bindings) {
      const path = template.replace(/\{[^}]+\}/g, value).replace('**', 'x/y');
      assert.equal(reached(verb, path).split(' ')[0], method.name, `${verb} ${path}`);
    }
  }
});

const CASES: readonly (readonly [verb: string, path: string, reached: string])[] = [
  ['GET', '/api/v1/organizations/org_1', 'GetOrganization org_1'],
  ['GET', '/api/v1/organizations:external/acme', 'GetOrganizationByExternalId acme'],
  ['GET', '/api/v1/organizations:search', 'SearchOrganization'],
  ['GET', '/api/v1/organizations/-/connections', 'ListOrganizationConnections'],
  ['GET', '/api/v1/organizations/-/connections:search', 'SearchOrganizationConnections'],
  ['PATCH', '/api/v1/connections/conn_1:enable', 'EnableEnvironmentConnection conn_1'],
  ['PATCH', '/api/v1/connections/conn_1', 'UpdateEnvironmentConnection conn_1'],
  [
    'PATCH',
    '/api/v1/organizations/org_1/connections/conn_1:disable',
    'DisableConnection org_1 conn_1',
  ],
  ['GET', '/api/v1/connections/app', 'ListAppConnections'],
  ['GET', '/api/v1/connections/conn_1', 'GetEnvironmentConnection conn_1'],
  ['GET', '/api/v1/permissions/read:users', 'GetPermission read:users'],
  ['DELETE', '/api/v1/roles/editor/permissions/a:b', 'RemovePermissionFromRole editor a:b'],
  ['GET', '/api/v1/roles/editor/permissions:all', 'ListEffectiveRolePermissions editor'],
  ['GET', '/api/v1/roles/editor/users:count', 'GetRoleUsersCount editor'],
  ['PATCH', '/api/v1/roles:set_defaults', 'UpdateDefaultRoles'],
  ['GET', '/api/v1/members:this', 'GetCurrentMember'],
  ['PATCH', '/api/v1/email/servers/1:enable', 'EnableEmailServer 1'],
  ['PATCH', '/api/v1/organizations/-/email/templates/1', 'UpdateEmailTemplate 1'],
  ['POST', '/api/v1/keys/deks/3:setactive', 'SetActiveDEK 3'],
  ['DELETE', '/api/v1/webhooks/wb/api/v1/app', 'WebhookWrapper'],
  ['GET', '/api/v1/organizations/org_1/nothing', 'none'],
  ['GET', '/api/v1/webhooks/wbx', 'none'],
];

test('literal colons, wildcards and names with colons in them are told apart', () => {
  for (const [verb, path, expected] of CASES) assert.equal(reached(verb, path), expected, path);
});
