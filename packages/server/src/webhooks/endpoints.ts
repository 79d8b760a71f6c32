import { recordFor } from '../events/events.ts';
import { newSigningSecret } from '../events/signature.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { isUniqueViolation } from '../storage/db.ts';
import { secretRow } from './attempt.ts';
import {
  deleteEndpoint as deleteRow,
  disableEndpoint as disableRow,
  type Endpoint,
  type EndpointMembers,
  enableEndpoint as enableRow,
  findEndpoint,
  insertEndpoint,
  lockEndpoint,
  lockEndpoints,
  replaceSecret,
  updateEndpoint,
} from './endpoints.store.ts';

const ID_ATTEMPTS = 5;
/** Endpoints of one environment. */
export const MOST_ENDPOINTS = 20;

export type NewEndpoint =
  /** The secret is in clear nowhere else. */
  | { readonly kind: 'created'; readonly endpoint: Endpoint; readonly secret: string }
  | { readonly kind: 'too-many' };

/** Adds an endpoint with a secret of its own. */
export async function createEndpoint(ctx: Ctx, members: EndpointMembers): Promise<NewEndpoint> {
  const { environmentId } = ctx;
  for (let attempt = 1; ; attempt += 1) {
    const id = newId(ctx, 'whe');
    const secret = newSigningSecret(ctx);
    try {
      return await ctx.db.transaction(async (tx): Promise<NewEndpoint> => {
        if ((await lockEndpoints(tx, environmentId)) >= MOST_ENDPOINTS) return { kind: 'too-many' };
        const endpoint = await insertEndpoint(tx, {
          environmentId,
          id,
          members,
          secret: seal(ctx, id, secret),
          now: ctx.now(),
        });
        await note(withDb(ctx, tx), 'created', endpoint);
        return { kind: 'created', endpoint, secret };
      });
    } catch (error) {
      if (!isUniqueViolation(error) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}

/** Changes what an endpoint is told of, and where. Undefined when there is none. */
export async function changeEndpoint(
  ctx: Ctx,
  id: string,
  change: Partial<EndpointMembers>,
): Promise<Endpoint | undefined> {
  const key = { environmentId: ctx.environmentId, id };
  return await ctx.db.transaction(async (tx) => {
    const current = await lockEndpoint(tx, key);
    if (!current || Object.keys(change).length === 0) return current;
    const members = { ...current, ...change };
    const changed = await updateEndpoint(tx, { ...key, members, now: ctx.now() });
    if (changed) await note(withDb(ctx, tx), 'updated', changed);
    return changed;
  });
}

/** Makes a new secret; the previous one signs as well for so many seconds. Undefined when there is no such endpoint. */
export async function rotateSecret(
  ctx: Ctx,
  id: string,
  overlapSeconds: number,
): Promise<{ readonly endpoint: Endpoint; readonly secret: string } | undefined> {
  const key = { environmentId: ctx.environmentId, id };
  const secret = newSigningSecret(ctx);
  return await ctx.db.transaction(async (tx) => {
    const current = await lockEndpoint(tx, key);
    if (!current) return undefined;
    const now = ctx.now();
    const endpoint = await replaceSecret(tx, {
      ...key,
      secret: seal(ctx, id, secret),
      previous: current.secret,
      previousEndsAt: new Date(now.getTime() + overlapSeconds * 1000),
      now,
    });
    if (!endpoint) return undefined;
    await note(withDb(ctx, tx), 'secret_rotated', endpoint);
    return { endpoint, secret };
  });
}

/** Enables or disables; what is so already stays, without an event. Undefined when there is no such endpoint. */
export async function switchEndpoint(
  ctx: Ctx,
  id: string,
  enabled: boolean,
): Promise<Endpoint | undefined> {
  const key = { environmentId: ctx.environmentId, id };
  return await ctx.db.transaction(async (tx) => {
    const now = ctx.now();
    const switched = enabled
      ? await enableRow(tx, { ...key, now })
      : await disableRow(tx, { ...key, because: 'request', now });
    if (!switched) return await findEndpoint(tx, key);
    await note(withDb(ctx, tx), enabled ? 'enabled' : 'disabled', switched);
    return switched;
  });
}

/** False when there is no such endpoint. */
export async function deleteEndpoint(ctx: Ctx, id: string): Promise<boolean> {
  const key = { environmentId: ctx.environmentId, id };
  return await ctx.db.transaction(async (tx) => {
    const endpoint = await lockEndpoint(tx, key);
    if (!endpoint || !(await deleteRow(tx, key))) return false;
    await note(withDb(ctx, tx), 'deleted', endpoint);
    return true;
  });
}

function seal(ctx: Ctx, id: string, secret: string): Uint8Array {
  const row = secretRow({ environmentId: ctx.environmentId, id });
  return ctx.secrets.seal('secrets-at-rest', row, Buffer.from(secret));
}

/** Of the address only its beginning: what follows may be what lets senders in. */
async function note(ctx: Ctx, what: string, endpoint: Endpoint): Promise<void> {
  const { id, description, enabled } = endpoint;
  const url = new URL(endpoint.url).origin;
  const event_types = [...(endpoint.allTypes ? ['*'] : []), ...endpoint.eventTypes];
  const data = { id, url, description, event_types, enabled };
  await recordFor(ctx, { type: `webhook_endpoint.${what}`, data });
}
