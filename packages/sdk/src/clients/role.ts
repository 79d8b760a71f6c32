import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type CreateOrganizationRoleResponse,
  type CreateOrganizationRoleSchema,
  type CreateRoleResponse,
  type CreateRoleSchema,
  type GetOrganizationRoleResponse,
  type GetOrganizationRoleUsersCountResponse,
  type GetRoleResponse,
  type GetRoleUsersCountResponse,
  type ListDependentRolesResponse,
  type ListOrganizationRolesResponse,
  type ListRolesResponse,
  RolesService,
  type UpdateDefaultOrganizationRolesResponse,
  type UpdateDefaultRolesResponse,
  type UpdateOrganizationRoleResponse,
  type UpdateRoleResponse,
  type UpdateRoleSchema,
} from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

/** Roles of the environment and of single organizations. Every method throws a `ScalekitServerException`. */
export class RoleClient {
  readonly #rpc: Client<typeof RolesService>;

  constructor(calls: Calls) {
    this.#rpc = calls(RolesService);
  }

  createRole(
    role: MessageInitShape<typeof CreateRoleSchema>,
    call?: CallOptions,
  ): Promise<CreateRoleResponse> {
    return this.#rpc.createRole({ role }, call);
  }

  getRole(roleName: string, call?: CallOptions): Promise<GetRoleResponse> {
    return this.#rpc.getRole({ roleName }, call);
  }

  listRoles(call?: CallOptions): Promise<ListRolesResponse> {
    return this.#rpc.listRoles({}, call);
  }

  updateRole(
    roleName: string,
    role: MessageInitShape<typeof UpdateRoleSchema>,
    call?: CallOptions,
  ): Promise<UpdateRoleResponse> {
    return this.#rpc.updateRole({ roleName, role }, call);
  }

  /** @param reassignRoleName the role that its people get instead */
  deleteRole(roleName: string, reassignRoleName?: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteRole({ roleName, reassignRoleName }, call);
  }

  /** Ends the inheritance from the role that it extends. */
  deleteRoleBase(roleName: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteRoleBase({ roleName }, call);
  }

  getRoleUsersCount(roleName: string, call?: CallOptions): Promise<GetRoleUsersCountResponse> {
    return this.#rpc.getRoleUsersCount({ roleName }, call);
  }

  createOrganizationRole(
    orgId: string,
    role: MessageInitShape<typeof CreateOrganizationRoleSchema>,
    call?: CallOptions,
  ): Promise<CreateOrganizationRoleResponse> {
    return this.#rpc.createOrganizationRole({ orgId, role }, call);
  }

  getOrganizationRole(
    orgId: string,
    roleName: string,
    call?: CallOptions,
  ): Promise<GetOrganizationRoleResponse> {
    return this.#rpc.getOrganizationRole({ orgId, roleName }, call);
  }

  listOrganizationRoles(orgId: string, call?: CallOptions): Promise<ListOrganizationRolesResponse> {
    return this.#rpc.listOrganizationRoles({ orgId }, call);
  }

  updateOrganizationRole(
    orgId: string,
    roleName: string,
    role: MessageInitShape<typeof UpdateRoleSchema>,
    call?: CallOptions,
  ): Promise<UpdateOrganizationRoleResponse> {
    return this.#rpc.updateOrganizationRole({ orgId, roleName, role }, call);
  }

  /** @param reassignRoleName the role that its people get instead */
  deleteOrganizationRole(
    orgId: string,
    roleName: string,
    reassignRoleName?: string,
    call?: CallOptions,
  ): Promise<Empty> {
    return this.#rpc.deleteOrganizationRole({ orgId, roleName, reassignRoleName }, call);
  }

  getOrganizationRoleUsersCount(
    orgId: string,
    roleName: string,
    call?: CallOptions,
  ): Promise<GetOrganizationRoleUsersCountResponse> {
    return this.#rpc.getOrganizationRoleUsersCount({ orgId, roleName }, call);
  }

  /** @throws {ScalekitException} a name is given and empty */
  async updateDefaultRoles(
    options?: { readonly defaultCreatorRole?: string; readonly defaultMemberRole?: string },
    call?: CallOptions,
  ): Promise<UpdateDefaultRolesResponse> {
    const { defaultCreatorRole, defaultMemberRole } = options ?? {};
    return await this.#rpc.updateDefaultRoles(
      {
        ...(defaultCreatorRole !== undefined && {
          defaultCreatorRole: required('defaultCreatorRole', defaultCreatorRole),
        }),
        ...(defaultMemberRole !== undefined && {
          defaultMemberRole: required('defaultMemberRole', defaultMemberRole),
        }),
      },
      call,
    );
  }

  async listDependentRoles(
    roleName: string,
    call?: CallOptions,
  ): Promise<ListDependentRolesResponse> {
    return await this.#rpc.listDependentRoles({ roleName: required('roleName', roleName) }, call);
  }

  updateDefaultOrganizationRoles(
    orgId: string,
    defaultMemberRole: string,
    call?: CallOptions,
  ): Promise<UpdateDefaultOrganizationRolesResponse> {
    return this.#rpc.updateDefaultOrganizationRoles({ orgId, defaultMemberRole }, call);
  }

  deleteOrganizationRoleBase(orgId: string, roleName: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteOrganizationRoleBase({ orgId, roleName }, call);
  }
}
