import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScalekitClient } from '@scalekit-sdk/node';
import { startGatewarden } from './gatewarden-process.ts';

const named = (list: readonly { readonly name: string }[]): string[] =>
  list.map(({ name }) => name).sort();

async function refusedAs(name: string, call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
  return error.message;
}

const NOT_FOUND = 'ScalekitNotFoundException';
const BAD_REQUEST = 'ScalekitBadRequestException';

test("the vendor's unchanged SDK manages roles of the environment, their inheritance and permissions (contract: RolesService)", async (t) => {
  const { environmentUrl, clientId, clientSecret } = await startGatewarden(t);
  const { role, permission } = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const fresh = (await role.listRoles()).roles;
  assert.ok(fresh.some(({ defaultCreator }) => defaultCreator));
  assert.ok(fresh.some(({ defaultMember }) => defaultMember));
  for (const name of ['doc:read', 'doc:write'])
    await permission.createPermission({ name, description: '' } as never);
  const viewer = await role.createRole({
    name: 'viewer',
    displayName: 'Viewer',
    permissions: ['doc:read'],
  } as never);
  assert.match(viewer.role?.id ?? '', /^role_[0-9]+$/);
  await role.createRole({ name: 'editor', displayName: 'Editor', extends: 'viewer' } as never);
  assert.match(
    await refusedAs(
      BAD_REQUEST,
      role.createRole({ name: 'viewer', displayName: 'Again' } as never),
    ),
    /duplicate key/,
  );
  assert.match(
    await refusedAs(BAD_REQUEST, role.createRole({ displayName: 'No name' } as never)),
    /name|required/,
  );

  const added = await permission.addPermissionsToRole('editor', ['doc:write']);
  assert.deepEqual(named(added.permissions), ['doc:write']);
  const effective = await permission.listEffectiveRolePermissions('editor');
  assert.deepEqual(named(effective.permissions), ['doc:read', 'doc:write']);
  const direct = await permission.listRolePermissions('editor');
  assert.deepEqual(named(direct.permissions), ['doc:write']);
  await permission.removePermissionFromRole('editor', 'doc:write');
  await refusedAs(NOT_FOUND, permission.removePermissionFromRole('editor', 'doc:write'));
  await refusedAs(BAD_REQUEST, permission.addPermissionsToRole('editor', ['nobody:knows']));

  assert.deepEqual(named((await role.listDependentRoles('viewer')).roles), ['editor']);
  assert.equal((await role.getRole('viewer')).role?.dependentRolesCount, 1);
  await refusedAs(BAD_REQUEST, role.updateRole('viewer', { extends: 'editor' } as never));
  await refusedAs(BAD_REQUEST, role.deleteRole('viewer'));
  await role.deleteRoleBase('editor');
  assert.equal((await role.getRole('editor')).role?.extends, undefined);
  const updated = await role.updateRole('editor', { displayName: 'Writer' } as never);
  assert.equal(updated.role?.displayName, 'Writer');

  const defaults = await role.updateDefaultRoles({
    defaultCreatorRole: 'editor',
    defaultMemberRole: 'viewer',
  } as never);
  assert.equal(defaults.defaultCreator?.name, 'editor');
  assert.equal(defaults.defaultMember?.name, 'viewer');
  await refusedAs(BAD_REQUEST, role.deleteRole('viewer'));
  await role.updateDefaultRoles({
    defaultCreatorRole: 'admin',
    defaultMemberRole: 'member',
  } as never);
  await role.deleteRole('viewer');
  await refusedAs(NOT_FOUND, role.deleteRole('viewer'));
  await refusedAs(NOT_FOUND, role.getRole('viewer'));
  await refusedAs(BAD_REQUEST, role.getRole('non-existent-role'));
});

test("the vendor's unchanged SDK manages roles of one organization (contract: RolesService)", async (t) => {
  const { environmentUrl, clientId, clientSecret } = await startGatewarden(t);
  const { organization, role } = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const created = await organization.createOrganization('Acme');
  const acme = String(created.organization?.id);
  const clerk = await role.createOrganizationRole(acme, {
    name: 'clerk',
    displayName: 'Clerk',
    extends: 'member',
  } as never);
  assert.equal(clerk.role?.isOrgRole, true);
  const listed = (await role.listOrganizationRoles(acme)).roles;
  assert.deepEqual(named(listed), ['admin', 'clerk', 'member']);
  assert.equal((await role.getOrganizationRole(acme, 'clerk')).role?.extends, 'member');
  const updated = await role.updateOrganizationRole(acme, 'clerk', { description: 'x' } as never);
  assert.equal(updated.role?.description, 'x');
  await role.deleteOrganizationRoleBase(acme, 'clerk');
  assert.equal((await role.getOrganizationRole(acme, 'clerk')).role?.extends, undefined);
  const set = await role.updateDefaultOrganizationRoles(acme, 'clerk');
  assert.equal(set.defaultMember?.name, 'clerk');
  await refusedAs(BAD_REQUEST, role.deleteOrganizationRole(acme, 'clerk'));
  await role.updateDefaultOrganizationRoles(acme, 'member');
  await role.deleteOrganizationRole(acme, 'clerk', 'member');
  await refusedAs(NOT_FOUND, role.deleteOrganizationRole(acme, 'clerk'));
  await refusedAs(NOT_FOUND, role.getRole('clerk'));
});
