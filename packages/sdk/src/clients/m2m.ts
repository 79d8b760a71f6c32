import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  ClientService,
  type CreateOrganizationClientResponse,
  type CreateOrganizationClientSecretResponse,
  type GetOrganizationClientResponse,
  type ListOrganizationClientsResponse,
  type UpdateOrganizationClientResponse,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { given, type PageOptions, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

/** What an organization's client is or becomes; what is left out stays as it is. */
export type OrganizationClientOptions = {
  readonly name?: string;
  readonly description?: string;
  /** Stands in its access tokens under `custom_claims`. */
  readonly customClaims?: Readonly<Record<string, string>>;
  readonly audience?: readonly string[];
  readonly scopes?: readonly string[];
  /** Seconds that its access tokens live. */
  readonly expiry?: number | bigint;
};

/** Clients that act for an organization without a person. Every method throws a `ScalekitServerException`. */
export class M2MClient {
  readonly #rpc: Client<typeof ClientService>;

  constructor(calls: Calls) {
    this.#rpc = calls(ClientService);
  }

  /** The secret is in this answer and nowhere else. */
  async createOrganizationClient(
    organizationId: string,
    options?: OrganizationClientOptions,
    call?: CallOptions,
  ): Promise<CreateOrganizationClientResponse> {
    return await this.#rpc.createOrganizationClient(
      { ...ofOrganization(organizationId), client: clientOf(options) },
      call,
    );
  }

  async getOrganizationClient(
    organizationId: string,
    clientId: string,
    call?: CallOptions,
  ): Promise<GetOrganizationClientResponse> {
    return await this.#rpc.getOrganizationClient(ofClient(organizationId, clientId), call);
  }

  async updateOrganizationClient(
    organizationId: string,
    clientId: string,
    options?: OrganizationClientOptions,
    call?: CallOptions,
  ): Promise<UpdateOrganizationClientResponse> {
    return await this.#rpc.updateOrganizationClient(
      { ...ofClient(organizationId, clientId), client: clientOf(options) },
      call,
    );
  }

  async deleteOrganizationClient(
    organizationId: string,
    clientId: string,
    call?: CallOptions,
  ): Promise<Empty> {
    return await this.#rpc.deleteOrganizationClient(ofClient(organizationId, clientId), call);
  }

  /** A further secret, so that the old one can be removed once nobody uses it. */
  async addOrganizationClientSecret(
    organizationId: string,
    clientId: string,
    call?: CallOptions,
  ): Promise<CreateOrganizationClientSecretResponse> {
    return await this.#rpc.createOrganizationClientSecret(ofClient(organizationId, clientId), call);
  }

  async removeOrganizationClientSecret(
    organizationId: string,
    clientId: string,
    secretId: string,
    call?: CallOptions,
  ): Promise<Empty> {
    return await this.#rpc.deleteOrganizationClientSecret(
      { ...ofClient(organizationId, clientId), secretId: required('secretId', secretId) },
      call,
    );
  }

  async listOrganizationClients(
    organizationId: string,
    options?: PageOptions,
    call?: CallOptions,
  ): Promise<ListOrganizationClientsResponse> {
    return await this.#rpc.listOrganizationClients(
      { ...ofOrganization(organizationId), ...given(options) },
      call,
    );
  }
}

function ofOrganization(organizationId: string): { organizationId: string } {
  return { organizationId: required('organizationId', organizationId) };
}

function ofClient(
  organizationId: string,
  clientId: string,
): { organizationId: string; clientId: string } {
  return { ...ofOrganization(organizationId), clientId: required('clientId', clientId) };
}

function clientOf(options: OrganizationClientOptions | undefined) {
  const { name, description, customClaims, audience, scopes, expiry } = options ?? {};
  return {
    ...(name && { name }),
    ...(description && { description }),
    ...(customClaims && {
      customClaims: Object.entries(customClaims).map(([key, value]) => ({ key, value })),
    }),
    ...(audience && { audience: [...audience] }),
    ...(scopes && { scopes: [...scopes] }),
    ...(expiry === undefined ? {} : { expiry: BigInt(expiry) }),
  };
}
