import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { engines } from '@gatewarden/server/testing';
import { ScalekitBadRequestException, ScalekitNotFoundException } from '@scalekit-sdk/node';
import {
  ConnectionProvider,
  ConnectionStatus,
  ConnectionType,
  CreateConnectionSchema,
} from '@scalekit-sdk/node/lib/pkg/grpc/scalekit/v1/connections/connections_pb.js';
import { vendorSite } from './vendor-site.ts';

const { OKTA, IDP_SIMULATOR } = ConnectionProvider;
const { OIDC, SAML, OAUTH } = ConnectionType;
const NOTHING = 'conn_123456789012345678';
const NOBODY = 'org_123456789012345678';

/** What the SDK has no method for, over REST with the token that it got. */
async function configure(url: string, token: string, path: string): Promise<void> {
  const oidc_config = {
    issuer: 'https://idp.example',
    client_id: 'client',
    client_secret: 'secret',
  };
  const answer = await fetch(`${url}/api/v1${path}`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ provider: 'IDP_SIMULATOR', type: 'OIDC', oidc_config }),
  });
  assert.equal(answer.status, 200, await answer.text());
}

for (const engine of engines)
  test(`the vendor's unchanged SDK makes, finds, enables and deletes connections (contract: ConnectionService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { connection: api } = sdk;
    const notFound = async (call: Promise<unknown>): Promise<void> =>
      await assert.rejects(call, ScalekitNotFoundException);
    const refused = async (call: Promise<unknown>): Promise<void> =>
      await assert.rejects(call, ScalekitBadRequestException);
    const organizationId =
      (await sdk.organization.createOrganization('Acme')).organization?.id ?? '';
    const sent = (provider: number, type: number) =>
      create(CreateConnectionSchema, { provider, type, providerKey: '' });

    const { connection: made } = await api.createConnection(organizationId, sent(OKTA, SAML));

    const id = made?.id ?? '';
    assert.match(id, /^conn_[0-9]{15,19}$/);
    assert.deepEqual(
      [made?.organizationId, made?.provider, made?.type, made?.enabled, made?.status],
      [organizationId, OKTA, SAML, false, ConnectionStatus.DRAFT],
    );
    assert.equal(made?.settings.case, 'samlConfig');
    assert.deepEqual((await api.getConnection(organizationId, id)).connection, made);
    assert.deepEqual((await api.listConnections(organizationId)).connections, []);
    await refused(api.enableConnection(organizationId, id));
    const untouched = await api.disableConnection(organizationId, id);
    assert.equal(untouched.enabled, false);
    assert.match(untouched.errorMessage ?? '', /disabled already/);

    const { connection: other } = await api.createConnection(
      organizationId,
      sent(IDP_SIMULATOR, OIDC),
    );
    const otherId = other?.id ?? '';
    const { access_token } = await tokenOf(gatewarden.url, gatewarden.client);
    await configure(
      gatewarden.url,
      access_token,
      `/organizations/${organizationId}/connections/${otherId}`,
    );
    await refused(api.enableConnection(organizationId, otherId));
    const features = [{ name: 'sso', enabled: true }];
    await sdk.organization.updateOrganizationSettings(organizationId, { features });
    assert.equal((await api.enableConnection(organizationId, otherId)).enabled, true);
    const repeated = await api.enableConnection(organizationId, otherId);
    assert.deepEqual([repeated.enabled, /already/.test(repeated.errorMessage ?? '')], [true, true]);
    await sdk.domain.createDomain(organizationId, 'acme.example');
    for (const { connections } of [
      await api.listConnections(organizationId),
      await api.listConnectionsByDomain('acme.example'),
    ])
      assert.deepEqual(
        connections.map((entry) => [entry.id, entry.organizationName, entry.domains]),
        [[otherId, 'Acme', ['acme.example']]],
      );
    assert.deepEqual((await api.listConnectionsByDomain('other.example')).connections, []);
    await refused(api.listConnectionsByDomain(`${'a'.repeat(33)}.example`));
    assert.equal((await api.disableConnection(organizationId, otherId)).enabled, false);

    const none = await api.listAppConnections({ pageSize: 30 });
    assert.deepEqual(
      [none.connections, none.totalSize, none.nextPageToken, none.prevPageToken],
      [[], 0, '', ''],
    );
    await refused(api.listAppConnections({ query: 'ab' }));
    await refused(api.createConnection(organizationId, sent(OKTA, OAUTH)));
    await notFound(api.createConnection(NOBODY, sent(OKTA, SAML)));
    await refused(api.createConnection('invalid-org-id', sent(OKTA, SAML)));
    await notFound(api.listConnections(NOBODY));
    await refused(api.getConnection(organizationId, 'non-existent'));

    await api.deleteConnection(organizationId, id);
    await notFound(api.deleteConnection(organizationId, id));
    for (const gone of [id, NOTHING]) {
      await notFound(api.getConnection(organizationId, gone));
      await notFound(api.enableConnection(organizationId, gone));
      await notFound(api.disableConnection(organizationId, gone));
    }
  });

type Client = { readonly id: string; readonly secret: string | undefined };

async function tokenOf(url: string, client: Client): Promise<{ access_token: string }> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: client.id,
    client_secret: client.secret ?? '',
  });
  const answer = await fetch(`${url}/oauth/token`, { method: 'POST', body });
  const { access_token } = await answer.json();
  return { access_token: String(access_token) };
}
