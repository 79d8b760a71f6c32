import type { JsonObject } from '@bufbuild/protobuf';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { type Api, member, ok, type Step } from './management-api.ts';

const { method: o } = OrganizationService;

function query(params: JsonObject): string {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** The calls about organizations. */
export const organizationSteps = {
  create: (organization: JsonObject): Step => ({
    method: o.createOrganization,
    input: { organization },
    rest: ['POST', '/organizations', organization],
  }),
  get: (id: string): Step => ({
    method: o.getOrganization,
    input: { id },
    rest: ['GET', `/organizations/${encodeURIComponent(id)}`],
  }),
  getByExternalId: (externalId: string): Step => ({
    method: o.getOrganizationByExternalId,
    input: { external_id: externalId },
    rest: ['GET', `/organizations:external/${encodeURIComponent(externalId)}`],
  }),
  list: (params: JsonObject = {}): Step => ({
    method: o.listOrganization,
    input: params,
    rest: ['GET', `/organizations${query(params)}`],
  }),
  search: (params: JsonObject): Step => ({
    method: o.searchOrganization,
    input: params,
    rest: ['GET', `/organizations:search${query(params)}`],
  }),
  update: (id: string, organization: JsonObject): Step => ({
    method: o.updateOrganization,
    input: { id, organization },
    rest: ['PATCH', `/organizations/${id}`, organization],
  }),
  delete: (id: string): Step => ({
    method: o.deleteOrganization,
    input: { id },
    rest: ['DELETE', `/organizations/${id}`],
  }),
  settings: (id: string, features: JsonObject[]): Step => ({
    method: o.updateOrganizationSettings,
    input: { id, settings: { features } },
    rest: ['PATCH', `/organizations/${id}/settings`, { features }],
  }),
  getPolicy: (id: string): Step => ({
    method: o.getOrganizationSessionPolicy,
    input: { organization_id: id },
    rest: ['GET', `/organizations/${id}/session-policy`],
  }),
  setPolicy: (id: string, policy: JsonObject): Step => ({
    method: o.updateOrganizationSessionPolicy,
    input: { organization_id: id, ...policy },
    rest: ['PATCH', `/organizations/${id}/session-policy`, policy],
  }),
  applicationPolicy: (id: string): Step => ({
    method: o.getApplicationSessionPolicy,
    input: { organization_id: id },
    rest: ['GET', `/organizations/${id}/application-session-policy`],
  }),
  setUserManagement: (id: string, settings: JsonObject): Step => ({
    method: o.upsertUserManagementSettings,
    input: { organization_id: id, settings },
    rest: ['PATCH', `/organizations/${id}/settings/usermanagement`, { settings }],
  }),
  getUserManagement: (id: string): Step => ({
    method: o.getOrganizationUserManagementSetting,
    input: { organization_id: id },
    rest: ['GET', `/organizations/${id}/settings/usermanagement`],
  }),
};

/** Makes one and gives it back as the answer has it. */
export async function newOrganization(
  api: Api,
  organization: JsonObject = {},
): Promise<JsonObject> {
  const sent = { display_name: 'Acme', ...organization };
  return member(ok(await api(organizationSteps.create(sent))), 'organization');
}
