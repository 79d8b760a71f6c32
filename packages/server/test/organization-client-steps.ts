import type { JsonObject } from '@bufbuild/protobuf';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import type { Step } from './management-api.ts';

const { method: m } = ClientService;
const base = (organizationId: string): string => `/organizations/${organizationId}/clients`;

/** The calls about machine clients of organizations. */
export const organizationClientSteps = {
  create: (organizationId: string, client: JsonObject): Step => ({
    method: m.createOrganizationClient,
    input: { organization_id: organizationId, client },
    rest: ['POST', base(organizationId), client],
  }),
  get: (organizationId: string, clientId: string): Step => ({
    method: m.getOrganizationClient,
    input: { organization_id: organizationId, client_id: clientId },
    rest: ['GET', `${base(organizationId)}/${clientId}`],
  }),
  list: (organizationId: string, params: Record<string, string> = {}): Step => ({
    method: m.listOrganizationClients,
    input: { organization_id: organizationId, ...params },
    rest: ['GET', `${base(organizationId)}?${new URLSearchParams(params)}`],
  }),
  update: (organizationId: string, clientId: string, client: JsonObject): Step => ({
    method: m.updateOrganizationClient,
    input: { organization_id: organizationId, client_id: clientId, client },
    rest: ['PATCH', `${base(organizationId)}/${clientId}`, client],
  }),
  delete: (organizationId: string, clientId: string): Step => ({
    method: m.deleteOrganizationClient,
    input: { organization_id: organizationId, client_id: clientId },
    rest: ['DELETE', `${base(organizationId)}/${clientId}`],
  }),
  addSecret: (organizationId: string, clientId: string): Step => ({
    method: m.createOrganizationClientSecret,
    input: { organization_id: organizationId, client_id: clientId },
    rest: ['POST', `${base(organizationId)}/${clientId}/secrets`],
  }),
  deleteSecret: (organizationId: string, clientId: string, secretId: string): Step => ({
    method: m.deleteOrganizationClientSecret,
    input: { organization_id: organizationId, client_id: clientId, secret_id: secretId },
    rest: ['DELETE', `${base(organizationId)}/${clientId}/secrets/${secretId}`],
  }),
};
