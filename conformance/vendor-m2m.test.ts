import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import {
  ScalekitBadRequestException,
  ScalekitClient,
  ScalekitForbiddenException,
  ScalekitNotFoundException,
  ScalekitServerException,
} from '@scalekit-sdk/node';
import { vendorSite } from './vendor-site.ts';

const NOBODY = 'org_999999999999999';

for (const engine of engines)
  test(`the vendor's unchanged SDK makes, changes and ends machine clients of an organization, and validates their tokens (contract: ClientService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { m2m } = sdk;
    const notFound = async (call: Promise<unknown>): Promise<void> =>
      await assert.rejects(call, ScalekitNotFoundException);
    const { organization } = await sdk.organization.createOrganization('Acme');
    const org = organization?.id ?? '';

    const made = await m2m.createOrganizationClient(org, {
      name: 'Deployer',
      description: 'Continuous integration',
      scopes: ['deploy:app', 'read:app'],
      audience: ['deployment-api.acme.example'],
      customClaims: { workspace: 'w1' },
    });
    const id = made.client?.clientId ?? '';
    assert.match(id, /^m2morg_[0-9]{15,19}$/);
    assert.equal(made.client?.organizationId, org);
    assert.deepEqual(made.client?.scopes, ['deploy:app', 'read:app']);
    assert.equal(made.client?.secrets.length, 1);
    assert.equal(made.client?.secrets[0]?.secretSuffix, made.plainSecret.slice(-4));
    await notFound(m2m.createOrganizationClient(NOBODY, { name: 'Nobody' }));
    await assert.rejects(
      m2m.createOrganizationClient(org, { name: 'x', audience: [`${gatewarden.url}/api`] }),
      ScalekitServerException,
    );

    const access = await sdk.generateClientToken(id, made.plainSecret);
    const claims = await sdk.validateToken<Record<string, unknown>>(access, {
      issuer: gatewarden.url,
      audience: ['deployment-api.acme.example'],
      requiredScopes: ['deploy:app'],
    });
    assert.deepEqual(
      [claims['client_id'], claims['oid'], claims['custom_claims']],
      [id, org, { workspace: 'w1' }],
    );
    await assert.rejects(sdk.validateToken(access, { requiredScopes: ['admin'] }));
    const thief = new ScalekitClient(gatewarden.url, id, made.plainSecret);
    await assert.rejects(thief.organization.getOrganization(org), ScalekitForbiddenException);

    const shown = await m2m.getOrganizationClient(org, id);
    assert.equal(shown.client?.name, 'Deployer');
    await notFound(m2m.getOrganizationClient(NOBODY, id));
    await notFound(m2m.getOrganizationClient(org, 'm2morg_999999999999999'));
    const changed = await m2m.updateOrganizationClient(org, id, {
      name: 'Releaser',
      scopes: ['read:app'],
    });
    assert.deepEqual(
      [changed.client?.name, changed.client?.description, changed.client?.scopes],
      ['Releaser', 'Continuous integration', ['read:app']],
    );
    await notFound(m2m.updateOrganizationClient(NOBODY, id, { name: 'x' }));

    const added = await m2m.addOrganizationClientSecret(org, id);
    await sdk.generateClientToken(id, added.plainSecret);
    await notFound(m2m.addOrganizationClientSecret(NOBODY, id));
    await m2m.removeOrganizationClientSecret(org, id, made.client?.secrets[0]?.id ?? '');
    await assert.rejects(sdk.generateClientToken(id, made.plainSecret));
    await assert.rejects(
      m2m.removeOrganizationClientSecret(org, id, added.secret?.id ?? ''),
      (error: unknown) =>
        error instanceof ScalekitBadRequestException &&
        /last client cannot be deleted/.test(error.message),
    );

    for (let index = 0; index < 11; index += 1)
      await m2m.createOrganizationClient(org, { name: `Robot ${index}` });
    const first = await m2m.listOrganizationClients(org, { pageSize: 10 });
    assert.deepEqual([first.clients.length, first.totalSize], [10, 12]);
    const rest = await m2m.listOrganizationClients(org, {
      pageSize: 10,
      pageToken: first.nextPageToken,
    });
    assert.deepEqual([rest.clients.length, rest.nextPageToken], [2, '']);
    assert.equal((await m2m.listOrganizationClients(org, { pageSize: 1 })).clients.length, 1);
    await notFound(m2m.listOrganizationClients(NOBODY));
    await assert.rejects(
      m2m.listOrganizationClients(org, { pageToken: 'nonsense' }),
      ScalekitServerException,
    );

    await m2m.deleteOrganizationClient(org, id);
    await notFound(m2m.getOrganizationClient(org, id));
    await notFound(m2m.deleteOrganizationClient(org, id));
    await assert.rejects(sdk.generateClientToken(id, added.plainSecret));
  });
