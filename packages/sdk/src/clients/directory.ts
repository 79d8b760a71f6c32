import type { MessageInitShape } from '@bufbuild/protobuf';
import { type Empty, type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type CreateDirectoryResponse,
  type CreateDirectorySchema,
  type Directory,
  DirectoryService,
  type GetDirectoryResponse,
  type ListDirectoriesResponse,
  type ListDirectoryGroupsResponse,
  type ListDirectoryUsersResponse,
  type ToggleDirectoryResponse,
} from '@gatewarden/contract/scalekit/v1/directories/directories_pb';
import { given, type PageOptions } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';
import { ScalekitException } from '../errors.ts';

export type DirectoryListOptions = PageOptions & {
  readonly includeDetail?: boolean;
  /** Only what changed after this moment (ISO 8601). */
  readonly updatedAfter?: string | Date;
};

/** Directories that provision people and groups (SCIM). Every method throws a `ScalekitServerException`. */
export class DirectoryClient {
  readonly #rpc: Client<typeof DirectoryService>;

  constructor(calls: Calls) {
    this.#rpc = calls(DirectoryService);
  }

  listDirectories(organizationId: string, call?: CallOptions): Promise<ListDirectoriesResponse> {
    return this.#rpc.listDirectories({ organizationId }, call);
  }

  getDirectory(
    organizationId: string,
    directoryId: string,
    call?: CallOptions,
  ): Promise<GetDirectoryResponse> {
    return this.#rpc.getDirectory({ organizationId, id: directoryId }, call);
  }

  /**
   * The first directory of the organization.
   *
   * @throws {ScalekitException} it has none
   */
  async getPrimaryDirectoryByOrganizationId(
    organizationId: string,
    call?: CallOptions,
  ): Promise<Directory> {
    const { directories } = await this.listDirectories(organizationId, call);
    const [first] = directories;
    if (!first) throw new ScalekitException('directory does not exist for organization');
    return first;
  }

  async listDirectoryUsers(
    organizationId: string,
    directoryId: string,
    options?: DirectoryListOptions & { readonly directoryGroupId?: string },
    call?: CallOptions,
  ): Promise<ListDirectoryUsersResponse> {
    const { pageSize, pageToken, includeDetail, directoryGroupId } = options ?? {};
    return await this.#rpc.listDirectoryUsers(
      {
        organizationId,
        directoryId,
        ...given({ pageSize, pageToken, includeDetail, directoryGroupId }),
        ...updatedAfterOf(options),
      },
      call,
    );
  }

  async listDirectoryGroups(
    organizationId: string,
    directoryId: string,
    options?: DirectoryListOptions,
    call?: CallOptions,
  ): Promise<ListDirectoryGroupsResponse> {
    const { pageSize, pageToken, includeDetail } = options ?? {};
    return await this.#rpc.listDirectoryGroups(
      {
        organizationId,
        directoryId,
        ...given({ pageSize, pageToken, includeDetail }),
        ...updatedAfterOf(options),
      },
      call,
    );
  }

  enableDirectory(
    organizationId: string,
    directoryId: string,
    call?: CallOptions,
  ): Promise<ToggleDirectoryResponse> {
    return this.#rpc.enableDirectory({ organizationId, id: directoryId }, call);
  }

  disableDirectory(
    organizationId: string,
    directoryId: string,
    call?: CallOptions,
  ): Promise<ToggleDirectoryResponse> {
    return this.#rpc.disableDirectory({ organizationId, id: directoryId }, call);
  }

  createDirectory(
    organizationId: string,
    directory: MessageInitShape<typeof CreateDirectorySchema>,
    call?: CallOptions,
  ): Promise<CreateDirectoryResponse> {
    return this.#rpc.createDirectory({ organizationId, directory }, call);
  }

  deleteDirectory(organizationId: string, directoryId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteDirectory({ organizationId, id: directoryId }, call);
  }
}

/** @throws {ScalekitException} `updatedAfter` is no time */
function updatedAfterOf(options: DirectoryListOptions | undefined): { updatedAfter?: Timestamp } {
  if (!options?.updatedAfter) return {};
  const moment = new Date(options.updatedAfter);
  if (Number.isNaN(moment.getTime()))
    throw new ScalekitException('updatedAfter must be a time (ISO 8601)');
  return { updatedAfter: timestampFromDate(moment) };
}
