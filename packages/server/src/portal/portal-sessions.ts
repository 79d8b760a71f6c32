import { recordFor } from '../events/events.ts';
import type { Caller } from '../http/callers.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId, newSecret } from '../runtime/ids.ts';
import { openPortalLink } from './portal-links.store.ts';
import {
  findPortalSession,
  insertPortalSession,
  type PortalSession,
} from './portal-sessions.store.ts';

/** Name of the portal's cookie, without what the environment adds (AS-130). */
export const PORTAL_COOKIE = 'portal';
/** A portal ends after this, however much it is used. */
export const PORTAL_SESSION_SECONDS = 6 * 3600;

const TOKEN = /^[A-Za-z0-9_-]{43}$/;
const ID_ATTEMPTS = 5;

/**
 * Opens a portal link, once. The update of its row is the gate, and the session comes in the same transaction.
 *
 * @returns the value for the cookie, which is stored only as a hash; undefined: unknown, opened before, taken back or too old
 */
export async function startPortalSession(
  ctx: Ctx,
  keyHash: Uint8Array,
): Promise<{ readonly portalSessionId: string; readonly cookie: string } | undefined> {
  const { environmentId, network } = ctx;
  const token = newSecret(ctx);
  return await ctx.db.transaction(async (tx) => {
    const now = ctx.now();
    const link = await openPortalLink(tx, { environmentId, keyHash, now });
    if (!link) return undefined;
    const { organizationId } = link;
    const session = {
      environmentId,
      tokenHash: sha256(token),
      linkId: link.id,
      organizationId,
      now,
      expiresAt: new Date(now.getTime() + PORTAL_SESSION_SECONDS * 1000),
      address: network.address,
      userAgent: network.userAgent,
    };
    const portalSessionId = await addSession(withDb(ctx, tx), session);
    const data = { id: link.id, portal_session_id: portalSessionId };
    await recordFor(withDb(ctx, tx), { type: 'portal_link.opened', organizationId, data });
    return { portalSessionId, cookie: token };
  });
}

/** The portal that is open in this browser. */
export async function portalSessionOf(
  ctx: Ctx,
  token: string | undefined,
): Promise<PortalSession | undefined> {
  if (token === undefined || !TOKEN.test(token)) return undefined;
  const { db, environmentId } = ctx;
  return await findPortalSession(db, { environmentId, tokenHash: sha256(token), now: ctx.now() });
}

/** Whoever opened the portal, as a caller of the management API. */
export async function portalOf(
  ctx: Ctx,
  cookie: (name: string) => string | undefined,
): Promise<Caller | undefined> {
  const found = await portalSessionOf(ctx, cookie(PORTAL_COOKIE));
  if (!found) return undefined;
  const { id: portalSessionId, organizationId, features } = found;
  return { kind: 'portal', portalSessionId, organizationId, features: new Set(features) };
}

async function addSession(
  ctx: Ctx,
  session: Omit<Parameters<typeof insertPortalSession>[1], 'id'>,
): Promise<string> {
  for (let attempt = 0; attempt < ID_ATTEMPTS; attempt += 1) {
    const id = newId(ctx, 'pts');
    if (await insertPortalSession(ctx.db, { ...session, id })) return id;
  }
  throw new Error('no free id for a portal session was found');
}
