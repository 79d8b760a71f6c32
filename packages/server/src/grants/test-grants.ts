import assert from 'node:assert/strict';
import { eventOf } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId } from '../runtime/ids.ts';
import { sql } from '../storage/db.ts';
import {
  type AuthorizationCode,
  findAuthorizationCode,
  insertAuthorizationCode,
  redeemAuthorizationCode,
} from './authorization-codes.store.ts';
import { findRefreshToken, rotateRefreshToken } from './refresh-tokens.store.ts';
import { newRevocationHandle } from './revocation-handles.ts';
import { ENVIRONMENT, newCode, type Rows } from './test-rows.ts';

/** For the tests of this folder: grants made the way the token endpoint makes them. */
export const WEEK_MS = 7 * 86_400_000;

/** Redeems a stored code the way the token endpoint does. */
export async function redeemStored(
  ctx: Ctx,
  code: AuthorizationCode,
): Promise<{ redeemed: boolean; grantId: string; handle: string; token: string }> {
  const stored = await findAuthorizationCode(ctx.db, code);
  assert.ok(stored);
  const grantId = newId(ctx, 'grt');
  const handle = newRevocationHandle(ctx);
  const token = `rt_${grantId}`;
  const redeemed = await redeemAuthorizationCode(ctx.db, {
    ...code,
    mcpServerId: code.mcpServerId,
    userSecret: stored.live.userSecret,
    clientSecret: stored.live.clientSecret,
    grantId,
    revocationHandle: handle,
    authMethod: 'none',
    absoluteExpiresAt: new Date(ctx.now().getTime() + WEEK_MS),
    refreshToken: {
      id: newId(ctx, 'rt'),
      tokenHash: sha256(token),
      idleExpiresAt: new Date(ctx.now().getTime() + WEEK_MS),
    },
    event: eventOf(ctx, { type: 'token.issued', grantId }),
    now: ctx.now(),
  });
  return { redeemed, grantId, handle, token };
}

export async function newGrant(
  ctx: Ctx,
  rows: Rows,
  changes: Partial<AuthorizationCode> = {},
): Promise<{ code: AuthorizationCode; grantId: string; handle: string; token: string }> {
  const code = await newCode(ctx, rows, changes);
  await insertAuthorizationCode(ctx.db, code);
  const { redeemed, ...grant } = await redeemStored(ctx, code);
  assert.equal(redeemed, true);
  return { code, ...grant };
}

export async function find(ctx: Ctx, token: string) {
  const found = await findRefreshToken(ctx.db, {
    environmentId: ENVIRONMENT,
    tokenHash: sha256(token),
  });
  assert.ok(found);
  return found;
}

export async function gate(ctx: Ctx, token: string, rows: Rows) {
  const { id, grant, live } = await find(ctx, token);
  return {
    environmentId: ENVIRONMENT,
    id,
    grantId: grant.id,
    userId: rows.userId,
    userSecret: live.userSecret,
    event: eventOf(ctx, { type: 'token.issued' }),
    now: ctx.now(),
  };
}

export async function rotate(
  ctx: Ctx,
  from: string,
  to: string,
  rows: Rows,
  graceSeconds = 120,
): Promise<boolean> {
  return await rotateRefreshToken(ctx.db, {
    ...(await gate(ctx, from, rows)),
    salt: ctx.random(32),
    ratchetKeyId: 'key',
    graceEndsAt: new Date(ctx.now().getTime() + graceSeconds * 1000),
    method: 'none',
    network: '203.0.113.7',
    userAgent: 'test',
    successor: {
      id: newId(ctx, 'rt'),
      tokenHash: sha256(to),
      idleExpiresAt: new Date(ctx.now().getTime() + WEEK_MS),
    },
  });
}

export async function eventCount(ctx: Ctx, type: string): Promise<number> {
  return (await ctx.db.rows(sql`select id from events where type = ${type}`)).length;
}
