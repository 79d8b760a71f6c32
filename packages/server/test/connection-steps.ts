import type { JsonObject } from '@bufbuild/protobuf';
import { ConnectionService } from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { type Api, member, ok, type Step } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';

const { method: c } = ConnectionService;

function query(params: JsonObject): string {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** The calls about connections of one organization. */
export function connectionSteps(organizationId: string) {
  const root = `/organizations/${organizationId}/connections`;
  const own = { organization_id: organizationId };
  return {
    create: (connection: JsonObject): Step => ({
      method: c.createConnection,
      input: { ...own, connection },
      rest: ['POST', root, connection],
    }),
    get: (id: string): Step => ({
      method: c.getConnection,
      input: { ...own, id },
      rest: ['GET', `${root}/${id}`],
    }),
    update: (id: string, connection: JsonObject): Step => ({
      method: c.updateConnection,
      input: { ...own, id, connection },
      rest: ['PATCH', `${root}/${id}`, connection],
    }),
    delete: (id: string): Step => ({
      method: c.deleteConnection,
      input: { ...own, id },
      rest: ['DELETE', `${root}/${id}`],
    }),
    enable: (id: string): Step => ({
      method: c.enableConnection,
      input: { ...own, id },
      rest: ['PATCH', `${root}/${id}:enable`],
    }),
    disable: (id: string): Step => ({
      method: c.disableConnection,
      input: { ...own, id },
      rest: ['PATCH', `${root}/${id}:disable`],
    }),
    assign: (id: string, domainIds: string[]): Step => ({
      method: c.assignDomainsToConnection,
      input: { ...own, connection_id: id, domain_ids: domainIds },
      rest: ['PUT', `${root}/${id}/domains`, { domain_ids: domainIds }],
    }),
  };
}

/** The calls about connections of the environment, and about all of them. */
export const environmentConnectionSteps = {
  /** What is beside the connection goes into the query. */
  create: (connection: JsonObject, flags: JsonObject = {}): Step => ({
    method: c.createEnvironmentConnection,
    input: { connection, flags },
    rest: [
      'POST',
      `/connections${query(Object.fromEntries(Object.entries(flags).map(([name, value]) => [`flags.${name}`, value])))}`,
      connection,
    ],
  }),
  get: (id: string): Step => ({
    method: c.getEnvironmentConnection,
    input: { connection_id: id },
    rest: ['GET', `/connections/${id}`],
  }),
  update: (id: string, connection: JsonObject): Step => ({
    method: c.updateEnvironmentConnection,
    input: { connection_id: id, connection },
    rest: ['PATCH', `/connections/${id}`, connection],
  }),
  delete: (id: string): Step => ({
    method: c.deleteEnvironmentConnection,
    input: { connection_id: id },
    rest: ['DELETE', `/connections/${id}`],
  }),
  enable: (id: string): Step => ({
    method: c.enableEnvironmentConnection,
    input: { connection_id: id },
    rest: ['PATCH', `/connections/${id}:enable`],
  }),
  disable: (id: string): Step => ({
    method: c.disableEnvironmentConnection,
    input: { connection_id: id },
    rest: ['PATCH', `/connections/${id}:disable`],
  }),
  list: (params: JsonObject = {}): Step => ({
    method: c.listConnections,
    input: params,
    rest: ['GET', `/connections${query(params)}`],
  }),
  listOfOrganizations: (params: JsonObject = {}): Step => ({
    method: c.listOrganizationConnections,
    input: params,
    rest: ['GET', `/organizations/-/connections${query(params)}`],
  }),
  search: (params: JsonObject = {}): Step => ({
    method: c.searchOrganizationConnections,
    input: params,
    rest: ['GET', `/organizations/-/connections:search${query(params)}`],
  }),
  listApps: (params: JsonObject = {}): Step => ({
    method: c.listAppConnections,
    input: params,
    rest: ['GET', `/connections/app${query(params)}`],
  }),
  testResult: (id: string, testId: string): Step => ({
    method: c.getConnectionTestResult,
    input: { connection_id: id, test_request_id: testId },
    rest: ['GET', `/connections/${id}/test-requests/${testId}`],
  }),
  getContext: (id: string): Step => ({
    method: c.getConnectionContext,
    input: { connection_id: id },
    rest: ['GET', `/connections/${id}/contexts`],
  }),
};

/** An organization that may have single sign-on. */
export async function customer(api: Api): Promise<string> {
  const id = String((await newOrganization(api))['id']);
  ok(await api(organizationSteps.settings(id, [{ name: 'sso', enabled: true }])));
  return id;
}

/** Makes one and gives it back as the answer has it. */
export async function newConnection(
  api: Api,
  organizationId: string,
  connection: JsonObject = { provider: 'OKTA', type: 'OIDC' },
): Promise<JsonObject> {
  return member(ok(await api(connectionSteps(organizationId).create(connection))), 'connection');
}

/** What makes a connection of type OIDC complete. */
export const OIDC_CONFIG = {
  issuer: 'https://acme.okta.example',
  client_id: '0oa1',
  client_secret: 'secret-of-the-connection-0123456789',
};
