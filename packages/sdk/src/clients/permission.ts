import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type AddPermissionsToRoleResponse,
  type CreatePermissionResponse,
  type CreatePermissionSchema,
  type GetPermissionResponse,
  type ListEffectiveRolePermissionsResponse,
  type ListPermissionsResponse,
  type ListRolePermissionsResponse,
  RolesService,
  type UpdatePermissionResponse,
} from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { PageOptions } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

/** Permissions and which roles have them. Every method throws a `ScalekitServerException`. */
export class PermissionClient {
  readonly #rpc: Client<typeof RolesService>;

  constructor(calls: Calls) {
    this.#rpc = calls(RolesService);
  }

  createPermission(
    permission: MessageInitShape<typeof CreatePermissionSchema>,
    call?: CallOptions,
  ): Promise<CreatePermissionResponse> {
    return this.#rpc.createPermission({ permission }, call);
  }

  getPermission(permissionName: string, call?: CallOptions): Promise<GetPermissionResponse> {
    return this.#rpc.getPermission({ permissionName }, call);
  }

  listPermissions(page?: PageOptions, call?: CallOptions): Promise<ListPermissionsResponse>;
  listPermissions(
    pageToken?: string,
    pageSize?: number,
    call?: CallOptions,
  ): Promise<ListPermissionsResponse>;
  listPermissions(
    first?: string | PageOptions,
    second?: number | CallOptions,
    third?: CallOptions,
  ): Promise<ListPermissionsResponse> {
    if (typeof first === 'object' && first !== null) {
      const { pageToken, pageSize } = first;
      const call = typeof second === 'object' ? second : third;
      return this.#rpc.listPermissions({ pageToken, pageSize }, call);
    }
    const pageSize = typeof second === 'number' ? second : undefined;
    return this.#rpc.listPermissions({ pageToken: first, pageSize }, third);
  }

  updatePermission(
    permissionName: string,
    permission: MessageInitShape<typeof CreatePermissionSchema>,
    call?: CallOptions,
  ): Promise<UpdatePermissionResponse> {
    return this.#rpc.updatePermission({ permissionName, permission }, call);
  }

  deletePermission(permissionName: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deletePermission({ permissionName }, call);
  }

  /** Those of the role itself, without what it inherits. */
  listRolePermissions(roleName: string, call?: CallOptions): Promise<ListRolePermissionsResponse> {
    return this.#rpc.listRolePermissions({ roleName }, call);
  }

  addPermissionsToRole(
    roleName: string,
    permissionNames: readonly string[],
    call?: CallOptions,
  ): Promise<AddPermissionsToRoleResponse> {
    return this.#rpc.addPermissionsToRole(
      { roleName, permissionNames: [...permissionNames] },
      call,
    );
  }

  removePermissionFromRole(
    roleName: string,
    permissionName: string,
    call?: CallOptions,
  ): Promise<Empty> {
    return this.#rpc.removePermissionFromRole({ roleName, permissionName }, call);
  }

  /** Those of the role and of every role that it extends. */
  listEffectiveRolePermissions(
    roleName: string,
    call?: CallOptions,
  ): Promise<ListEffectiveRolePermissionsResponse> {
    return this.#rpc.listEffectiveRolePermissions({ roleName }, call);
  }
}
