import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Empty } from '@bufbuild/protobuf/wkt';
import type { Client } from '@connectrpc/connect';
import { TimeUnit } from '@gatewarden/contract/scalekit/v1/commons/commons_pb';
import {
  type CreateOrganizationResponse,
  type CreateOrganizationSchema,
  type GetOrganizationResponse,
  type GetOrganizationUserManagementSettingsResponse,
  type Link,
  type ListOrganizationsResponse,
  OrganizationService,
  type OrganizationSessionPolicySettings,
  type OrganizationUserManagementSettings,
  type SearchOrganizationsResponse,
  SessionPolicyType,
  type UpdateOrganizationResponse,
  type UpdateOrganizationSchema,
} from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { given, type PageOptions, pageArguments, required } from '../arguments.ts';
import type { CallOptions, Calls } from '../calls.ts';
import { ScalekitException } from '../errors.ts';

/** What else a new organization has; of Scalekit's SDK are `externalId`, `logoUrl` and `slug`. */
export type CreateOrganizationOptions = Omit<
  MessageInitShape<typeof CreateOrganizationSchema>,
  '$typeName' | '$unknown' | 'displayName'
>;

export type OrganizationSettings = {
  readonly features: readonly { readonly name: string; readonly enabled: boolean }[];
};

/** When sessions of the organization's people end: as the environment says, or earlier. */
export type OrganizationSessionPolicyInput =
  | { readonly policySource: 'APPLICATION' }
  | {
      readonly policySource: 'CUSTOM';
      readonly absoluteSessionTimeout: number;
      readonly absoluteSessionTimeoutUnit: 'MINUTES' | 'HOURS' | 'DAYS';
      readonly idleSessionTimeoutEnabled?: boolean;
      readonly idleSessionTimeout?: number;
      readonly idleSessionTimeoutUnit?: 'MINUTES' | 'HOURS' | 'DAYS';
    };

type UpdateInput = Omit<
  MessageInitShape<typeof UpdateOrganizationSchema>,
  '$typeName' | '$unknown'
>;

const byId = (value: string) => ({ case: 'id', value }) as const;
const byExternalId = (value: string) => ({ case: 'externalId', value }) as const;

/** Customers of the application. Every method throws a `ScalekitServerException`. */
export class OrganizationClient {
  readonly #rpc: Client<typeof OrganizationService>;

  constructor(calls: Calls) {
    this.#rpc = calls(OrganizationService);
  }

  createOrganization(
    name: string,
    options?: CreateOrganizationOptions,
    call?: CallOptions,
  ): Promise<CreateOrganizationResponse> {
    // An empty text is none, as with Scalekit's SDK.
    const { externalId, logoUrl, slug, ...rest } = options ?? {};
    const organization = {
      ...rest,
      displayName: name,
      ...(externalId && { externalId }),
      ...(logoUrl && { logoUrl }),
      ...(slug && { slug }),
    };
    return this.#rpc.createOrganization({ organization }, call);
  }

  listOrganization(
    options?: PageOptions & { readonly externalId?: string },
    call?: CallOptions,
  ): Promise<ListOrganizationsResponse> {
    return this.#rpc.listOrganization(given(options), call);
  }

  getOrganization(id: string, call?: CallOptions): Promise<GetOrganizationResponse> {
    return this.#rpc.getOrganization({ identities: byId(id) }, call);
  }

  getOrganizationByExternalId(
    externalId: string,
    call?: CallOptions,
  ): Promise<GetOrganizationResponse> {
    return this.#rpc.getOrganization({ identities: byExternalId(externalId) }, call);
  }

  updateOrganization(
    id: string,
    organization: UpdateInput,
    call?: CallOptions,
  ): Promise<UpdateOrganizationResponse> {
    return this.#rpc.updateOrganization({ identities: byId(id), organization }, call);
  }

  updateOrganizationByExternalId(
    externalId: string,
    organization: UpdateInput,
    call?: CallOptions,
  ): Promise<UpdateOrganizationResponse> {
    return this.#rpc.updateOrganization(
      { identities: byExternalId(externalId), organization },
      call,
    );
  }

  deleteOrganization(organizationId: string, call?: CallOptions): Promise<Empty> {
    return this.#rpc.deleteOrganization({ identities: byId(organizationId) }, call);
  }

  /** A link for the customer's administrators; it opens once, within a minute. */
  async generatePortalLink(organizationId: string, call?: CallOptions): Promise<Link> {
    const { link } = await this.#rpc.generatePortalLink({ id: organizationId }, call);
    return present(link, 'Error generating portal link');
  }

  updateOrganizationSettings(
    organizationId: string,
    settings: OrganizationSettings,
    call?: CallOptions,
  ): Promise<GetOrganizationResponse> {
    const features = settings.features.map(({ name, enabled }) => ({ name, enabled }));
    return this.#rpc.updateOrganizationSettings(
      { id: organizationId, settings: { features } },
      call,
    );
  }

  async upsertUserManagementSettings(
    organizationId: string,
    settings: { readonly maxAllowedUsers?: number | null },
    call?: CallOptions,
  ): Promise<OrganizationUserManagementSettings | undefined> {
    const limit = settings.maxAllowedUsers ?? undefined;
    const answer = await this.#rpc.upsertUserManagementSettings(
      { organizationId, settings: limit === undefined ? {} : { maxAllowedUsers: limit } },
      call,
    );
    return answer.settings;
  }

  searchOrganization(
    query: string,
    page?: PageOptions,
    call?: CallOptions,
  ): Promise<SearchOrganizationsResponse>;
  searchOrganization(
    query: string,
    pageSize?: number,
    pageToken?: string,
    call?: CallOptions,
  ): Promise<SearchOrganizationsResponse>;
  async searchOrganization(
    query: string,
    first?: number | PageOptions,
    second?: string | CallOptions,
    third?: CallOptions,
  ): Promise<SearchOrganizationsResponse> {
    const { page, call } = pageArguments(first, second, third);
    return await this.#rpc.searchOrganization({ query: required('query', query), ...page }, call);
  }

  getOrganizationUserManagementSetting(
    organizationId: string,
    call?: CallOptions,
  ): Promise<GetOrganizationUserManagementSettingsResponse> {
    return this.#rpc.getOrganizationUserManagementSetting({ organizationId }, call);
  }

  async updateOrganizationSessionPolicy(
    organizationId: string,
    input: OrganizationSessionPolicyInput,
    call?: CallOptions,
  ): Promise<OrganizationSessionPolicySettings> {
    const { policy } = await this.#rpc.updateOrganizationSessionPolicy(
      { organizationId, ...policyOf(input) },
      call,
    );
    return present(policy, 'the answer has no session policy');
  }

  async getOrganizationSessionPolicy(
    organizationId: string,
    call?: CallOptions,
  ): Promise<OrganizationSessionPolicySettings> {
    const { policy } = await this.#rpc.getOrganizationSessionPolicy({ organizationId }, call);
    return present(policy, 'the answer has no session policy');
  }
}

function policyOf(input: OrganizationSessionPolicyInput) {
  if (input.policySource !== 'CUSTOM')
    return { policySource: SessionPolicyType[input.policySource] };
  const { absoluteSessionTimeoutUnit, idleSessionTimeoutUnit, ...rest } = input;
  return {
    ...rest,
    policySource: SessionPolicyType.CUSTOM,
    absoluteSessionTimeoutUnit: TimeUnit[absoluteSessionTimeoutUnit],
    ...(idleSessionTimeoutUnit && { idleSessionTimeoutUnit: TimeUnit[idleSessionTimeoutUnit] }),
  };
}

function present<T>(value: T | undefined, otherwise: string): T {
  if (value === undefined) throw new ScalekitException(otherwise);
  return value;
}
