import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { signJwt } from '@gatewarden/server/testing';
import { BAD_REQUEST, NOT_FOUND, refused } from './vendor-recorder.ts';
import type { Story } from './vendor-story.ts';

const DIRECTORY = 'dir_999999999999999';
const CONNECTION = 'conn_999999999999999';
const [OKTA, OIDC, SCIM] = [1, 1, 1];

/** The customer's directory, which will send people and groups. */
export async function directories({ sdk, acme, nobody }: Story): Promise<void> {
  const { directory: api } = sdk;
  // The vendor's type also asks for what its code generator adds.
  const scim = { directoryType: SCIM } as never;
  const id = (await api.createDirectory(acme, scim)).directory?.id ?? '';
  await refused(NOT_FOUND, api.createDirectory(nobody, scim));
  assert.equal((await api.getDirectory(acme, id)).directory?.id, id);
  await refused(NOT_FOUND, api.getDirectory(acme, DIRECTORY));
  assert.equal((await api.listDirectories(acme)).directories.length, 1);
  await refused(NOT_FOUND, api.listDirectories(nobody));
  assert.equal((await api.getPrimaryDirectoryByOrganizationId(acme)).id, id);
  await refused(NOT_FOUND, api.getPrimaryDirectoryByOrganizationId(nobody));
  assert.equal((await api.disableDirectory(acme, id)).enabled, false);
  await refused(NOT_FOUND, api.disableDirectory(acme, DIRECTORY));
  assert.equal((await api.enableDirectory(acme, id)).enabled, true);
  await refused(NOT_FOUND, api.enableDirectory(acme, DIRECTORY));
  const options = { pageSize: 10, includeDetail: true, updatedAfter: '2020-01-01T00:00:00Z' };
  assert.deepEqual((await api.listDirectoryUsers(acme, id, options)).users, []);
  await refused(NOT_FOUND, api.listDirectoryUsers(acme, DIRECTORY));
  assert.deepEqual((await api.listDirectoryGroups(acme, id, options)).groups, []);
  await refused(NOT_FOUND, api.listDirectoryGroups(acme, DIRECTORY));
  await api.deleteDirectory(acme, id);
  await refused(NOT_FOUND, api.deleteDirectory(acme, id));
}

/** The customer's identity provider. What it is made of is set over REST: the vendor's SDK has no method for that. */
export async function connections({ sdk, acme, nobody, gatewarden }: Story): Promise<void> {
  const { connection: api } = sdk;
  // The vendor's type also asks for what its code generator adds.
  const made = await api.createConnection(acme, { provider: OKTA, type: OIDC } as never);
  const id = made.connection?.id ?? '';
  await refused(NOT_FOUND, api.createConnection(nobody, { provider: OKTA, type: OIDC } as never));
  assert.equal((await api.getConnection(acme, id)).connection?.id, id);
  await refused(NOT_FOUND, api.getConnection(acme, CONNECTION));
  await refused(BAD_REQUEST, api.enableConnection(acme, id));
  const path = `/api/v1/organizations/${acme}/connections/${id}`;
  const answer = await fetch(`${gatewarden.origin}${path}`, {
    method: 'PATCH',
    headers: {
      authorization: `Bearer ${await sdk.getClientAccessToken()}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      provider: 'OKTA',
      type: 'OIDC',
      oidc_config: {
        issuer: 'https://idp.example',
        authorize_uri: 'https://idp.example/authorize',
        token_uri: 'https://idp.example/token',
        jwks_uri: 'https://idp.example/keys',
        client_id: 'gatewarden',
        client_secret: 'a-secret-of-the-provider',
      },
    }),
  });
  assert.equal(answer.status, 200, await answer.text());
  assert.equal((await api.enableConnection(acme, id)).enabled, true);
  assert.equal((await api.listConnections(acme)).connections[0]?.id, id);
  await refused(NOT_FOUND, api.listConnections(nobody));
  assert.deepEqual((await api.listConnectionsByDomain('acme.example')).connections, []);
  await refused(BAD_REQUEST, api.listConnectionsByDomain(`${'a'.repeat(40)}.example`));
  assert.equal((await api.listAppConnections({ pageSize: 5 })).totalSize, 0);
  await refused(BAD_REQUEST, api.listAppConnections({ pageToken: 'nonsense' }));
  assert.equal((await api.disableConnection(acme, id)).enabled, false);
  await refused(NOT_FOUND, api.disableConnection(acme, CONNECTION));
  await api.deleteConnection(acme, id);
  await refused(NOT_FOUND, api.deleteConnection(acme, id));
}

/** A sign-in that began at the customer's identity provider arrives at the application as a token of the server. */
export async function loginFromProvider({ sdk, acme, gatewarden }: Story): Promise<void> {
  const now = Math.floor(gatewarden.clock.now().getTime() / 1000);
  const facts = {
    organization_id: acme,
    connection_id: CONNECTION,
    login_hint: 'ann@acme.example',
    relay_state: 'deep/link',
  };
  const claims = { iss: gatewarden.url, iat: now, nbf: now, exp: now + 300, ...facts };
  const token = await signJwt(gatewarden.context(), { typ: 'idp-login+jwt', claims });
  const read = await sdk.getIdpInitiatedLoginClaims(token);
  for (const [name, value] of Object.entries(facts)) assert.equal(Reflect.get(read, name), value);
  const changed = `${token.slice(0, -4)}AAAA`;
  await refused('ScalekitValidateTokenFailureException', sdk.getIdpInitiatedLoginClaims(changed));
}

/** What the application receives: webhooks and the calls of interceptors. */
export async function receiving({ sdk }: Story): Promise<void> {
  const key = Buffer.alloc(32, 5);
  const secret = `whsec_${key.toString('base64')}`;
  const body = '{"type":"user.login"}';
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', key).update(`evt_1.${timestamp}.${body}`).digest('base64');
  const headers = (kind: string): Record<string, string> => ({
    [`${kind}-id`]: 'evt_1',
    [`${kind}-timestamp`]: timestamp,
    [`${kind}-signature`]: `v1,${mac}`,
  });
  const error = { name: 'WebhookVerificationError' };
  assert.equal(sdk.verifyWebhookPayload(secret, headers('webhook'), body), true);
  assert.throws(() => sdk.verifyWebhookPayload(secret, headers('webhook'), `${body} `), error);
  assert.throws(() => sdk.verifyWebhookPayload(secret, headers('interceptor'), body), error);
  assert.equal(sdk.verifyInterceptorPayload(secret, headers('interceptor'), body), true);
  assert.throws(() => sdk.verifyInterceptorPayload(secret, headers('webhook'), body), error);
}
