import { catalogued } from '../events/catalogue.ts';
import { type Envelope, eventIdOf } from '../events/envelope.ts';
import type { Ctx } from '../runtime/context.ts';
import { sampleData } from './sample-data.ts';

/**
 * What a delivery of this type looks like, with data that is nobody's.
 *
 * @param id of the event; the sample's own when nothing is sent
 * @throws {Error} the type is not in the catalogue
 */
export function samplePayload(ctx: Ctx, type: string, id = 1n): Envelope {
  const entry = catalogued(type);
  if (!entry) throw new Error('the type is not in the catalogue');
  const data = { environment_id: ctx.environmentId, ...sampleData(entry) };
  const { environment_id, ...rest } = data;
  const isDomain = type.startsWith('organization.domain_');
  const organizationId = organizationOf(type, rest);
  return {
    spec_version: '1',
    id: eventIdOf(id),
    type,
    object: entry.object,
    occurred_at: ctx.now().toISOString(),
    environment_id,
    ...(organizationId !== undefined && { organization_id: organizationId }),
    data: isDomain ? data : rest,
    display_name: entry.displayName,
  };
}

function organizationOf(type: string, data: Readonly<Record<string, unknown>>): string | undefined {
  const { organization, organization_id, id } = data;
  if (typeof organization_id === 'string') return organization_id;
  if (typeof organization === 'object' && organization !== null && 'id' in organization)
    return String(organization.id);
  return type.startsWith('organization.') ? String(id) : undefined;
}
