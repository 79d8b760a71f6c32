import {
  type DomainService,
  DomainType,
  VerificationMethod,
  VerificationStatus,
} from '@gatewarden/contract/scalekit/v1/domains/domains_pb';
import { ApiError } from '../http/api-error.ts';
import type { Call, Slice } from '../http/calls.ts';
import { checkId, invalidField } from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import { type Identities, keyOf } from '../organizations/organization-input.ts';
import { noSuchOrganization } from '../organizations/organization-outcome.ts';
import { findOrganization } from '../organizations/organizations.store.ts';
import type { Organization } from '../organizations/organizations.ts';
import type { Ctx } from '../runtime/context.ts';
import { authorizedOrigin } from './authorized-origins.ts';
import type { DomainNameProblem } from './domain-name.ts';
import { findDomain, listDomainPage } from './domains.store.ts';
import { createDomain, type Domain, removeDomain, verifyDomain } from './domains.ts';

const DEFAULT_PAGE_SIZE = 30;
const MOST_LISTED = 100;
/** Pages beyond are refused: counting to them costs as much as reading what comes before. */
const LAST_PAGE = 10_000;
const LONGEST_ORIGIN = 300;

/** Domains of organizations: where people with such addresses sign in, and which organizations suggest themselves to them. */
export const domainsRpc: Slice<typeof DomainService> = {
  async createDomain(ctx, { identities, connectionId, domain }, call) {
    if (!domain) throw invalidField('domain', 'is missing', 'required');
    const connection = connectionNamed(connectionId);
    const outcome = await createDomain(ctx, await organizationNamed(ctx, identities), {
      domain: domain.domain,
      domainType: typeNamed(domain.domainType) ?? 'ORGANIZATION_DOMAIN',
      proveByDns: hasToProve(call),
      connectionId: connection,
    });
    switch (outcome.kind) {
      case 'written':
        return { domain: messageOf(ctx, outcome.domain, true) };
      case 'refused':
        throw invalidField('domain.domain', REFUSALS[outcome.problem], outcome.problem);
      case 'taken':
        throw invalidField(
          'domain.domain',
          'this domain is there already, and a duplicate is not allowed',
          'unique',
        );
      case 'no-connection':
        throw noSuchConnection();
      case 'no-organization':
        throw noSuchOrganization();
    }
  },

  async updateDomain(ctx, { identities, connectionId, id }) {
    connectionNamed(connectionId);
    // The contract has no member that could change; the call says whether there is such a domain.
    return { domain: messageOf(ctx, await domainNamed(ctx, identities, id), true) };
  },

  async verifyDomain(ctx, { identities, id }) {
    checkId('id', id, 'dom');
    const { id: organizationId } = await organizationNamed(ctx, identities);
    switch (await verifyDomain(ctx, { organizationId, id })) {
      case 'verified':
        return { verified: true };
      case 'not-verified':
        return { verified: false };
      case 'unknown':
        throw noSuchDomain();
      case 'taken':
        throw new ApiError(
          'failed_precondition',
          'DOMAIN_TAKEN',
          'the record is there, but the domain leads to another organization already',
        );
      case 'no-answer':
        throw new ApiError('unavailable', 'DNS_UNAVAILABLE', 'the DNS does not answer; try later');
    }
  },

  async getDomain(ctx, { identities, id }) {
    return { domain: messageOf(ctx, await domainNamed(ctx, identities, id), true) };
  },

  async deleteDomain(ctx, { identities, connectionId, id }) {
    checkId('id', id, 'dom');
    const connection = connectionNamed(connectionId);
    const { id: organizationId } = await organizationNamed(ctx, identities);
    if (!(await removeDomain(ctx, { organizationId, id, connectionId: connection })))
      throw noSuchDomain();
    return {};
  },

  async listDomains(ctx, request) {
    const pageSize = numberWithin('page_size', request.pageSize || DEFAULT_PAGE_SIZE, MOST_LISTED);
    const pageNumber = numberWithin('page_number', request.pageNumber ?? 0, LAST_PAGE);
    const domainType = typeNamed(request.domainType);
    const connectionId = connectionNamed(request.connectionId);
    const details = request.include === 'verification_details';
    const { environmentId } = ctx;
    const { id: organizationId } = await organizationNamed(ctx, request.identities);
    const filter = { environmentId, organizationId, domainType, connectionId };
    const domains = await listDomainPage(ctx.db, { ...filter, pageSize, pageNumber });
    return {
      pageSize,
      pageNumber,
      domains: domains.map((domain) => messageOf(ctx, domain, details)),
    };
  },

  async listAuthorizedDomains(ctx, { origin }) {
    if (origin.length > LONGEST_ORIGIN)
      throw invalidField('origin', `must have at most ${LONGEST_ORIGIN} characters`, 'max_len');
    const authorized = await authorizedOrigin(ctx, origin);
    return { domains: authorized === undefined ? [] : [authorized] };
  },
};

const REFUSALS: Readonly<Record<DomainNameProblem, string>> = {
  'not-a-domain': 'must be a domain name such as acme.com',
  'public-suffix': 'everybody can get a name below this one',
  'public-mail': 'everybody can get an address of this mail service',
  'disposable-mail': 'addresses of this mail service are thrown away',
};

/** Only the environment's own word is taken for granted. */
function hasToProve({ caller }: Call): boolean {
  return caller.kind !== 'environment-client' && caller.kind !== 'operator';
}

type Named =
  | { readonly case: 'organizationId' | 'externalId'; readonly value: string }
  | { readonly case: undefined; readonly value?: undefined };

async function organizationNamed(ctx: Ctx, identities: Named): Promise<Organization> {
  const { environmentId } = ctx;
  const found = await findOrganization(ctx.db, { environmentId, key: keyOf(namesOf(identities)) });
  if (!found) throw noSuchOrganization();
  return found;
}

function namesOf(identities: Named): Identities {
  switch (identities.case) {
    case 'organizationId':
      return { case: 'id', value: identities.value };
    case 'externalId':
      return { case: 'externalId', value: identities.value };
    case undefined:
      return { case: undefined };
  }
}

async function domainNamed(ctx: Ctx, identities: Named, id: string): Promise<Domain> {
  checkId('id', id, 'dom');
  const { environmentId } = ctx;
  const { id: organizationId } = await organizationNamed(ctx, identities);
  const found = await findDomain(ctx.db, { environmentId, organizationId, id });
  if (!found) throw noSuchDomain();
  return found;
}

function connectionNamed(id: string | undefined): string | undefined {
  if (id === undefined || id === '') return undefined;
  checkId('connection_id', id, 'conn');
  return id;
}

function typeNamed(type: DomainType): Domain['domainType'] | undefined {
  switch (type) {
    case DomainType.DOMAIN_TYPE_UNSPECIFIED:
      return undefined;
    case DomainType.ALLOWED_EMAIL_DOMAIN:
      return 'ALLOWED_EMAIL_DOMAIN';
    case DomainType.ORGANIZATION_DOMAIN:
      return 'ORGANIZATION_DOMAIN';
    default:
      throw invalidField('domain_type', 'is not a type of domains', 'enum.defined_only');
  }
}

function numberWithin(field: string, value: number, most: number): number {
  if (value < 0 || value > most) throw invalidField(field, `must be from 0 to ${most}`, 'range');
  return value;
}

function noSuchDomain(): ApiError {
  return new ApiError('not_found', 'DOMAIN_NOT_FOUND', 'there is no such domain');
}

function noSuchConnection(): ApiError {
  return new ApiError('not_found', 'CONNECTION_NOT_FOUND', 'there is no such connection');
}

/** A domain as the contract has it, with what its TXT record has to say if that was asked for. */
function messageOf(ctx: Ctx, domain: Domain, details: boolean) {
  const { id, organizationId, txtRecordKey, txtRecordSecret, createdAt, updatedAt } = domain;
  return {
    id,
    domain: domain.domain,
    environmentId: ctx.environmentId,
    organizationId,
    domainType: DomainType[domain.domainType],
    verificationMethod: VerificationMethod[domain.verificationMethod],
    verificationStatus: VerificationStatus[domain.verificationStatus],
    createTime: timestampOf(createdAt),
    updateTime: timestampOf(updatedAt),
    ...(details && { txtRecordKey, txtRecordSecret }),
  };
}
