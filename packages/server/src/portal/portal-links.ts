import { eventOf, recordEach, recordFor } from '../events/events.ts';
import { lockOrganization } from '../organizations/organizations.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId } from '../runtime/ids.ts';
import { deletePortalLinks, insertPortalLink, type PortalLink } from './portal-links.store.ts';

/** How long a link can be opened. */
export const PORTAL_LINK_SECONDS = 60;

const ID_ATTEMPTS = 5;
const EVENTS_AT_ONCE = 200;
const KEY = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export type NewPortalLink =
  | { readonly kind: 'created'; readonly link: PortalLink; readonly location: string }
  | { readonly kind: 'unknown' }
  /** A feature was asked for that is off for the organization. */
  | { readonly kind: 'feature-off'; readonly feature: string };

/**
 * Makes a link to the administration portal of an organization. Its address is a right by itself and is told once: only its
 * hash is stored.
 */
export async function createPortalLink(
  ctx: Ctx,
  by: { readonly organizationId: string; readonly features: readonly string[] },
): Promise<NewPortalLink> {
  const { db, environmentId, issuer } = ctx;
  const { organizationId, features } = by;
  const key = newKey(ctx);
  const expiresAt = new Date(ctx.now().getTime() + PORTAL_LINK_SECONDS * 1000);
  return await db.transaction(async (tx) => {
    const organization = await lockOrganization(tx, { environmentId, key: { id: organizationId } });
    if (!organization) return { kind: 'unknown' };
    const off = features.find((feature) => organization.features[feature] !== true);
    if (off !== undefined) return { kind: 'feature-off', feature: off };
    const within = withDb(ctx, tx);
    const link = await addLink(within, { organizationId, features, expiresAt }, key);
    const data = { id: link.id, features };
    await recordFor(within, { type: 'portal_link.created', organizationId, data });
    const query = features.map((feature) => `features=${feature}`).join('&');
    const location = `${issuer}/magicLink/${key}${query === '' ? '' : `?${query}`}`;
    return { kind: 'created', link, location };
  });
}

async function addLink(ctx: Ctx, by: Omit<PortalLink, 'id'>, key: string): Promise<PortalLink> {
  const { db, environmentId } = ctx;
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const link = { ...by, id: newId(ctx, 'lnk') };
    const row = { environmentId, link, keyHash: hashOf(key), now: ctx.now() };
    if (await insertPortalLink(db, row)) return link;
  }
  throw new Error('no free id for a portal link was found');
}

/** Takes back one link of an organization, or all of them, with the portals that were opened with them. Answers how many. */
export async function revokePortalLinks(
  ctx: Ctx,
  by: { readonly organizationId: string; readonly linkId?: string | undefined },
): Promise<number> {
  const { environmentId } = ctx;
  const { organizationId } = by;
  return await ctx.db.transaction(async (tx) => {
    const ids = await deletePortalLinks(tx, { environmentId, ...by });
    const event = eventOf(ctx, { type: 'portal_link.deleted', organizationId });
    for (let start = 0; start < ids.length; start += EVENTS_AT_ONCE) {
      const some = ids.slice(start, start + EVENTS_AT_ONCE);
      await recordEach(
        tx,
        event,
        some.map((id) => ({ id })),
      );
    }
    return ids.length;
  });
}

/** The hash under which a link's key is stored; undefined for what cannot be a key. */
export function keyHashOf(key: unknown): Uint8Array | undefined {
  return typeof key === 'string' && KEY.test(key) ? hashOf(key) : undefined;
}

function hashOf(key: string): Uint8Array {
  return sha256(`portal link ${key}`);
}

/** A random UUID (RFC 9562 section 5.4): 122 bits. */
function newKey(ctx: Pick<Ctx, 'random'>): string {
  const bytes = Buffer.from(ctx.random(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([start, end]) => hex.slice(start, end))
    .join('-');
}
