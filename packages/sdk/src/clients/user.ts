import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type AssignUserRolesResponse,
  type CreateMembershipResponse,
  type CreateUserAndMembershipResponse,
  type CreateUserProfileSchema,
  type CreateUserSchema,
  type GetUserResponse,
  type ListOrganizationUsersResponse,
  type ListUserPermissionsResponse,
  type ListUserRolesResponse,
  type ListUsersResponse,
  type ResendInviteResponse,
  type SearchOrganizationUsersResponse,
  type SearchUsersResponse,
  type UpdateMembershipResponse,
  type UpdateUserResponse,
  type UpdateUserSchema,
  UserService,
} from '@gatewarden/contract/scalekit/v1/users/users_pb';
import { given, type PageOptions, pageArguments, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

type Fields<T> = Omit<T, '$typeName' | '$unknown'>;

/** A new person: what Scalekit's SDK takes, and everything else that the contract has. */
export type CreateUserRequest = Fields<MessageInitShape<typeof CreateUserSchema>> & {
  readonly email: string;
  readonly userProfile?: Fields<MessageInitShape<typeof CreateUserProfileSchema>> | undefined;
  readonly sendInvitationEmail?: boolean | undefined;
};

/** What changes about a person. `email` is accepted so that a call need not change; it is how people are told apart, and stays. */
export type UpdateUserRequest = Fields<MessageInitShape<typeof UpdateUserSchema>> & {
  readonly email?: string | undefined;
};

export type MembershipOptions = {
  /** Names. None given: the default role, or those that the person has. */
  readonly roles?: readonly string[];
  readonly metadata?: Readonly<Record<string, string>>;
};

export type CreateMembershipOptions = MembershipOptions & {
  readonly sendInvitationEmail?: boolean;
};

const byId = (value: string) => ({ case: 'id', value }) as const;
const byExternalId = (value: string) => ({ case: 'externalId', value }) as const;
type Identity = ReturnType<typeof byId> | ReturnType<typeof byExternalId>;

/** People and what they are in organizations. Every method throws a `ScalekitServerException`. */
export class UserClient {
  readonly #rpc: Client<typeof UserService>;

  constructor(calls: Calls) {
    this.#rpc = calls(UserService);
  }

  async createUserAndMembership(
    organizationId: string,
    options: CreateUserRequest,
    call?: CallOptions,
  ): Promise<CreateUserAndMembershipResponse> {
    const { sendInvitationEmail, ...user } = options;
    required('email', options.email);
    return await this.#rpc.createUserAndMembership(
      {
        organizationId: required('organizationId', organizationId),
        user,
        ...given({ sendInvitationEmail }),
      },
      call,
    );
  }

  getUser(userId: string, call?: CallOptions): Promise<GetUserResponse> {
    return this.#rpc.getUser({ identities: byId(userId) }, call);
  }

  listUsers(options?: PageOptions, call?: CallOptions): Promise<ListUsersResponse> {
    return this.#rpc.listUsers(given(options), call);
  }

  updateUser(
    userId: string,
    options: UpdateUserRequest,
    call?: CallOptions,
  ): Promise<UpdateUserResponse> {
    const { email: _email, ...user } = options;
    return this.#rpc.updateUser({ identities: byId(userId), user }, call);
  }

  deleteUser(userId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteUser({ identities: byId(userId) }, call);
  }

  createMembership(
    organizationId: string,
    userId: string,
    options?: CreateMembershipOptions,
    call?: CallOptions,
  ): Promise<CreateMembershipResponse> {
    return this.#create(organizationId, byId(userId), options, call);
  }

  deleteMembership(organizationId: string, userId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteMembership({ organizationId, identities: byId(userId) }, call);
  }

  updateMembership(
    organizationId: string,
    userId: string,
    options?: MembershipOptions,
    call?: CallOptions,
  ): Promise<UpdateMembershipResponse> {
    return this.#update(organizationId, byId(userId), options, call);
  }

  listOrganizationUsers(
    organizationId: string,
    options?: PageOptions,
    call?: CallOptions,
  ): Promise<ListOrganizationUsersResponse> {
    return this.#rpc.listOrganizationUsers({ organizationId, ...given(options) }, call);
  }

  async resendInvite(
    organizationId: string,
    userId: string,
    call?: CallOptions,
  ): Promise<ResendInviteResponse> {
    return await this.#rpc.resendInvite(
      {
        organizationId: required('organizationId', organizationId),
        id: required('userId', userId),
      },
      call,
    );
  }

  async listUserRoles(
    organizationId: string,
    userId: string,
    call?: CallOptions,
  ): Promise<ListUserRolesResponse> {
    return await this.#rpc.listUserRoles(memberOf(organizationId, userId), call);
  }

  async listUserPermissions(
    organizationId: string,
    userId: string,
    call?: CallOptions,
  ): Promise<ListUserPermissionsResponse> {
    return await this.#rpc.listUserPermissions(memberOf(organizationId, userId), call);
  }

  searchUsers(query: string, page?: PageOptions, call?: CallOptions): Promise<SearchUsersResponse>;
  searchUsers(
    query: string,
    pageSize?: number,
    pageToken?: string,
    call?: CallOptions,
  ): Promise<SearchUsersResponse>;
  async searchUsers(
    query: string,
    first?: number | PageOptions,
    second?: string | CallOptions,
    third?: CallOptions,
  ): Promise<SearchUsersResponse> {
    const { page, call } = pageArguments(first, second, third);
    return await this.#rpc.searchUsers({ query: required('query', query), ...page }, call);
  }

  searchOrganizationUsers(
    organizationId: string,
    query: string,
    page?: PageOptions,
    call?: CallOptions,
  ): Promise<SearchOrganizationUsersResponse>;
  searchOrganizationUsers(
    organizationId: string,
    query: string,
    pageSize?: number,
    pageToken?: string,
    call?: CallOptions,
  ): Promise<SearchOrganizationUsersResponse>;
  async searchOrganizationUsers(
    organizationId: string,
    query: string,
    first?: number | PageOptions,
    second?: string | CallOptions,
    third?: CallOptions,
  ): Promise<SearchOrganizationUsersResponse> {
    const { page, call } = pageArguments(first, second, third);
    return await this.#rpc.searchOrganizationUsers(
      {
        organizationId: required('organizationId', organizationId),
        query: required('query', query),
        ...page,
      },
      call,
    );
  }

  /** Adds to the roles that the person has. */
  assignUserRoles(
    organizationId: string,
    userId: string,
    roles: readonly string[],
    call?: CallOptions,
  ): Promise<AssignUserRolesResponse> {
    return this.#rpc.assignUserRoles(
      { organizationId, userId, roles: roles.map((roleName) => ({ roleName })) },
      call,
    );
  }

  removeUserRole(
    organizationId: string,
    userId: string,
    roleName: string,
    call?: CallOptions,
  ): Promise<Empty> {
    return this.#rpc.removeUserRole({ organizationId, userId, roleName }, call);
  }

  getUserByExternalId(externalId: string, call?: CallOptions): Promise<GetUserResponse> {
    return this.#rpc.getUser({ identities: byExternalId(externalId) }, call);
  }

  updateUserByExternalId(
    externalId: string,
    options: Omit<UpdateUserRequest, 'externalId'>,
    call?: CallOptions,
  ): Promise<UpdateUserResponse> {
    const { email: _email, ...user } = options;
    return this.#rpc.updateUser({ identities: byExternalId(externalId), user }, call);
  }

  deleteUserByExternalId(externalId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteUser({ identities: byExternalId(externalId) }, call);
  }

  createMembershipByExternalId(
    organizationId: string,
    externalId: string,
    options?: CreateMembershipOptions,
    call?: CallOptions,
  ): Promise<CreateMembershipResponse> {
    return this.#create(organizationId, byExternalId(externalId), options, call);
  }

  deleteMembershipByExternalId(
    organizationId: string,
    externalId: string,
    call?: CallOptions,
  ): Promise<Empty> {
    const identities = byExternalId(externalId);
    return this.#rpc.deleteMembership({ organizationId, identities }, call);
  }

  updateMembershipByExternalId(
    organizationId: string,
    externalId: string,
    options?: MembershipOptions,
    call?: CallOptions,
  ): Promise<UpdateMembershipResponse> {
    return this.#update(organizationId, byExternalId(externalId), options, call);
  }

  #create(
    organizationId: string,
    identities: Identity,
    options: CreateMembershipOptions | undefined,
    call: CallOptions | undefined,
  ): Promise<CreateMembershipResponse> {
    const { sendInvitationEmail } = options ?? {};
    return this.#rpc.createMembership(
      {
        organizationId,
        identities,
        membership: membershipOf(options),
        ...given({ sendInvitationEmail }),
      },
      call,
    );
  }

  #update(
    organizationId: string,
    identities: Identity,
    options: MembershipOptions | undefined,
    call: CallOptions | undefined,
  ): Promise<UpdateMembershipResponse> {
    const membership = membershipOf(options);
    return this.#rpc.updateMembership({ organizationId, identities, membership }, call);
  }
}

function membershipOf(options: MembershipOptions | undefined): {
  roles: { name: string }[];
  metadata: Record<string, string>;
} {
  return {
    roles: (options?.roles ?? []).map((name) => ({ name })),
    metadata: { ...options?.metadata },
  };
}

/** Spaces around an id are not part of it, as with Scalekit's SDK. */
function memberOf(
  organizationId: string,
  userId: string,
): { organizationId: string; userId: string } {
  return {
    organizationId: required('organizationId', organizationId).trim(),
    userId: required('userId', userId).trim(),
  };
}
