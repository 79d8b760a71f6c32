import { eventOf, record } from '../events/events.ts';
import type { Organization } from '../organizations/organizations.ts';
import { isInUse } from '../roles/permissions.store.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import { assignDomain, isConnectionToAssign } from './connection-domains.store.ts';
import { type DomainNameProblem, organizationDomain } from './domain-name.ts';
import {
  type Domain,
  type DomainType,
  deleteDomain,
  findDomain,
  insertDomain,
  noteVerification,
} from './domains.store.ts';

export type { Domain, DomainType } from './domains.store.ts';

/** Where the record stands: before the domain, or with an equals sign in a text of the domain itself. */
const TXT_RECORD_KEY = '_gatewarden-challenge';
const ID_ATTEMPTS = 5;
const DNS_FEATURE = 'domain_verification';

export type NewDomain = {
  readonly domain: string;
  readonly domainType: DomainType;
  /** Whoever claims it has to prove it, whatever the organization's feature says. */
  readonly proveByDns: boolean;
  readonly connectionId?: string | undefined;
};

export type DomainOutcome =
  | { readonly kind: 'written'; readonly domain: Domain }
  | { readonly kind: 'refused'; readonly problem: DomainNameProblem }
  | { readonly kind: 'taken' }
  | { readonly kind: 'no-connection' }
  /** It was deleted meanwhile. */
  | { readonly kind: 'no-organization' };

/**
 * Adds a domain to an organization. What an administrator of the environment says counts at once; with the organization's
 * feature `domain_verification` a domain for sign-in, and whatever the organization itself says, counts after DNS has proven it.
 */
export async function createDomain(
  ctx: Ctx,
  organization: Organization,
  input: NewDomain,
): Promise<DomainOutcome> {
  const name = organizationDomain(input.domain);
  if (name.kind === 'problem') return { kind: 'refused', problem: name.problem };
  const claim = {
    organizationId: organization.id,
    domain: name.domain,
    domainType: input.domainType,
    ...proofOf(ctx, input, organization.features[DNS_FEATURE] === true),
  };
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'dom');
    try {
      return await ctx.db.transaction(async (tx) => {
        const { environmentId } = ctx;
        const connection = { ...claim, environmentId, connectionId: input.connectionId };
        if (!(await isConnectionToAssign(tx, connection))) return { kind: 'no-connection' };
        const now = ctx.now();
        const domain = await insertDomain(tx, { environmentId, domain: { ...claim, id }, now });
        if (!domain) return { kind: 'taken' };
        await assignDomain(tx, { ...connection, domainId: id });
        await record(tx, domainEvent(ctx, 'organization.domain_created', domain));
        return { kind: 'written', domain };
      });
    } catch (error) {
      if (isUniqueViolation(error, 'domains_of_organizations')) return { kind: 'taken' };
      if (isUniqueViolation(error, 'domains_claimed')) return { kind: 'taken' };
      if (isInUse(error)) return { kind: 'no-organization' };
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

function proofOf(ctx: Ctx, { domainType, proveByDns }: NewDomain, feature: boolean) {
  if (domainType === 'ALLOWED_EMAIL_DOMAIN' && !proveByDns)
    return {
      verificationMethod: 'NOT_APPLICABLE',
      verificationStatus: 'AUTO_VERIFIED',
      txtRecordKey: '',
      txtRecordSecret: '',
    } as const;
  const record = { txtRecordKey: TXT_RECORD_KEY, txtRecordSecret: newSecret(ctx) };
  return proveByDns || feature
    ? ({ verificationMethod: 'DNS', verificationStatus: 'PENDING', ...record } as const)
    : ({ verificationMethod: 'ADMIN', verificationStatus: 'AUTO_VERIFIED', ...record } as const);
}

export type DomainKey = {
  readonly organizationId: string;
  readonly id: string;
  readonly connectionId?: string | undefined;
};

/** Removes a domain with what it led to. False when there is none. */
export async function removeDomain(ctx: Ctx, key: DomainKey): Promise<boolean> {
  const { environmentId } = ctx;
  return await ctx.db.transaction(async (tx) => {
    const deleted = await deleteDomain(tx, { environmentId, ...key });
    if (!deleted) return false;
    await record(tx, domainEvent(ctx, 'organization.domain_deleted', deleted));
    return true;
  });
}

export type Verification = 'verified' | 'not-verified' | 'unknown' | 'no-answer' | 'taken';

/**
 * Asks DNS whether the organization owns the domain, unless that is known. An answer without the record is a failure, which is
 * told once; no answer at all says nothing. Of several organizations that could prove it the first one has the domain.
 */
export async function verifyDomain(
  ctx: Ctx,
  key: { readonly organizationId: string; readonly id: string },
): Promise<Verification> {
  const { environmentId } = ctx;
  const claim = await findDomain(ctx.db, { environmentId, ...key });
  if (!claim) return 'unknown';
  if (claim.verificationMethod !== 'DNS' || claim.verificationStatus === 'VERIFIED')
    return 'verified';
  const said = await lookUp(ctx, claim);
  if (said === 'no-answer') return said;
  try {
    return await note(ctx, claim, said === 'verified');
  } catch (error) {
    if (isUniqueViolation(error, 'domains_of_organizations')) return 'taken';
    throw error;
  }
}

async function note(ctx: Ctx, claim: Domain, verified: boolean): Promise<Verification> {
  const { environmentId } = ctx;
  const status = verified ? 'VERIFIED' : 'FAILED';
  const type = `organization.domain_dns_verification_${verified ? 'success' : 'failed'}`;
  const stands = await ctx.db.transaction(async (tx) => {
    const changed = await noteVerification(tx, { environmentId, claim, status, now: ctx.now() });
    if (changed) await record(tx, domainEvent(ctx, type, changed));
    // Nothing to write: somebody else did, or the domain is another's by now.
    return changed ?? (await findDomain(tx, { environmentId, ...claim }));
  });
  if (!stands) return 'unknown';
  return stands.verificationStatus === 'VERIFIED' ? 'verified' : 'not-verified';
}

async function lookUp(ctx: Ctx, claim: Domain): Promise<'verified' | 'not-verified' | 'no-answer'> {
  const { findTxt } = ctx;
  if (!findTxt) return 'no-answer';
  const { domain, txtRecordKey, txtRecordSecret } = claim;
  const [own, apex] = await Promise.all([findTxt(`${txtRecordKey}.${domain}`), findTxt(domain)]);
  if (own.kind === 'found' && own.texts.some((text) => text.trim() === txtRecordSecret))
    return 'verified';
  const whole = `${txtRecordKey}=${txtRecordSecret}`;
  if (apex.kind === 'found' && apex.texts.some((text) => text.trim() === whole)) return 'verified';
  return own.kind === 'failed' || apex.kind === 'failed' ? 'no-answer' : 'not-verified';
}

function domainEvent(ctx: Ctx, type: string, domain: Domain) {
  const { organizationId } = domain;
  return eventOf(ctx, {
    type,
    organizationId,
    data: {
      id: domain.id,
      domain: domain.domain,
      domain_type: domain.domainType,
      organization_id: organizationId,
      environment_id: ctx.environmentId,
      txt_record_key: domain.txtRecordKey || undefined,
      txt_record_secret: domain.txtRecordSecret || undefined,
      verification_status: domain.verificationStatus,
      verification_method: domain.verificationMethod,
      updated_at: domain.updatedAt.toISOString(),
    },
  });
}
