import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  insertAuthorizationCode,
  redeemAuthorizationCode,
} from '../grants/authorization-codes.store.ts';
import { findGrantByHandle } from '../grants/grants.store.ts';
import {
  entriesOf,
  insertRows,
  newCode,
  type Rows,
  secretOf,
  testCtx,
} from '../grants/test-rows.ts';
import { type Ctx, withDb } from '../runtime/context.ts';
import { newId } from '../runtime/ids.ts';
import { engines, openTestDatabase, testPostgres } from '../testing/databases.ts';
import { revokeIssuedBefore } from './revoke-issued-before.ts';

const START = new Date('2026-11-20T10:00:00.000Z');

function moved(seconds: number): Date {
  return new Date(START.getTime() + seconds * 1000);
}

/** Stores a code of this moment; the function returned redeems it and says under which handle its grant is. */
async function codeOf(
  ctx: Ctx,
  rows: Rows,
  scopes: readonly string[] = ['todo:read'],
): Promise<(ctx: Ctx) => Promise<string>> {
  const code = await newCode(ctx, rows, { scopes, browserHash: new Uint8Array(32) });
  await insertAuthorizationCode(ctx.db, code);
  return async (at) => {
    const revocationHandle = newId(at, 'handle');
    const redeemed = await redeemAuthorizationCode(at.db, {
      ...code,
      mcpServerId: code.mcpServerId,
      userSecret: await secretOf(at, 'users', rows.userId),
      clientSecret: await secretOf(at, 'clients', code.clientId),
      grantId: newId(at, 'grt'),
      revocationHandle,
      authMethod: 'none',
      absoluteExpiresAt: moved(86_400),
      refreshToken: undefined,
      event: { environmentId: at.environmentId, type: 'token.issued', occurredAt: at.now() },
      now: at.now(),
    });
    return redeemed ? revocationHandle : 'refused';
  };
}

async function lives(ctx: Ctx, rows: Rows, handle: string): Promise<boolean> {
  const { environmentId } = ctx;
  const found = await findGrantByHandle(ctx.db, {
    environmentId,
    userId: rows.userId,
    handles: [handle],
  });
  return found !== undefined;
}

for (const engine of engines) {
  test(`revoking before a moment ends a grant whose code is older, not one made later, and tells what was used since (AS-154, AS-124) (${engine})`, async (t) => {
    const at = { now: START };
    const ctx = testCtx(await openTestDatabase(t, engine), at);
    const rows = await insertRows(ctx);
    const elsewhere = await insertRows(ctx);
    const untouched = await (await codeOf(ctx, elsewhere))(ctx);
    const older = await codeOf(ctx, rows);
    const unused = await codeOf(ctx, rows, ['todo:write']);
    at.now = moved(30);
    const fromOlder = await older(ctx);
    const later = await (await codeOf(ctx, rows, ['todo:delete']))(ctx);
    at.now = moved(40);

    const outcome = await revokeIssuedBefore(ctx, {
      before: moved(10),
      mcpServerId: rows.serverId,
    });

    assert.deepEqual(outcome, {
      kind: 'revoked',
      before: moved(10),
      grants: 1,
      codes: 1,
      consents: 0,
    });
    assert.equal(await unused(ctx), 'refused');
    assert.deepEqual(
      [await lives(ctx, rows, fromOlder), await lives(ctx, rows, later)],
      [false, true],
    );
    assert.equal(await lives(ctx, elsewhere, untouched), true);
    assert.deepEqual(await entriesOf(ctx, rows.serverId), [
      { kind: 'before', value: String(moved(10).getTime() / 1000) },
      { kind: 'handle', value: fromOlder },
    ]);
    assert.deepEqual(await entriesOf(ctx, elsewhere.serverId), []);
    assert.deepEqual(await revokeIssuedBefore(ctx, { before: moved(41) }), { kind: 'in-future' });
  });
}

for (const reach of ['clientId', 'userId', 'mcpServerId'] as const) {
  test(`a redemption that is under way when its ${reach} is revoked leaves no live grant (AS-154, race)`, async (t) => {
    const at = { now: START };
    const postgres = await testPostgres(t);
    const ctx = testCtx(postgres.database, at);
    const rows = await insertRows(ctx);
    const redeem = await codeOf(ctx, rows);
    at.now = moved(20);
    const named = { clientId: rows.clientId, userId: rows.userId, mcpServerId: rows.serverId };
    const second = await postgres.open();

    const { handle, revoking } = await second.transaction(async (tx) => {
      const made = await redeem(withDb(ctx, tx));
      const started = revokeIssuedBefore(ctx, { before: moved(10), [reach]: named[reach] });
      // Long enough for it to reach the lock that this transaction holds.
      await Promise.race([started, new Promise((done) => setTimeout(done, 300))]);
      return { handle: made, revoking: started };
    });

    assert.equal((await revoking).kind, 'revoked');
    assert.notEqual(handle, 'refused');
    assert.equal(await lives(ctx, rows, handle), false);
  });
}
