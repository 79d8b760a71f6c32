import type { JsonObject } from '@bufbuild/protobuf';
import { DomainService } from '@gatewarden/contract/scalekit/v1/domains/domains_pb';
import { type Api, member, ok, type Step } from './management-api.ts';

const { method: d } = DomainService;

function query(params: JsonObject): string {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** The calls about domains. What is beside the domain goes into the query. */
export const domainSteps = {
  create: (organizationId: string, domain: JsonObject, params: JsonObject = {}): Step => ({
    method: d.createDomain,
    input: { organization_id: organizationId, domain, ...params },
    rest: ['POST', `/organizations/${organizationId}/domains${query(params)}`, domain],
  }),
  update: (organizationId: string, id: string): Step => ({
    method: d.updateDomain,
    input: { organization_id: organizationId, id, domain: {} },
    rest: ['PATCH', `/organizations/${organizationId}/domains/${id}`, {}],
  }),
  verify: (organizationId: string, id: string): Step => ({
    method: d.verifyDomain,
    input: { organization_id: organizationId, id },
    rest: ['PATCH', `/organizations/${organizationId}/domains/${id}:verify`],
  }),
  get: (organizationId: string, id: string): Step => ({
    method: d.getDomain,
    input: { organization_id: organizationId, id },
    rest: ['GET', `/organizations/${organizationId}/domains/${id}`],
  }),
  delete: (organizationId: string, id: string, params: JsonObject = {}): Step => ({
    method: d.deleteDomain,
    input: { organization_id: organizationId, id, ...params },
    rest: ['DELETE', `/organizations/${organizationId}/domains/${id}${query(params)}`],
  }),
  list: (organizationId: string, params: JsonObject = {}): Step => ({
    method: d.listDomains,
    input: { organization_id: organizationId, ...params },
    rest: ['GET', `/organizations/${organizationId}/domains${query(params)}`],
  }),
  authorized: (origin: string): Step => ({
    method: d.listAuthorizedDomains,
    input: { origin },
    rest: ['GET', `/domains/${encodeURIComponent(origin)}`],
  }),
};

/** Makes one and gives it back as the answer has it. */
export async function newDomain(
  api: Api,
  organizationId: string,
  domain: JsonObject,
): Promise<JsonObject> {
  return member(ok(await api(domainSteps.create(organizationId, domain))), 'domain');
}
