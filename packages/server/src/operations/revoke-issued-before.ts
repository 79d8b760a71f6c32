import { updateEnvironmentSettings } from '../environments/environments.store.ts';
import { environmentOf } from '../environments/environments.ts';
import { recordFor } from '../events/events.ts';
import { mattersUntil, oldestLiveToken, revocationHandle } from '../grants/revocation-handles.ts';
import { NO_MCP_SERVER } from '../grants/revocations.store.ts';
import { findMcpServerRow } from '../mcp/mcp-servers.store.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import {
  endGrants,
  expireCodes,
  forgetConsents,
  type IssuedBefore,
  lockParty,
  type Party,
  type Reach,
  renewParty,
  revokeServers,
  tellHandles,
} from './issued-before.store.ts';

/** What `revokeIssuedBefore` did. */
export type Revoked =
  | {
      readonly kind: 'revoked';
      readonly before: Date;
      readonly grants: number;
      readonly codes: number;
      /** Remembered answers that no longer stand for new requests. */
      readonly consents: number;
    }
  | { readonly kind: 'unknown'; readonly what: 'MCP server' | 'client' | 'person' }
  /** Nothing may be revoked that has not been issued yet. */
  | { readonly kind: 'in-future' };

const REVOKED_BEFORE = 'revoked_before';
const SECRET_BYTES = 32;

/**
 * Revokes everything issued before a moment (AS-154): codes, grants with their refresh families, and access tokens through the
 * entries that verifiers read (AS-124), in one transaction. Give one member of `Reach`, or none for the whole environment.
 *
 * What people allowed since then goes on. For a client or person the access tokens issued since then end as well, because their
 * handle is one for all; whoever holds a newer refresh token gets the next access token without asking anybody.
 */
export async function revokeIssuedBefore(
  ctx: Ctx,
  asked: Reach & { readonly before: Date },
): Promise<Revoked> {
  const now = ctx.now();
  if (asked.before > now) return { kind: 'in-future' };
  return await ctx.db.transaction(async (tx) => {
    const inside = withDb(ctx, tx);
    const by = {
      ...asked,
      environmentId: ctx.environmentId,
      because: REVOKED_BEFORE,
      now,
      tokens: { oldestLive: oldestLiveToken(now), matterUntil: mattersUntil(now) },
    };
    const party = isParty(by) ? await lockParty(tx, by) : undefined;
    const unknown = party ? undefined : await unknownOf(inside, by);
    if (unknown) return { kind: 'unknown', what: unknown };
    // Codes before grants: a redemption under way is waited for here, and its grant is seen below.
    const codes = await expireCodes(tx, by);
    if (party) await endTokensOfParty(inside, by, party);
    else await endTokensOfServers(inside, by);
    const grants = await endGrants(tx, { ...by, tellHandles: !isParty(by) });
    const consents = await forgetConsents(tx, by);
    await recordFor(inside, {
      type: 'tokens.revoked',
      userId: asked.userId,
      clientId: asked.clientId,
      mcpServerId: asked.mcpServerId,
      data: { before: asked.before.toISOString(), grants, codes, consents },
    });
    return { kind: 'revoked', before: asked.before, grants, codes, consents };
  });
}

/** What was asked for and does not exist; called when no party was found. */
async function unknownOf(
  ctx: Ctx,
  { userId, clientId, mcpServerId: id }: Reach,
): Promise<'MCP server' | 'client' | 'person' | undefined> {
  if (userId !== undefined) return 'person';
  if (clientId !== undefined) return 'client';
  const { environmentId } = ctx;
  const known = id === undefined || (await findMcpServerRow(ctx.db, { environmentId, id }));
  return known ? undefined : 'MCP server';
}

async function endTokensOfServers(ctx: Ctx, by: IssuedBefore): Promise<void> {
  await revokeServers(ctx.db, {
    ...by,
    // `iat` is in whole seconds, rounded down: of the second in which the moment lies everything ends.
    value: String(Math.ceil(by.before.getTime() / 1000)),
    until: mattersUntil(by.before),
  });
  if (by.mcpServerId !== undefined) return;
  // For tokens without an MCP server: applications, and clients of the management API.
  const { revokedBefore } = (await environmentOf(ctx)).settings;
  if (revokedBefore !== undefined && Date.parse(revokedBefore) >= by.before.getTime()) return;
  await updateEnvironmentSettings(ctx.db, ctx.environmentId, {
    revokedBefore: by.before.toISOString(),
  });
}

async function endTokensOfParty(
  ctx: Ctx,
  by: IssuedBefore,
  { revocationSecret, mcpServerId }: Party,
): Promise<void> {
  const places = new Set(await renewParty(ctx.db, { ...by, newSecret: ctx.random(SECRET_BYTES) }));
  if (mcpServerId !== undefined) places.add(mcpServerId);
  const handles = [...places].map((place) => ({
    mcpServerId: place,
    handle: revocationHandle(revocationSecret, place),
  }));
  // Management tokens name their client by a handle for the environment.
  if (by.clientId !== undefined)
    handles.push({
      mcpServerId: NO_MCP_SERVER,
      handle: revocationHandle(revocationSecret, ctx.environmentId),
    });
  await tellHandles(ctx.db, { ...by, handles });
}

function isParty(by: Reach): boolean {
  return by.userId !== undefined || by.clientId !== undefined;
}
