import { type EventOf, eventOf } from '../events/events.ts';
import { redirectKind } from '../oauth/redirect-uri.ts';
import type { Ctx } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import {
  type Consent,
  type ConsentKey,
  findRememberedConsent,
  markConsentRevoked,
  upsertConsent,
} from './consents.store.ts';
import {
  type EndedGrant,
  endGrantRow,
  endGrantRowsOfClient,
  endGrantRowsOfConsent,
  endGrantRowsOfServer,
  endGrantRowsOfSessions,
  endGrantRowsOfUser,
  revokeAllOfServer,
} from './grants.store.ts';

const SECRET_BYTES = 32;

/**
 * Ends one grant with its refresh family and access tokens (AS-124). Undefined when it had ended already.
 *
 * @param event what is recorded if it ends; by default `grant.ended`
 */
export async function endGrant(
  ctx: Ctx,
  by: { grantId: string; because: string; event?: EventOf },
): Promise<EndedGrant | undefined> {
  const event = by.event ?? {
    type: 'grant.ended',
    grantId: by.grantId,
    data: { because: by.because },
  };
  return await endGrantRow(ctx.db, {
    ...ending(ctx, by.because),
    grantId: by.grantId,
    event: eventOf(ctx, event),
  });
}

/**
 * Ends everything a person allowed at every server, and what it left in circulation (AS-114, AS-124). For disabling a person:
 * change the row and call this in one transaction (`withDb`).
 */
export async function endGrantsOfUser(
  ctx: Ctx,
  by: { userId: string; because: string },
): Promise<EndedGrant[]> {
  const event = eventOf(ctx, {
    type: 'grants.ended',
    userId: by.userId,
    data: { because: by.because },
  });
  return await endGrantRowsOfUser(ctx.db, {
    ...ending(ctx, by.because),
    userId: by.userId,
    newSecret: ctx.random(SECRET_BYTES),
    event,
  });
}

/** The same for a client: disabled, deleted, or taken over. */
export async function endGrantsOfClient(
  ctx: Ctx,
  by: { clientId: string; because: string },
): Promise<EndedGrant[]> {
  const event = eventOf(ctx, {
    type: 'grants.ended',
    clientId: by.clientId,
    data: { because: by.because },
  });
  return await endGrantRowsOfClient(ctx.db, {
    ...ending(ctx, by.because),
    clientId: by.clientId,
    newSecret: ctx.random(SECRET_BYTES),
    event,
  });
}

/** Everything for one MCP server, machine tokens too: disabled or deleted (AS-13), or revoked up to now (AS-154). */
export async function endGrantsOfServer(
  ctx: Ctx,
  by: { mcpServerId: string; because: string },
): Promise<EndedGrant[]> {
  const event = eventOf(ctx, {
    type: 'grants.ended',
    mcpServerId: by.mcpServerId,
    data: { because: by.because },
  });
  return await ctx.db.transaction(async (tx) => {
    const { mcpServerId } = by;
    const ended = await endGrantRowsOfServer(tx, {
      ...ending(ctx, by.because),
      mcpServerId,
      event,
    });
    await revokeAllOfServer(tx, {
      environmentId: ctx.environmentId,
      mcpServerId,
      now: ctx.now(),
    });
    return ended;
  });
}

/** What browser sessions of one person allowed: an administrator revoked them (AS-114). */
export async function endGrantsOfSessions(
  ctx: Ctx,
  by: { userId: string; sessionIds: readonly string[]; because: string },
): Promise<EndedGrant[]> {
  const event = eventOf(ctx, {
    type: 'grants.ended',
    userId: by.userId,
    data: { because: by.because, sessionIds: by.sessionIds },
  });
  return await endGrantRowsOfSessions(ctx.db, {
    ...ending(ctx, by.because),
    userId: by.userId,
    sessionIds: by.sessionIds,
    event,
  });
}

/**
 * Withdraws a consent and ends its grants, access tokens included, in one transaction (AS-134). Undefined when there is none
 * that is live, or when it is not this person's (give `userId` wherever a person asks for herself).
 */
export async function revokeConsent(
  ctx: Ctx,
  by: { consentId: string; userId?: string; because: string },
): Promise<Consent | undefined> {
  return await ctx.db.transaction(async (tx) => {
    const consent = await markConsentRevoked(tx, {
      environmentId: ctx.environmentId,
      id: by.consentId,
      userId: by.userId,
      because: by.because,
      now: ctx.now(),
    });
    if (!consent) return undefined;
    const event = eventOf(ctx, {
      type: 'consent.revoked',
      userId: consent.userId,
      clientId: consent.clientId,
      mcpServerId: consent.mcpServerId,
      organizationId: consent.organizationId,
      data: { because: by.because, consentId: consent.id },
    });
    await endGrantRowsOfConsent(tx, {
      ...ending(ctx, by.because),
      consentId: consent.id,
      userId: consent.userId,
      event,
    });
    return consent;
  });
}

/**
 * The consent that stands for an answer to this request, if one may (AS-131): the same person, client as it was then, redirect
 * URI, server, organization and resource; nothing new asked for; and a redirect URI that only its owner receives. `prompt` is
 * the caller's to look at.
 */
export async function rememberedConsent(
  ctx: Pick<Ctx, 'db' | 'environmentId'>,
  by: Omit<ConsentKey, 'environmentId'> & {
    scopes: readonly string[];
    clientDigest: Uint8Array;
    rememberNative: boolean;
  },
): Promise<Consent | undefined> {
  if (redirectKind(by.redirectUri) !== 'https' && !by.rememberNative) return undefined;
  return await findRememberedConsent(ctx.db, { ...by, environmentId: ctx.environmentId });
}

/** Writes a decision of a person. Returns the id that the code and its grant refer to. */
export async function saveConsent(
  ctx: Ctx,
  by: Omit<ConsentKey, 'environmentId'> & {
    scopes: readonly string[];
    clientDigest: Uint8Array;
    remembered: boolean;
  },
): Promise<string> {
  return await upsertConsent(ctx.db, {
    ...by,
    environmentId: ctx.environmentId,
    id: newId(ctx, 'usrcnst'),
    now: ctx.now(),
  });
}

function ending(ctx: Ctx, because: string): { environmentId: string; because: string; now: Date } {
  return { environmentId: ctx.environmentId, because, now: ctx.now() };
}
