import type { JsonObject } from '@bufbuild/protobuf';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { Step } from './management-api.ts';

const { method: r } = RolesService;

const including = (include: string | undefined): string =>
  include === undefined ? '' : `?include=${include}`;
const given = (name: string, value: string | undefined): JsonObject =>
  value === undefined ? {} : { [name]: value };

/** Calls about roles of the environment. */
export const roleSteps = {
  create: (role: JsonObject): Step => ({
    method: r.createRole,
    input: { role },
    rest: ['POST', '/roles', role],
  }),
  update: (name: string, role: JsonObject): Step => ({
    method: r.updateRole,
    input: { role_name: name, role },
    rest: ['PUT', `/roles/${name}`, role],
  }),
  get: (name: string, include?: string): Step => ({
    method: r.getRole,
    input: { role_name: name, ...given('include', include) },
    rest: ['GET', `/roles/${name}${including(include)}`],
  }),
  list: (include?: string): Step => ({
    method: r.listRoles,
    input: given('include', include),
    rest: ['GET', `/roles${including(include)}`],
  }),
  delete: (name: string, successor?: string): Step => ({
    method: r.deleteRole,
    input: { role_name: name, ...given('reassign_role_name', successor) },
    rest: [
      'DELETE',
      `/roles/${name}${successor === undefined ? '' : `?reassign_role_name=${successor}`}`,
    ],
  }),
  deleteReassigningId: (name: string, id: string): Step => ({
    method: r.deleteRole,
    input: { role_name: name, reassign_role_id: id },
    rest: ['DELETE', `/roles/${name}?reassign_role_id=${id}`],
  }),
  deleteBase: (name: string): Step => ({
    method: r.deleteRoleBase,
    input: { role_name: name },
    rest: ['DELETE', `/roles/${name}/base`],
  }),
  dependents: (name: string): Step => ({
    method: r.listDependentRoles,
    input: { role_name: name },
    rest: ['GET', `/roles/${name}/dependents`],
  }),
  setDefaults: (defaults: JsonObject, path = ':set_defaults'): Step => ({
    method: r.updateDefaultRoles,
    input: defaults,
    rest: ['PATCH', `/roles${path}`, defaults],
  }),
  permissions: (name: string): Step => ({
    method: r.listRolePermissions,
    input: { role_name: name },
    rest: ['GET', `/roles/${name}/permissions`],
  }),
  effective: (name: string): Step => ({
    method: r.listEffectiveRolePermissions,
    input: { role_name: name },
    rest: ['GET', `/roles/${name}/permissions:all`],
  }),
  addPermissions: (name: string, names: string[]): Step => ({
    method: r.addPermissionsToRole,
    input: { role_name: name, permission_names: names },
    rest: ['POST', `/roles/${name}/permissions`, { permission_names: names }],
  }),
  removePermission: (name: string, permission: string): Step => ({
    method: r.removePermissionFromRole,
    input: { role_name: name, permission_name: permission },
    rest: ['DELETE', `/roles/${name}/permissions/${permission}`],
  }),
};

/** Calls about roles of one organization. */
export const organizationRoleSteps = (organization: string) => {
  const path = `/organizations/${organization}/roles`;
  const org_id = organization;
  return {
    create: (role: JsonObject): Step => ({
      method: r.createOrganizationRole,
      input: { org_id, role },
      rest: ['POST', path, role],
    }),
    update: (name: string, role: JsonObject): Step => ({
      method: r.updateOrganizationRole,
      input: { org_id, role_name: name, role },
      rest: ['PUT', `${path}/${name}`, role],
    }),
    get: (name: string, include?: string): Step => ({
      method: r.getOrganizationRole,
      input: { org_id, role_name: name, ...given('include', include) },
      rest: ['GET', `${path}/${name}${including(include)}`],
    }),
    list: (include?: string): Step => ({
      method: r.listOrganizationRoles,
      input: { org_id, ...given('include', include) },
      rest: ['GET', `${path}${including(include)}`],
    }),
    delete: (name: string, successor?: string): Step => ({
      method: r.deleteOrganizationRole,
      input: { org_id, role_name: name, ...given('reassign_role_name', successor) },
      rest: [
        'DELETE',
        `${path}/${name}${successor === undefined ? '' : `?reassign_role_name=${successor}`}`,
      ],
    }),
    deleteBase: (name: string): Step => ({
      method: r.deleteOrganizationRoleBase,
      input: { org_id, role_name: name },
      rest: ['DELETE', `${path}/${name}/base`],
    }),
    setDefault: (name: string): Step => ({
      method: r.updateDefaultOrganizationRoles,
      input: { org_id, default_member_role: name },
      rest: ['PATCH', `${path}:set_defaults`, { default_member_role: name }],
    }),
  };
};
