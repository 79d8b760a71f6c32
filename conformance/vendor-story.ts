import assert from 'node:assert/strict';
import type { TestGatewarden } from '@gatewarden/server/testing';
import {
  BAD_REQUEST,
  FORBIDDEN,
  type MakeSdk,
  NOT_FOUND,
  refused,
  type Sdk,
} from './vendor-recorder.ts';

/** What the chapters of the story hand on. */
export type Story = {
  readonly gatewarden: TestGatewarden;
  readonly sdk: Sdk;
  readonly makeSdk: MakeSdk;
  /** Organizations: the customer of the story, and one that does not exist. */
  acme: string;
  readonly nobody: string;
  /** A member of the organization. */
  ann: string;
};

/** An application gets its first customer, and describes what that customer may do. */
export async function organizations({ sdk, nobody }: Story): Promise<string> {
  const { organization: api } = sdk;
  const { organization } = await api.createOrganization('Acme', {
    externalId: 'acme-1',
    slug: 'acme',
  });
  const acme = organization?.id ?? '';
  await refused(BAD_REQUEST, api.createOrganization('Twin', { externalId: 'acme-1' }));
  assert.equal((await api.getOrganization(acme)).organization?.displayName, 'Acme');
  await refused(NOT_FOUND, api.getOrganization(nobody));
  assert.equal((await api.getOrganizationByExternalId('acme-1')).organization?.id, acme);
  await refused(NOT_FOUND, api.getOrganizationByExternalId('acme-2'));
  await api.updateOrganization(acme, { displayName: 'Acme Ltd' });
  await refused(NOT_FOUND, api.updateOrganization(nobody, { displayName: 'Nobody' }));
  const changed = await api.updateOrganizationByExternalId('acme-1', {
    metadata: { plan: 'gold' },
  });
  assert.deepEqual(changed.organization?.metadata, { plan: 'gold' });
  await refused(NOT_FOUND, api.updateOrganizationByExternalId('acme-2', { displayName: 'No' }));
  assert.equal((await api.listOrganization({ pageSize: 5 })).totalSize, 1);
  await refused(BAD_REQUEST, api.listOrganization({ pageToken: 'nonsense' }));
  const found = await api.searchOrganization('acme', 10);
  assert.deepEqual(
    found.organizations.map(({ id }) => id),
    [acme],
  );
  await refused(BAD_REQUEST, api.searchOrganization('ac', 10));

  const { location } = await api.generatePortalLink(acme);
  assert.ok(URL.canParse(location), location);
  await refused(NOT_FOUND, api.generatePortalLink(nobody));
  const features = [
    { name: 'sso', enabled: true },
    { name: 'dir_sync', enabled: true },
  ];
  await api.updateOrganizationSettings(acme, { features });
  await refused(NOT_FOUND, api.updateOrganizationSettings(nobody, { features }));
  const limited = await api.upsertUserManagementSettings(acme, { maxAllowedUsers: 20 });
  assert.equal(limited?.maxAllowedUsers, 20);
  await refused(NOT_FOUND, api.upsertUserManagementSettings(nobody, { maxAllowedUsers: 1 }));
  const limit = await api.getOrganizationUserManagementSetting(acme);
  assert.equal(limit.settings?.maxAllowedUsers, 20);
  await refused(NOT_FOUND, api.getOrganizationUserManagementSetting(nobody));
  const policy = {
    policySource: 'CUSTOM',
    absoluteSessionTimeout: 8,
    absoluteSessionTimeoutUnit: 'HOURS',
  } as const;
  assert.equal(
    (await api.updateOrganizationSessionPolicy(acme, policy)).absoluteSessionTimeout,
    480,
  );
  await refused(NOT_FOUND, api.updateOrganizationSessionPolicy(nobody, policy));
  assert.equal((await api.getOrganizationSessionPolicy(acme)).absoluteSessionTimeout, 480);
  await refused(NOT_FOUND, api.getOrganizationSessionPolicy(nobody));
  return acme;
}

/** The customer's e-mail domains. */
export async function domains({ sdk, acme, nobody }: Story): Promise<void> {
  const { domain: api } = sdk;
  const made = await api.createDomain(acme, 'acme.example', { domainType: 'ALLOWED_EMAIL_DOMAIN' });
  const id = made.domain?.id ?? '';
  await refused(BAD_REQUEST, api.createDomain(acme, 'no-domain-at-all'));
  assert.equal((await api.getDomain(acme, id)).domain?.domain, 'acme.example');
  await refused(NOT_FOUND, api.getDomain(acme, 'dom_999999999999999'));
  const listed = await api.listDomains(acme, { domainType: 'ALLOWED_EMAIL_DOMAIN' });
  assert.equal(listed.domains.length, 1);
  await refused(NOT_FOUND, api.listDomains(nobody));
  await api.deleteDomain(acme, id);
  await refused(NOT_FOUND, api.deleteDomain(acme, id));
}

/** What people may do: permissions, and roles that have them. */
export async function permissions({ sdk }: Story): Promise<void> {
  const { permission: api, role } = sdk;
  const named = (name: string, description = ''): never => ({ name, description }) as never;
  await api.createPermission(named('doc:read'));
  await api.createPermission(named('doc:write'));
  await refused(BAD_REQUEST, api.createPermission(named('doc:read')));
  assert.equal((await api.getPermission('doc:read')).permission?.name, 'doc:read');
  await refused(NOT_FOUND, api.getPermission('doc:none'));
  const updated = await api.updatePermission('doc:read', named('doc:read', 'Read'));
  assert.equal(updated.permission?.description, 'Read');
  await refused(NOT_FOUND, api.updatePermission('doc:none', named('doc:none')));
  const names = (await api.listPermissions(undefined, 10)).permissions.map(({ name }) => name);
  assert.ok(names.includes('doc:read') && names.includes('doc:write'));
  await refused(BAD_REQUEST, api.listPermissions('nonsense'));

  const viewer = { name: 'viewer', displayName: 'Viewer', permissions: ['doc:read'] };
  await role.createRole(viewer as never);
  await refused(BAD_REQUEST, role.createRole(viewer as never));
  await role.createRole({ name: 'editor', displayName: 'Editor', extends: 'viewer' } as never);
  assert.equal((await api.addPermissionsToRole('editor', ['doc:write'])).permissions.length, 1);
  await refused(BAD_REQUEST, api.addPermissionsToRole('editor', ['doc:none']));
  assert.equal((await api.listRolePermissions('editor')).permissions.length, 1);
  await refused(NOT_FOUND, api.listRolePermissions('nobody'));
  assert.equal((await api.listEffectiveRolePermissions('editor')).permissions.length, 2);
  await refused(NOT_FOUND, api.listEffectiveRolePermissions('nobody'));
  await api.removePermissionFromRole('editor', 'doc:write');
  await refused(NOT_FOUND, api.removePermissionFromRole('editor', 'doc:write'));
  await api.deletePermission('doc:write');
  await refused(NOT_FOUND, api.deletePermission('doc:write'));
}

/** Roles of the environment, then those that the customer makes of its own. */
export async function roles({ sdk, acme, nobody }: Story): Promise<void> {
  const { role: api } = sdk;
  assert.equal((await api.getRole('viewer')).role?.displayName, 'Viewer');
  await refused(NOT_FOUND, api.getRole('nobody'));
  assert.ok((await api.listRoles()).roles.some(({ name }) => name === 'editor'));
  const renamed = await api.updateRole('editor', { displayName: 'Writer' } as never);
  assert.equal(renamed.role?.displayName, 'Writer');
  await refused(NOT_FOUND, api.updateRole('nobody', { displayName: 'x' } as never));
  assert.equal((await api.listDependentRoles('viewer')).roles[0]?.name, 'editor');
  await refused(NOT_FOUND, api.listDependentRoles('nobody'));
  await api.deleteRoleBase('editor');
  await refused(NOT_FOUND, api.deleteRoleBase('nobody'));
  assert.equal(Number((await api.getRoleUsersCount('viewer')).count), 0);
  await refused(NOT_FOUND, api.getRoleUsersCount('nobody'));
  const defaults = await api.updateDefaultRoles({ defaultMemberRole: 'viewer' });
  assert.equal(defaults.defaultMember?.name, 'viewer');
  await api.updateDefaultRoles({ defaultMemberRole: 'member' });
  await refused(BAD_REQUEST, api.updateDefaultRoles({ defaultMemberRole: 'not-a-name' }));

  const clerk = { name: 'clerk', displayName: 'Clerk', extends: 'member' };
  assert.equal((await api.createOrganizationRole(acme, clerk as never)).role?.isOrgRole, true);
  await refused(NOT_FOUND, api.createOrganizationRole(nobody, clerk as never));
  assert.equal((await api.getOrganizationRole(acme, 'clerk')).role?.extends, 'member');
  await refused(NOT_FOUND, api.getOrganizationRole(acme, 'nobody'));
  const listed = (await api.listOrganizationRoles(acme)).roles.map(({ name }) => name);
  assert.ok(listed.includes('clerk'));
  await refused(NOT_FOUND, api.listOrganizationRoles(nobody));
  await api.updateOrganizationRole(acme, 'clerk', { description: 'Keeps the books' } as never);
  await refused(NOT_FOUND, api.updateOrganizationRole(acme, 'nobody', {} as never));
  await api.deleteOrganizationRoleBase(acme, 'clerk');
  await refused(NOT_FOUND, api.deleteOrganizationRoleBase(acme, 'nobody'));
  assert.equal(Number((await api.getOrganizationRoleUsersCount(acme, 'clerk')).count), 0);
  await refused(NOT_FOUND, api.getOrganizationRoleUsersCount(acme, 'nobody'));
  await api.updateDefaultOrganizationRoles(acme, 'clerk');
  await refused(BAD_REQUEST, api.updateDefaultOrganizationRoles(acme, 'nobody'));
  await api.updateDefaultOrganizationRoles(acme, 'member');
  await api.deleteOrganizationRole(acme, 'clerk', 'member');
  await refused(NOT_FOUND, api.deleteOrganizationRole(acme, 'clerk'));
  await api.deleteRole('editor');
  await refused(NOT_FOUND, api.deleteRole('editor'));
}

/** A machine of the customer, which may call the application but not manage the environment. */
export async function machines({ sdk, acme, nobody, makeSdk, gatewarden }: Story): Promise<void> {
  const { m2m: api } = sdk;
  const { client, plainSecret } = await api.createOrganizationClient(acme, {
    name: 'Robot',
    scopes: ['doc:read'],
    audience: ['https://api.acme.example'],
    customClaims: { workspace: 'w1' },
  });
  const id = client?.clientId ?? '';
  await refused(NOT_FOUND, api.createOrganizationClient(nobody, { name: 'Robot' }));
  assert.equal((await api.getOrganizationClient(acme, id)).client?.name, 'Robot');
  await refused(NOT_FOUND, api.getOrganizationClient(nobody, id));
  await api.updateOrganizationClient(acme, id, { name: 'Robot 2' });
  await refused(NOT_FOUND, api.updateOrganizationClient(nobody, id, { name: 'x' }));
  assert.equal((await api.listOrganizationClients(acme, { pageSize: 10 })).clients.length, 1);
  await refused(BAD_REQUEST, api.listOrganizationClients(acme, { pageToken: 'nonsense' }));
  const added = await api.addOrganizationClientSecret(acme, id);
  await refused(NOT_FOUND, api.addOrganizationClientSecret(nobody, id));

  const token = await sdk.generateClientToken(id, added.plainSecret);
  const rules = { audience: ['https://api.acme.example'], requiredScopes: ['doc:read'] };
  const claims = await sdk.validateToken<Record<string, unknown>>(token, rules);
  assert.deepEqual([claims['oid'], claims['custom_claims']], [acme, { workspace: 'w1' }]);
  await refused(FORBIDDEN, makeSdk(gatewarden.url, id, plainSecret).role.listRoles());

  const secretId = added.secret?.id ?? '';
  await api.removeOrganizationClientSecret(acme, id, secretId);
  await refused(NOT_FOUND, api.removeOrganizationClientSecret(acme, id, secretId));
  await untilRefused(gatewarden, id, added.plainSecret);
  await refused('ScalekitUnauthorizedException', sdk.generateClientToken(id, added.plainSecret));
  await api.deleteOrganizationClient(acme, id);
  await refused(NOT_FOUND, api.deleteOrganizationClient(acme, id));
}

/** On PostgreSQL a process hears of a change to a client a moment after it. */
async function untilRefused(
  { origin }: TestGatewarden,
  client_id: string,
  client_secret: string,
): Promise<void> {
  const body = { grant_type: 'client_credentials', client_id, client_secret };
  const end = Date.now() + 5_000;
  for (;;) {
    const { status } = await fetch(`${origin}/oauth/token`, {
      method: 'POST',
      body: new URLSearchParams(body),
    });
    if (status === 401) return;
    assert.ok(Date.now() < end, `still ${status}`);
  }
}

/** Keys that the customer calls the application's API with. */
export async function apiKeys({ sdk, acme, nobody, ann }: Story): Promise<void> {
  const { token: api } = sdk;
  const made = await api.createToken(acme, {
    userId: ann,
    customClaims: { team: 'a' },
    description: 'CI',
  });
  await refused(NOT_FOUND, api.createToken(nobody));
  const checked = await api.validateToken(made.token);
  assert.equal(checked.tokenInfo?.organizationId, acme);
  await refused('ScalekitValidateTokenFailureException', api.validateToken('no-such-key'));
  assert.equal((await api.listTokens(acme, { pageSize: 10 })).tokens.length, 1);
  await refused(BAD_REQUEST, api.listTokens(acme, { pageToken: 'nonsense' }));
  const updated = await api.updateToken(made.tokenId, { customClaims: { team: 'b' } });
  assert.deepEqual(updated.tokenInfo?.customClaims, { team: 'b' });
  await refused(NOT_FOUND, api.updateToken('apit_999999999999999', { description: 'x' }));
  await api.invalidateToken(made.token);
  await refused(NOT_FOUND, api.invalidateToken('apit_999999999999999'));
  await refused('ScalekitValidateTokenFailureException', api.validateToken(made.token));
}

/** The audit log has all of it. */
export async function events({ sdk, acme }: Story): Promise<void> {
  const { events: api } = sdk;
  const page = await api.listEventsPaginated(10, undefined, {
    organizationId: acme,
    eventTypes: ['organization.created'],
  });
  assert.equal(page.events.length, 1);
  await refused(BAD_REQUEST, api.listEventsPaginated(10, 'nonsense'));
}

/** The customer leaves. */
export async function farewell({ sdk, acme }: Story): Promise<void> {
  await sdk.organization.deleteOrganization(acme);
  await refused(NOT_FOUND, sdk.organization.deleteOrganization(acme));
}
