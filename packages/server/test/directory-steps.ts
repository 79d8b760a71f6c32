import type { JsonObject } from '@bufbuild/protobuf';
import { DirectoryService } from '@gatewarden/contract/scalekit/v1/directories/directories_pb';
import { type Api, member, ok, type Step } from './management-api.ts';

const { method: d } = DirectoryService;

function query(params: JsonObject): string {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** Calls about directories of one organization. */
export const directorySteps = (organization_id: string) => {
  const root = `/organizations/${organization_id}/directories`;
  return {
    create: (directory: JsonObject): Step => ({
      method: d.createDirectory,
      input: { organization_id, directory },
      rest: ['POST', root, directory],
    }),
    list: (): Step => ({
      method: d.listDirectories,
      input: { organization_id },
      rest: ['GET', root],
    }),
    get: (id: string): Step => ({
      method: d.getDirectory,
      input: { organization_id, id },
      rest: ['GET', `${root}/${id}`],
    }),
    update: (id: string, directory: JsonObject): Step => ({
      method: d.updateDirectory,
      input: { organization_id, id, directory },
      rest: ['PATCH', `${root}/${id}`, directory],
    }),
    enable: (id: string): Step => ({
      method: d.enableDirectory,
      input: { organization_id, id },
      rest: ['PATCH', `${root}/${id}:enable`],
    }),
    disable: (id: string): Step => ({
      method: d.disableDirectory,
      input: { organization_id, id },
      rest: ['PATCH', `${root}/${id}:disable`],
    }),
    delete: (id: string): Step => ({
      method: d.deleteDirectory,
      input: { organization_id, id },
      rest: ['DELETE', `${root}/${id}`],
    }),
    users: (directory_id: string, params: JsonObject = {}): Step => ({
      method: d.listDirectoryUsers,
      input: { organization_id, directory_id, ...params },
      rest: ['GET', `${root}/${directory_id}/users${query(params)}`],
    }),
    groups: (directory_id: string, params: JsonObject = {}): Step => ({
      method: d.listDirectoryGroups,
      input: { organization_id, directory_id, ...params },
      rest: ['GET', `${root}/${directory_id}/groups${query(params)}`],
    }),
    summary: (directory_id: string): Step => ({
      method: d.listDirectoryGroupsSummary,
      input: { organization_id, directory_id },
      rest: ['GET', `${root}/${directory_id}/groups/summary`],
    }),
    createSecret: (directory_id: string): Step => ({
      method: d.createDirectorySecret,
      input: { organization_id, directory_id },
      rest: ['POST', `${root}/${directory_id}/secrets`],
    }),
    regenerateSecret: (directory_id: string): Step => ({
      method: d.regenerateDirectorySecret,
      input: { organization_id, directory_id },
      rest: ['POST', `${root}/${directory_id}/secrets:regenerate`],
    }),
    sync: (directory_id: string): Step => ({
      method: d.triggerDirectorySync,
      input: { organization_id, directory_id },
      rest: ['GET', `${root}/${directory_id}:sync`],
    }),
    getContext: (directory_id: string): Step => ({
      method: d.getDirectoryContext,
      input: { organization_id, directory_id },
      rest: ['GET', `${root}/${directory_id}/contexts`],
    }),
    assignGroups: (id: string, external_ids: string[]): Step => ({
      method: d.assignGroupsForDirectory,
      input: { organization_id, id, external_ids },
      rest: ['PUT', `${root}/${id}/groups:assign`, { external_ids }],
    }),
    assignRoles: (id: string, assignments: JsonObject[]): Step => ({
      method: d.assignRoles,
      input: { organization_id, id, role_assignments: { assignments } },
      rest: ['PUT', `${root}/${id}/groups/-/roles:assign`, { assignments }],
    }),
    mapAttributes: (id: string, attributes: JsonObject[]): Step => ({
      method: d.updateAttributes,
      input: { organization_id, id, attribute_mapping: { attributes } },
      rest: ['PUT', `${root}/${id}/attributes`, { attributes }],
    }),
  };
};

/** A new SCIM directory of an organization, as the answer has it. */
export async function newDirectory(api: Api, organizationId: string): Promise<JsonObject> {
  const step = directorySteps(organizationId).create({ directory_type: 'SCIM' });
  return member(ok(await api(step)), 'directory');
}
