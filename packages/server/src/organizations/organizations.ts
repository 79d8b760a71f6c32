import { eventOf, record } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { type Db, isUniqueViolation } from '../storage/db.ts';
import { featuresOf } from './features.ts';
import {
  insertOrganization,
  lockOrganization,
  type Organization,
  type OrganizationKey,
  type OrganizationMembers,
  updateOrganization,
} from './organizations.store.ts';

export type { Organization, OrganizationKey, OrganizationMembers } from './organizations.store.ts';

const ID_ATTEMPTS = 5;

export type OrganizationOutcome =
  | { readonly kind: 'written'; readonly organization: Organization }
  | { readonly kind: 'unknown' }
  /** Another organization of the environment has this one. */
  | { readonly kind: 'taken'; readonly member: 'external_id' | 'slug' };

export type NewOrganization = Pick<
  Organization,
  'displayName' | 'externalId' | 'slug' | 'logoUrl' | 'metadata' | 'regionCode'
>;

/** Adds an organization with the settings that new ones have. */
export async function createOrganization(
  ctx: Ctx,
  input: NewOrganization,
): Promise<OrganizationOutcome> {
  for (let attempt = 1; ; attempt += 1) {
    const organization = {
      ...input,
      id: newId(ctx, 'org'),
      features: {},
      sessionPolicy: undefined,
      maxAllowedUsers: undefined,
    };
    try {
      return await ctx.db.transaction(async (tx) => {
        const { environmentId } = ctx;
        const added = await insertOrganization(tx, { environmentId, organization, now: ctx.now() });
        return await written(ctx, tx, 'organization.created', added);
      });
    } catch (error) {
      const taken = takenBy(error);
      if (taken) return taken;
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/**
 * Changes an organization: `change` says which members are new, given what they are. It may throw a refusal. Two changes at
 * once come one after the other, so that neither is lost; one that names no member leaves no trace.
 */
export async function changeOrganization(
  ctx: Ctx,
  key: OrganizationKey,
  change: (current: Organization) => Partial<OrganizationMembers>,
): Promise<OrganizationOutcome> {
  const { environmentId } = ctx;
  try {
    return await ctx.db.transaction(async (tx) => {
      const current = await lockOrganization(tx, { environmentId, key });
      if (!current) return { kind: 'unknown' };
      const changes = change(current);
      if (Object.keys(changes).length === 0) return { kind: 'written', organization: current };
      const changed = await updateOrganization(tx, {
        environmentId,
        id: current.id,
        members: { ...current, ...changes },
        now: ctx.now(),
      });
      return await written(ctx, tx, 'organization.updated', changed);
    });
  } catch (error) {
    const taken = takenBy(error);
    if (taken) return taken;
    throw error;
  }
}

async function written(
  ctx: Ctx,
  tx: Db,
  type: string,
  organization: Organization,
): Promise<OrganizationOutcome> {
  const data = organizationFacts(organization);
  await record(tx, eventOf(ctx, { type, organizationId: organization.id, data }));
  return { kind: 'written', organization };
}

function takenBy(error: unknown): OrganizationOutcome | undefined {
  if (isUniqueViolation(error, 'organizations_by_external_id'))
    return { kind: 'taken', member: 'external_id' };
  if (isUniqueViolation(error, 'organizations_by_slug')) return { kind: 'taken', member: 'slug' };
  return undefined;
}

/** What events say of an organization: the `organization` object of webhooks. */
export function organizationFacts(organization: Organization): Readonly<Record<string, unknown>> {
  return {
    id: organization.id,
    display_name: organization.displayName,
    external_id: organization.externalId,
    region_code: organization.regionCode,
    create_time: organization.createdAt.toISOString(),
    update_time: organization.updatedAt.toISOString(),
    metadata: organization.metadata,
    settings: { features: featuresOf(organization.features) },
  };
}
