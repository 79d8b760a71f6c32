import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventOf } from '../events/events.ts';
import type { Ctx } from '../runtime/context.ts';
import { sha256 } from '../runtime/hash.ts';
import { newId } from '../runtime/ids.ts';
import { sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import {
  type AuthorizationCode,
  countCodeFailure,
  findAuthorizationCode,
  insertAuthorizationCode,
  MOST_CODE_FAILURES,
  redeemAuthorizationCode,
} from './authorization-codes.store.ts';
import { cleanUpGrants, eraseSalts } from './clean-up.job.ts';
import {
  endGrant,
  endGrantsOfClient,
  endGrantsOfServer,
  endGrantsOfSession,
  endGrantsOfUser,
  revokeConsent,
} from './grants.ts';
import { findGrantByHandle, listGrants } from './grants.store.ts';
import { findMachine } from './machine-tokens.store.ts';
import {
  countGraceAnswer,
  findRefreshToken,
  keepRefreshToken,
  MOST_GRACE_ANSWERS,
  rotateRefreshToken,
} from './refresh-tokens.store.ts';
import { newRevocationHandle, revocationHandle } from './revocation-handles.ts';
import { isRevoked, listRevocations, revokeKeys, revokeToken } from './revocations.store.ts';
import { findSubject } from './subjects.store.ts';
import { entriesOf, ENVIRONMENT, insertClient, insertRows, insertServer, insertUser, newCode, type Rows, secretOf, testCtx } from './test-rows.ts';

const WEEK_MS = 7 * 86_400_000;

/** Redeems a stored code the way the token endpoint does. */
async function redeemStored(ctx: Ctx, code: AuthorizationCode): Promise<{ redeemed: boolean; grantId: string; handle: string; token: string }> {
  const stored = await findAuthorizationCode(ctx.db, code);
  assert.ok(stored);
  const grantId = newId(ctx, 'grt');
  const handle = newRevocationHandle(ctx);
  const token = `rt_${grantId}`;
  const redeemed = await redeemAuthorizationCode(ctx.db, {
    ...code,
    userSecret: stored.live.userSecret,
    grantId,
    revocationHandle: handle,
    authMethod: 'none',
    absoluteExpiresAt: new Date(ctx.now().getTime() + WEEK_MS),
    refreshToken: { id: newId(ctx, 'rt'), tokenHash: sha256(token), idleExpiresAt: new Date(ctx.now().getTime() + WEEK_MS) },
    event: eventOf(ctx, { type: 'token.issued', grantId }),
    now: ctx.now(),
  });
  return { redeemed, grantId, handle, token };
}

async function newGrant(ctx: Ctx, rows: Rows, changes: Partial<AuthorizationCode> = {}): Promise<{ code: AuthorizationCode; grantId: string; handle: string; token: string }> {
  const code = await newCode(ctx, rows, changes);
  await insertAuthorizationCode(ctx.db, code);
  const { redeemed, ...grant } = await redeemStored(ctx, code);
  assert.equal(redeemed, true);
  return { code, ...grant };
}

async function find(ctx: Ctx, token: string) {
  const found = await findRefreshToken(ctx.db, { environmentId: ENVIRONMENT, tokenHash: sha256(token) });
  assert.ok(found);
  return found;
}

async function gate(ctx: Ctx, token: string, rows: Rows) {
  const { id, grant, live } = await find(ctx, token);
  return { environmentId: ENVIRONMENT, id, grantId: grant.id, userId: rows.userId, userSecret: live.userSecret, event: eventOf(ctx, { type: 'token.issued' }), now: ctx.now() };
}

async function rotate(ctx: Ctx, from: string, to: string, rows: Rows, graceSeconds = 120): Promise<boolean> {
  return await rotateRefreshToken(ctx.db, {
    ...(await gate(ctx, from, rows)),
    salt: ctx.random(32),
    ratchetKeyId: 'key',
    graceEndsAt: new Date(ctx.now().getTime() + graceSeconds * 1000),
    method: 'none',
    network: '203.0.113.7',
    userAgent: 'test',
    successor: { id: newId(ctx, 'rt'), tokenHash: sha256(to), idleExpiresAt: new Date(ctx.now().getTime() + WEEK_MS) },
  });
}

async function eventCount(ctx: Ctx, type: string): Promise<number> {
  return (await ctx.db.rows(sql`select id from events where type = ${type}`)).length;
}

for (const engine of engines) {
  test(`codes, refresh families and revocations keep their promises (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    const at = { now: new Date('2026-11-20T10:00:00.250Z') };
    const ctx = testCtx(db, at);
    const rows = await insertRows(ctx);

    await t.test('a code is redeemed once and makes one grant with its first token (AS-95)', async () => {
      const { code, grantId, token } = await newGrant(ctx, rows);
      assert.equal((await redeemStored(ctx, code)).redeemed, false);
      const stored = await findAuthorizationCode(db, code);
      assert.deepEqual([stored?.grantId, stored?.consumedAt], [grantId, at.now]);
      const { grant, generation, retired } = await find(ctx, token);
      assert.deepEqual([grant.id, grant.scopes, generation, retired], [grantId, ['todo:read'], 1, undefined]);
      assert.equal(await eventCount(ctx, 'token.issued'), 1);
    });

    await t.test('a code that has failed ten times, expired, or lost its consent or person is not redeemed (AS-94, AS-95, AS-97)', async () => {
      const burnt = await newCode(ctx, rows);
      await insertAuthorizationCode(db, burnt);
      for (let count = 0; count < MOST_CODE_FAILURES; count++) await countCodeFailure(db, burnt);
      assert.equal((await redeemStored(ctx, burnt)).redeemed, false);

      const expired = await newCode(ctx, rows, { expiresAt: at.now });
      await insertAuthorizationCode(db, expired);
      assert.equal((await redeemStored(ctx, expired)).redeemed, false);

      const other = { ...rows, userId: await insertUser(ctx) };
      const withdrawn = await newCode(ctx, other);
      await insertAuthorizationCode(db, withdrawn);
      await revokeConsent(ctx, { consentId: withdrawn.consentId, because: 'test' });
      assert.equal((await findAuthorizationCode(db, withdrawn))?.live.ended, 'consent');
      assert.equal((await redeemStored(ctx, withdrawn)).redeemed, false);

      const orphan = await newCode(ctx, other);
      await insertAuthorizationCode(db, orphan);
      await db.rows(sql`update users set enabled = false where id = ${other.userId}`);
      assert.equal((await findAuthorizationCode(db, orphan))?.live.ended, 'user');
      assert.equal((await redeemStored(ctx, orphan)).redeemed, false);
    });

    await t.test('a wider grant ends the narrower one of the same browser only (AS-46)', async () => {
      const person = { ...rows, userId: await insertUser(ctx) };
      const browserHash = ctx.random(32);
      const narrow = await newGrant(ctx, person, { browserHash });
      const elsewhere = await newGrant(ctx, person);
      await newGrant(ctx, person, { browserHash });
      assert.equal((await find(ctx, narrow.token)).grant.endedAt, undefined, 'the same scopes again are no step-up');
      await newGrant(ctx, person, { browserHash, scopes: ['todo:read', 'todo:write'] });
      assert.equal((await find(ctx, narrow.token)).grant.endedBecause, 'replaced');
      assert.equal((await find(ctx, elsewhere.token)).grant.endedAt, undefined);
    });

    await t.test('a rotation has one winner, and leads from a retired token to the current one (AS-108)', async () => {
      const { token } = await newGrant(ctx, rows);
      assert.equal(await rotate(ctx, token, 'second', rows), true);
      assert.equal(await rotate(ctx, token, 'other', rows), false);
      assert.equal(await rotate(ctx, 'second', 'third', rows), true);
      const first = await find(ctx, token);
      assert.equal(first.retired?.steps.length, 2);
      assert.equal(first.retired?.steps.every(({ salt }) => salt?.length === 32), true);
      assert.equal((await find(ctx, 'second')).retired?.steps.length, 1);
      assert.equal((await find(ctx, 'third')).retired, undefined);
      assert.equal((await find(ctx, 'third')).generation, 3);
      assert.equal(await keepRefreshToken(db, { ...(await gate(ctx, token, rows)), idleExpiresAt: at.now }), false);
      assert.equal(await keepRefreshToken(db, { ...(await gate(ctx, 'third', rows)), idleExpiresAt: new Date(0) }), true);
      assert.deepEqual((await find(ctx, 'third')).idleExpiresAt, new Date(0));
    });

    await t.test('grace answers are counted before they are given and end at fifty (AS-109)', async () => {
      const { token, grantId } = await newGrant(ctx, rows);
      await rotate(ctx, token, 'next', rows);
      const answers = new Set<string>();
      for (let count = 0; count < MOST_GRACE_ANSWERS; count++) answers.add(await countGraceAnswer(db, await gate(ctx, token, rows)));
      assert.deepEqual([...answers], ['counted']);
      assert.equal(await countGraceAnswer(db, await gate(ctx, token, rows)), 'too-many');
      assert.equal(await countGraceAnswer(db, await gate(ctx, token, rows)), 'too-many');
      const before = await gate(ctx, token, rows);
      await endGrant(ctx, { grantId, because: 'test' });
      assert.equal(await countGraceAnswer(db, before), 'ended');
    });

    await t.test('salts are erased when the grace ends, and not before (AS-108)', async () => {
      const { token } = await newGrant(ctx, rows);
      await rotate(ctx, token, 'salted', rows);
      await eraseSalts(ctx);
      assert.equal((await find(ctx, token)).retired?.steps[0]?.salt?.length, 32);
      at.now = new Date(at.now.getTime() + 120_000);
      await eraseSalts(ctx);
      assert.equal((await find(ctx, token)).retired?.steps[0]?.salt, undefined);
    });

    await t.test('a grant that ends takes its family and its access tokens with it, once (AS-110, AS-124)', async () => {
      const { token, grantId, handle } = await newGrant(ctx, rows);
      await rotate(ctx, token, 'last', rows);
      assert.equal((await endGrant(ctx, { grantId, because: 'reuse' }))?.id, grantId);
      assert.equal(await endGrant(ctx, { grantId, because: 'again' }), undefined);
      const { grant, revokedAt, retired } = await find(ctx, token);
      assert.deepEqual([grant.endedBecause, revokedAt, retired?.steps[0]?.salt], ['reuse', at.now, undefined]);
      assert.equal(await rotate(ctx, 'last', 'never', rows), false);
      assert.deepEqual((await entriesOf(ctx, rows.serverId)).filter(({ value }) => value === handle), [{ kind: 'handle', value: handle }]);
      assert.equal(await eventCount(ctx, 'grant.ended'), 2);
    });

    await t.test('ending what a person allowed tells each of their servers one handle and changes it (AS-114, AS-124)', async () => {
      const person = { ...rows, userId: await insertUser(ctx) };
      const elsewhere = { ...person, serverId: await insertServer(ctx) };
      const grants = [await newGrant(ctx, person), await newGrant(ctx, person), await newGrant(ctx, elsewhere)];
      const stranger = await newGrant(ctx, rows);
      const secret = await secretOf(ctx, 'users', person.userId);

      assert.equal((await endGrantsOfUser(ctx, { userId: person.userId, because: 'disabled' })).length, 3);

      for (const serverId of [person.serverId, elsewhere.serverId]) {
        const mine = (await entriesOf(ctx, serverId)).filter(({ value }) => value === revocationHandle(secret, serverId));
        assert.deepEqual(mine.length, 1);
      }
      assert.notEqual(revocationHandle(secret, person.serverId), revocationHandle(secret, elsewhere.serverId));
      assert.notDeepEqual(await secretOf(ctx, 'users', person.userId), secret);
      for (const { token } of grants) assert.equal((await find(ctx, token)).grant.endedBecause, 'disabled');
      assert.equal((await find(ctx, stranger.token)).grant.endedAt, undefined);
      assert.deepEqual(await listGrants(db, { environmentId: ENVIRONMENT, userId: person.userId, limit: 10 }), []);
    });

    await t.test("ending a client's grants reaches its own server even when nobody has allowed anything (AS-98, AS-124)", async () => {
      const machine = await insertClient(ctx, rows.serverId);
      const secret = await secretOf(ctx, 'clients', machine);
      assert.deepEqual(await endGrantsOfClient(ctx, { clientId: machine, because: 'disabled' }), []);
      assert.ok((await entriesOf(ctx, rows.serverId)).some(({ value }) => value === revocationHandle(secret, rows.serverId)));
      assert.notDeepEqual(await secretOf(ctx, 'clients', machine), secret);

      const { token } = await newGrant(ctx, rows);
      assert.ok((await endGrantsOfClient(ctx, { clientId: rows.clientId, because: 'deleted' })).length > 0);
      assert.equal((await find(ctx, token)).grant.endedBecause, 'deleted');
    });

    await t.test('a server that is switched off revokes everything issued before, by one entry (AS-13)', async () => {
      const there = { ...rows, serverId: await insertServer(ctx) };
      const { token } = await newGrant(ctx, there);
      await endGrantsOfServer(ctx, { mcpServerId: there.serverId, because: 'disabled' });
      const entries = await entriesOf(ctx, there.serverId);
      const before = Math.floor(at.now.getTime() / 1000) + 1;
      assert.deepEqual(entries, [{ kind: 'before', value: String(before) }]);
      assert.equal((await find(ctx, token)).grant.endedBecause, 'disabled');
      const issued = (issuedAt: number) => isRevoked(db, { environmentId: ENVIRONMENT, mcpServerId: there.serverId, jti: 'tkn_1', kid: 'snk_1', handles: [], issuedAt });
      assert.deepEqual([await issued(before - 1), await issued(before)], [true, false]);
    });

    await t.test('withdrawing a consent ends its grants and the replaced ones whose tokens still live (AS-134)', async () => {
      const person = { ...rows, userId: await insertUser(ctx) };
      const browserHash = ctx.random(32);
      const narrow = await newGrant(ctx, person, { browserHash });
      const wide = await newGrant(ctx, person, { browserHash, scopes: ['todo:read', 'todo:write'] });
      assert.equal(narrow.code.consentId, wide.code.consentId);
      assert.equal(await revokeConsent(ctx, { consentId: wide.code.consentId, userId: rows.userId, because: 'user' }), undefined, 'not hers');
      assert.ok(await revokeConsent(ctx, { consentId: wide.code.consentId, userId: person.userId, because: 'user' }));
      const values = (await entriesOf(ctx, person.serverId)).map(({ value }) => value);
      assert.ok(values.includes(narrow.handle) && values.includes(wide.handle));
      assert.equal((await find(ctx, wide.token)).live.ended, 'consent');
      assert.equal(await revokeConsent(ctx, { consentId: wide.code.consentId, because: 'user' }), undefined);
    });

    await t.test("a revoked session takes its grants along; a person's own sign-out does not (AS-114)", async () => {
      const person = { ...rows, userId: await insertUser(ctx) };
      const { token, handle } = await newGrant(ctx, person);
      await db.rows(sql`update sessions set ended_at = ${at.now}, ended_because = 'signed-out' where id = ${rows.sessionId}`);
      assert.equal((await find(ctx, token)).live.ended, undefined);
      await db.rows(sql`update sessions set ended_because = 'revoked' where id = ${rows.sessionId}`);
      assert.equal((await find(ctx, token)).live.ended, 'session');
      await endGrantsOfSession(ctx, { userId: person.userId, sessionId: rows.sessionId, because: 'revoked' });
      assert.ok((await entriesOf(ctx, person.serverId)).some(({ value }) => value === handle));
      await db.rows(sql`update sessions set ended_at = null, ended_because = null where id = ${rows.sessionId}`);
    });

    await t.test('one token, a key, or a handle can be revoked, and nothing else is (AS-122, AS-18)', async () => {
      const serverId = await insertServer(ctx);
      const token = { environmentId: ENVIRONMENT, mcpServerId: serverId, jti: 'tkn_9', kid: 'snk_9', handles: ['handle-9'], issuedAt: 1 };
      const until = new Date(at.now.getTime() + 60_000);
      assert.equal(await isRevoked(db, token), false);
      assert.equal(await revokeToken(db, { ...token, until, now: at.now }), true);
      assert.equal(await revokeToken(db, { ...token, until, now: at.now }), false, 'a second time adds no entry');
      assert.deepEqual([await isRevoked(db, token), await isRevoked(db, { ...token, jti: 'tkn_8' })], [true, false]);
      await revokeKeys(db, { environmentId: ENVIRONMENT, kids: ['snk_9'], until, now: at.now });
      assert.equal(await isRevoked(db, { ...token, jti: 'tkn_8' }), true);
      assert.equal(await isRevoked(db, { ...token, jti: 'tkn_8', kid: 'snk_8' }), false);
      const list = (by: { now: Date; after?: bigint }) => listRevocations(db, { environmentId: ENVIRONMENT, mcpServerId: serverId, limit: 10, ...by });
      const entries = await list({ now: at.now });
      assert.deepEqual(entries.map(({ kind, value }) => [kind, value]), [['jti', 'tkn_9'], ['kid', 'snk_9']]);
      assert.equal((await list({ now: at.now, after: entries[0]?.seq ?? 0n })).length, 1);
      assert.deepEqual(await list({ now: until }), []);
    });

    await t.test('grants are found by handle, machines and subjects only while they live (AS-98, AS-125)', async () => {
      const person = { ...rows, userId: await insertUser(ctx) };
      const { handle, grantId } = await newGrant(ctx, person);
      const by = { environmentId: ENVIRONMENT, userId: person.userId };
      assert.equal((await findGrantByHandle(db, { ...by, handles: ['x', handle] }))?.id, grantId);
      assert.equal(await findGrantByHandle(db, { ...by, handles: [] }), undefined);
      assert.ok(await findMachine(db, { environmentId: ENVIRONMENT, clientId: rows.clientId, mcpServerId: rows.serverId }));
      assert.equal(await findMachine(db, { environmentId: 'env_2', clientId: rows.clientId }), undefined);
      await db.rows(sql`update mcp_servers set enabled = false where id = ${rows.serverId}`);
      assert.equal(await findMachine(db, { environmentId: ENVIRONMENT, clientId: rows.clientId, mcpServerId: rows.serverId }), undefined);
      await db.rows(sql`update mcp_servers set enabled = true where id = ${rows.serverId}`);
      assert.equal((await findSubject(db, { ...by, sessionId: 'ses_0', needsSession: false }))?.name, 'Ada');
      assert.equal(await findSubject(db, { ...by, sessionId: 'ses_0', needsSession: true }), undefined);
    });

    await t.test('the clean-up keeps used codes long enough to see them replayed (AS-96, AS-128)', async () => {
      const used = (await newGrant(ctx, rows)).code;
      const unused = await newCode(ctx, rows);
      await insertAuthorizationCode(db, unused);
      at.now = new Date(at.now.getTime() + 2 * 86_400_000);
      await cleanUpGrants(ctx);
      assert.ok(await findAuthorizationCode(db, used));
      assert.equal(await findAuthorizationCode(db, unused), undefined);
      at.now = new Date(at.now.getTime() + 8 * 86_400_000);
      await cleanUpGrants(ctx);
      assert.equal(await findAuthorizationCode(db, used), undefined);
    });
  });
}
