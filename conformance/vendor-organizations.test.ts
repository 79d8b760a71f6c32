import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScalekitClient, ScalekitNotFoundException } from '@scalekit-sdk/node';
import { startGatewarden } from './gatewarden-process.ts';

type Shown = { readonly settings?: { readonly features: readonly unknown[] } | undefined };

const features = (organization: Shown | undefined): unknown[] =>
  (organization?.settings?.features ?? []).map((feature) => {
    const { name, enabled } = feature as { name: string; enabled: boolean };
    return `${name} ${enabled}`;
  });

test("the vendor's unchanged SDK makes, finds, changes and deletes organizations (contract: OrganizationService)", async (t) => {
  const { environmentUrl, clientId, clientSecret } = await startGatewarden(t);
  const { organization: api } = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const refused = async (call: Promise<unknown>): Promise<void> =>
    await assert.rejects(call, ScalekitNotFoundException);

  const options = {
    externalId: 'customer-1',
    slug: 'acme.example',
    logoUrl: 'https://acme.example/logo.png',
  };
  const { organization: made } = await api.createOrganization('Acme', options);
  assert.match(made?.id ?? '', /^org_[0-9]{15,19}$/);
  const id = made?.id ?? '';
  assert.deepEqual(
    [made?.displayName, made?.externalId, made?.slug, made?.logoUrl],
    ['Acme', options.externalId, options.slug, options.logoUrl],
  );
  assert.ok(made?.createTime && made.updateTime);
  assert.deepEqual(features(made), ['sso false', 'dir_sync false']);
  assert.deepEqual((await api.getOrganization(id)).organization, made);
  assert.deepEqual((await api.getOrganizationByExternalId('customer-1')).organization, made);

  const metadata = { plan: 'enterprise' };
  const changed = await api.updateOrganization(id, { displayName: 'Acme Ltd', metadata });
  assert.deepEqual(
    [changed.organization?.displayName, changed.organization?.metadata],
    ['Acme Ltd', metadata],
  );
  const again = await api.updateOrganizationByExternalId('customer-1', { slug: '' });
  assert.deepEqual(
    [again.organization?.slug, again.organization?.displayName],
    [undefined, 'Acme Ltd'],
  );
  const switched = await api.updateOrganizationSettings(id, {
    features: [
      { name: 'sso', enabled: true },
      { name: 'dir_sync', enabled: false },
    ],
  });
  assert.deepEqual(features(switched.organization), ['sso true', 'dir_sync false']);

  for (let index = 0; index < 6; index += 1) await api.createOrganization(`Other ${index}`);
  const first = await api.listOrganization({ pageSize: 5 });
  assert.deepEqual([first.organizations.length, first.totalSize], [5, 7]);
  const rest = await api.listOrganization({ pageSize: 5, pageToken: first.nextPageToken });
  assert.deepEqual([rest.organizations.length, rest.nextPageToken], [2, '']);
  const found = await api.searchOrganization('acme l');
  assert.deepEqual(
    [found.organizations.map((organization) => organization.id), found.totalSize],
    [[id], 1],
  );
  const none = await api.searchOrganization('nobody has this', 30);
  assert.deepEqual(
    [none.organizations, none.totalSize, none.nextPageToken],
    [[], 0, ''],
    'no match is an empty list',
  );
  await assert.rejects(api.searchOrganization('ab'));
  await assert.rejects(api.createOrganization(''));
  await assert.rejects(api.createOrganization('Twin', { externalId: 'customer-1' }));

  await api.deleteOrganization(id);
  await refused(api.deleteOrganization(id));
  await refused(api.getOrganization(id));
  await refused(api.getOrganizationByExternalId('customer-1'));
  await api.createOrganization('Next', options);
});

test("the vendor's unchanged SDK sets session policies and user limits (contract: OrganizationService)", async (t) => {
  const { environmentUrl, clientId, clientSecret } = await startGatewarden(t);
  const { organization: api } = new ScalekitClient(environmentUrl, clientId, clientSecret);
  const { organization } = await api.createOrganization('Acme');
  const id = organization?.id ?? '';
  const [APPLICATION, CUSTOM, MINUTES] = [1, 2, 1];

  assert.equal((await api.getOrganizationSessionPolicy(id)).policySource, APPLICATION);
  const custom = await api.updateOrganizationSessionPolicy(id, {
    policySource: 'CUSTOM',
    absoluteSessionTimeout: 8,
    absoluteSessionTimeoutUnit: 'HOURS',
    idleSessionTimeoutEnabled: true,
    idleSessionTimeout: 1,
    idleSessionTimeoutUnit: 'HOURS',
  });
  const asked = await api.getOrganizationSessionPolicy(id);
  for (const policy of [custom, asked])
    assert.deepEqual(
      [
        policy.policySource,
        policy.absoluteSessionTimeout,
        policy.absoluteSessionTimeoutUnit,
        policy.idleSessionTimeoutEnabled,
        policy.idleSessionTimeout,
        policy.idleSessionTimeoutUnit,
      ],
      [CUSTOM, 480, MINUTES, true, 60, MINUTES],
    );
  const idleOff = await api.updateOrganizationSessionPolicy(id, {
    policySource: 'CUSTOM',
    absoluteSessionTimeout: 120,
    absoluteSessionTimeoutUnit: 'MINUTES',
    idleSessionTimeoutEnabled: false,
  });
  assert.equal(idleOff.idleSessionTimeoutEnabled, false);
  const back = await api.updateOrganizationSessionPolicy(id, { policySource: 'APPLICATION' });
  assert.equal(back.policySource, APPLICATION);
  await assert.rejects(
    api.getOrganizationSessionPolicy('org_123456789012345678'),
    ScalekitNotFoundException,
  );

  const limited = await api.upsertUserManagementSettings(id, { maxAllowedUsers: 150 });
  assert.equal(limited?.maxAllowedUsers, 150);
  const read = await api.getOrganizationUserManagementSetting(id);
  assert.equal(read.settings?.maxAllowedUsers, 150);
  await api.upsertUserManagementSettings(id, { maxAllowedUsers: null });
  const off = await api.getOrganizationUserManagementSetting(id);
  assert.equal(off.settings?.maxAllowedUsers, undefined);
});
