import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  ConnectionService,
  type CreateConnectionResponse,
  type CreateConnectionSchema,
  type GetConnectionResponse,
  type ListAppConnectionsResponse,
  type ListConnectionsResponse,
  type ToggleConnectionResponse,
} from '@gatewarden/contract/scalekit/v1/connections/connections_pb';
import { given, type PageOptions } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

/** Single sign-on connections of organizations. Every method throws a `ScalekitServerException`. */
export class ConnectionClient {
  readonly #rpc: Client<typeof ConnectionService>;

  constructor(calls: Calls) {
    this.#rpc = calls(ConnectionService);
  }

  getConnection(
    organizationId: string,
    id: string,
    call?: CallOptions,
  ): Promise<GetConnectionResponse> {
    return this.#rpc.getConnection({ organizationId, id }, call);
  }

  listConnectionsByDomain(domain: string, call?: CallOptions): Promise<ListConnectionsResponse> {
    return this.#rpc.listConnections({ domain }, call);
  }

  /** Those that are enabled and complete, unless `include` is `all`. */
  listConnections(
    organizationId: string,
    options?: { readonly include?: 'all' },
    call?: CallOptions,
  ): Promise<ListConnectionsResponse> {
    return this.#rpc.listConnections({ organizationId, ...given(options) }, call);
  }

  listAppConnections(
    options?: PageOptions & { readonly provider?: string; readonly query?: string },
    call?: CallOptions,
  ): Promise<ListAppConnectionsResponse> {
    return this.#rpc.listAppConnections(given(options), call);
  }

  enableConnection(
    organizationId: string,
    id: string,
    call?: CallOptions,
  ): Promise<ToggleConnectionResponse> {
    return this.#rpc.enableConnection({ organizationId, id }, call);
  }

  /** Nobody can sign in with it any more; sessions stay. */
  disableConnection(
    organizationId: string,
    id: string,
    call?: CallOptions,
  ): Promise<ToggleConnectionResponse> {
    return this.#rpc.disableConnection({ organizationId, id }, call);
  }

  createConnection(
    organizationId: string,
    connection: MessageInitShape<typeof CreateConnectionSchema>,
    call?: CallOptions,
  ): Promise<CreateConnectionResponse> {
    return this.#rpc.createConnection({ organizationId, connection }, call);
  }

  deleteConnection(organizationId: string, id: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteConnection({ organizationId, id }, call);
  }
}
