import type { JsonObject } from '@bufbuild/protobuf';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { UserService } from '@gatewarden/contract/scalekit/v1/users/users_pb';
import { type Api, member, members, ok, type Step } from './management-api.ts';

const { method: u } = UserService;
const { method: r } = RolesService;

function query(params: JsonObject): string {
  const pairs = Object.entries(params).map(([name, value]) => [name, String(value)]);
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** `usr_…` is an id, all else an external id. */
function keyOf(user: string): { readonly input: JsonObject; readonly path: string } {
  return user.startsWith('usr_')
    ? { input: { id: user }, path: `users/${user}` }
    : { input: { external_id: user }, path: `users:external/${encodeURIComponent(user)}` };
}

/** The calls about people. */
export const userSteps = {
  get: (user: string): Step => ({
    method: u.getUser,
    input: keyOf(user).input,
    rest: ['GET', `/${keyOf(user).path}`],
  }),
  update: (user: string, change: JsonObject): Step => ({
    method: u.updateUser,
    input: { ...keyOf(user).input, user: change },
    rest: ['PATCH', `/${keyOf(user).path}`, change],
  }),
  delete: (user: string): Step => ({
    method: u.deleteUser,
    input: keyOf(user).input,
    rest: ['DELETE', `/${keyOf(user).path}`],
  }),
  list: (params: JsonObject = {}): Step => ({
    method: u.listUsers,
    input: params,
    rest: ['GET', `/users${query(params)}`],
  }),
  search: (params: JsonObject): Step => ({
    method: u.searchUsers,
    input: params,
    rest: ['GET', `/users:search${query(params)}`],
  }),
  current: (): Step => ({ method: u.getCurrentUser, input: {}, rest: ['GET', '/users:this'] }),
};

/** The calls about the members of one organization. */
export const memberSteps = (organization: string) => {
  const path = `/organizations/${organization}`;
  const organization_id = organization;
  return {
    create: (user: JsonObject, send?: boolean): Step => ({
      method: u.createUserAndMembership,
      input: {
        organization_id,
        user,
        ...(send === undefined ? {} : { send_invitation_email: send }),
      },
      rest: [
        'POST',
        `${path}/users${send === undefined ? '' : `?send_invitation_email=${send}`}`,
        user,
      ],
    }),
    list: (params: JsonObject = {}): Step => ({
      method: u.listOrganizationUsers,
      input: { organization_id, ...params },
      rest: ['GET', `${path}/users${query(params)}`],
    }),
    search: (params: JsonObject): Step => ({
      method: u.searchOrganizationUsers,
      input: { organization_id, ...params },
      rest: ['GET', `${path}/users:search${query(params)}`],
    }),
    join: (user: string, membership: JsonObject = {}, send = false): Step => ({
      method: u.createMembership,
      input: { organization_id, ...keyOf(user).input, membership, send_invitation_email: send },
      rest: [
        'POST',
        `/memberships${path}/${keyOf(user).path}?send_invitation_email=${send}`,
        membership,
      ],
    }),
    change: (user: string, membership: JsonObject): Step => ({
      method: u.updateMembership,
      input: { organization_id, ...keyOf(user).input, membership },
      rest: ['PATCH', `/memberships${path}/${keyOf(user).path}`, membership],
    }),
    leave: (user: string, params: JsonObject = {}): Step => ({
      method: u.deleteMembership,
      input: { organization_id, ...keyOf(user).input, ...params },
      rest: ['DELETE', `/memberships${path}/${keyOf(user).path}${query(params)}`],
    }),
    resend: (user: string): Step => ({
      method: u.resendInvite,
      input: { organization_id, id: user },
      rest: ['PATCH', `/invites${path}/users/${user}/resend`, {}],
    }),
    roles: (user: string): Step => ({
      method: u.listUserRoles,
      input: { organization_id, user_id: user },
      rest: ['GET', `${path}/users/${user}/roles`],
    }),
    assign: (user: string, roles: JsonObject[]): Step => ({
      method: u.assignUserRoles,
      input: { organization_id, user_id: user, roles },
      rest: ['POST', `${path}/users/${user}/roles`, roles],
    }),
    withdraw: (user: string, role: string): Step => ({
      method: u.removeUserRole,
      input: { organization_id, user_id: user, role_name: role },
      rest: ['DELETE', `${path}/users/${user}/roles/${role}`],
    }),
    permissions: (user: string): Step => ({
      method: u.listUserPermissions,
      input: { organization_id, user_id: user },
      rest: ['GET', `${path}/users/${user}/permissions`],
    }),
    roleUsers: (role: string): Step => ({
      method: r.getOrganizationRoleUsersCount,
      input: { org_id: organization, role_name: role },
      rest: ['GET', `${path}/roles/${role}/users:count`],
    }),
  };
};

/** How many people have a role of the environment. */
export const roleUsers = (role: string): Step => ({
  method: r.getRoleUsersCount,
  input: { role_name: role },
  rest: ['GET', `/roles/${role}/users:count`],
});

let made = 0;

/** Adds a member and gives the user back as the answer has it. Without more it is an active one with a test address of their own. */
export async function newMember(
  api: Api,
  organization: string,
  user: JsonObject = {},
  send = false,
): Promise<JsonObject> {
  made += 1;
  const sent = { email: `person${made}+sktest@example.com`, ...user };
  return member(ok(await api(memberSteps(organization).create(sent, send))), 'user');
}

/** The membership of a user in an organization, as the answer has it. */
export function membershipOf(user: JsonObject, organization: unknown): JsonObject | undefined {
  return members(user, 'memberships').find((one) => one['organization_id'] === organization);
}
