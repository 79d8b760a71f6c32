import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import {
  type CreateDomainResponse,
  DomainService,
  DomainType,
  type GetDomainResponse,
  type ListDomainResponse,
} from '@gatewarden/contract/scalekit/v1/domains/domains_pb';
import { enumValue, given } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';

export type DomainOptions = {
  /** A `DomainType` or its name. */
  readonly domainType?: DomainType | string;
};

const of = (value: string) => ({ case: 'organizationId', value }) as const;

/** E-mail domains of organizations. Every method throws a `ScalekitServerException`. */
export class DomainClient {
  readonly #rpc: Client<typeof DomainService>;

  constructor(calls: Calls) {
    this.#rpc = calls(DomainService);
  }

  /** @throws {ScalekitException} `domainType` is no type of domain */
  async createDomain(
    organizationId: string,
    name: string,
    options?: DomainOptions,
    call?: CallOptions,
  ): Promise<CreateDomainResponse> {
    const domainType = domainTypeOf(options);
    return await this.#rpc.createDomain(
      { identities: of(organizationId), domain: { domain: name, ...domainType } },
      call,
    );
  }

  getDomain(
    organizationId: string,
    domainId: string,
    call?: CallOptions,
  ): Promise<GetDomainResponse> {
    return this.#rpc.getDomain({ id: domainId, identities: of(organizationId) }, call);
  }

  /** @throws {ScalekitException} `domainType` is no type of domain */
  async listDomains(
    organizationId: string,
    options?: DomainOptions & {
      readonly pageSize?: number;
      /** Counted from 0. */
      readonly pageNumber?: number;
    },
    call?: CallOptions,
  ): Promise<ListDomainResponse> {
    const { pageSize, pageNumber } = options ?? {};
    return await this.#rpc.listDomains(
      {
        identities: of(organizationId),
        ...domainTypeOf(options),
        ...given({ pageSize, pageNumber }),
      },
      call,
    );
  }

  deleteDomain(organizationId: string, domainId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteDomain({ id: domainId, identities: of(organizationId) }, call);
  }
}

function domainTypeOf(options: DomainOptions | undefined): { domainType?: DomainType } {
  const domainType = enumValue<DomainType>(
    'domain type',
    DomainType,
    options?.domainType || undefined,
  );
  return domainType ? { domainType } : {};
}
