import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countAgainst } from '../environments/rate-limit.ts';
import { sha256 } from '../runtime/hash.ts';
import { sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import {
  countCodeFailure,
  findAuthorizationCode,
  insertAuthorizationCode,
  MOST_CODE_FAILURES,
} from './authorization-codes.store.ts';
import { cleanUpGrants, eraseSalts } from './clean-up.job.ts';
import { endGrant, revokeConsent } from './grants.ts';
import { countGraceAnswer, keepRefreshToken, MOST_GRACE_ANSWERS } from './refresh-tokens.store.ts';
import { eventCount, find, gate, newGrant, redeemStored, rotate, WEEK_MS } from './test-grants.ts';
import { insertRows, insertUser, newCode, testCtx } from './test-rows.ts';

for (const engine of engines) {
  test(`codes are used once and refresh families have one current token (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    const at = { now: new Date('2026-11-20T10:00:00.250Z') };
    const ctx = testCtx(db, at);
    const rows = await insertRows(ctx);

    await t.test(
      'a code is redeemed once and makes one grant with its first token (AS-95)',
      async () => {
        const { code, grantId, token } = await newGrant(ctx, rows);
        assert.equal((await redeemStored(ctx, code)).redeemed, false);
        const stored = await findAuthorizationCode(db, code);
        assert.deepEqual([stored?.grantId, stored?.consumedAt], [grantId, at.now]);
        const { grant, generation, retired } = await find(ctx, token);
        assert.deepEqual(
          [grant.id, grant.scopes, generation, retired],
          [grantId, ['todo:read'], 1, undefined],
        );
        assert.equal(await eventCount(ctx, 'token.issued'), 1);
      },
    );

    await t.test(
      'a code that has failed ten times, expired, or lost its consent or person is not redeemed (AS-94, AS-95, AS-97)',
      async () => {
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
      },
    );

    await t.test(
      'a wider grant ends the narrower one of the same browser only (AS-46)',
      async () => {
        const person = { ...rows, userId: await insertUser(ctx) };
        const browserHash = ctx.random(32);
        const narrow = await newGrant(ctx, person, { browserHash });
        const elsewhere = await newGrant(ctx, person);
        await newGrant(ctx, person, { browserHash });
        assert.equal(
          (await find(ctx, narrow.token)).grant.endedAt,
          undefined,
          'the same scopes again are no step-up',
        );
        await newGrant(ctx, person, { browserHash, scopes: ['todo:read', 'todo:write'] });
        assert.equal((await find(ctx, narrow.token)).grant.endedBecause, 'replaced');
        assert.equal((await find(ctx, elsewhere.token)).grant.endedAt, undefined);
      },
    );

    await t.test(
      'a rotation has one winner, and leads from a retired token to the current one (AS-108)',
      async () => {
        const { token } = await newGrant(ctx, rows);
        assert.equal(await rotate(ctx, token, 'second', rows), true);
        assert.equal(await rotate(ctx, token, 'other', rows), false);
        assert.equal(await rotate(ctx, 'second', 'third', rows), true);
        const first = await find(ctx, token);
        assert.equal(first.retired?.steps.length, 2);
        assert.equal(
          first.retired?.steps.every(({ salt }) => salt?.length === 32),
          true,
        );
        assert.equal((await find(ctx, 'second')).retired?.steps.length, 1);
        assert.equal((await find(ctx, 'third')).retired, undefined);
        assert.equal((await find(ctx, 'third')).generation, 3);
        assert.equal(
          await keepRefreshToken(db, { ...(await gate(ctx, token, rows)), idleExpiresAt: at.now }),
          false,
        );
        assert.equal(
          await keepRefreshToken(db, {
            ...(await gate(ctx, 'third', rows)),
            idleExpiresAt: new Date(0),
          }),
          true,
        );
        assert.deepEqual((await find(ctx, 'third')).idleExpiresAt, new Date(0));
      },
    );

    await t.test(
      'grace answers are counted before they are given and end at fifty (AS-109)',
      async () => {
        const { token, grantId } = await newGrant(ctx, rows);
        await rotate(ctx, token, 'next', rows);
        const answers = new Set<string>();
        const giving = async (current: string) =>
          await countGraceAnswer(db, {
            ...(await gate(ctx, token, rows)),
            currentHash: sha256(current),
          });
        // Of sixty at once exactly fifty get one.
        const parallel = await Promise.all(
          Array.from({ length: MOST_GRACE_ANSWERS + 10 }, () => giving('next')),
        );
        for (const answer of parallel) answers.add(answer);
        assert.deepEqual([...answers].sort(), ['counted', 'too-many']);
        assert.equal(parallel.filter((answer) => answer === 'counted').length, MOST_GRACE_ANSWERS);
        assert.equal(await giving('next'), 'too-many');
        await rotate(ctx, 'next', 'after next', rows);
        assert.equal(await giving('next'), 'changed');
        assert.equal(await giving('after next'), 'too-many');
        const before = { ...(await gate(ctx, token, rows)), currentHash: sha256('after next') };
        await endGrant(ctx, { grantId, because: 'test' });
        assert.equal(await countGraceAnswer(db, before), 'changed');
      },
    );

    await t.test('salts are erased when the grace ends, and not before (AS-108)', async () => {
      const { token } = await newGrant(ctx, rows);
      await rotate(ctx, token, 'salted', rows);
      await eraseSalts(ctx);
      assert.equal((await find(ctx, token)).retired?.steps[0]?.salt?.length, 32);
      at.now = new Date(at.now.getTime() + 120_000);
      await eraseSalts(ctx);
      assert.equal((await find(ctx, token)).retired?.steps[0]?.salt, undefined);
    });

    await t.test(
      'the clean-up removes families that nobody used, and counters whose window is over, and nothing that lives (AS-110, AS-139)',
      async () => {
        const start = at.now;
        const [forgotten, alive] = [await newGrant(ctx, rows), await newGrant(ctx, rows)];
        await rotate(ctx, forgotten.token, `${forgotten.token} 2`, rows);
        await rotate(ctx, alive.token, `${alive.token} 2`, rows);
        const left = async () => {
          const tokens = await db.rows<{ grant_id: string }>(sql`
            select grant_id from refresh_tokens where grant_id = any(${[forgotten.grantId, alive.grantId]}) order by grant_id, generation`);
          return tokens.map((row) => (row.grant_id === alive.grantId ? 'alive' : 'forgotten'));
        };
        const count = (windowSeconds: number) =>
          countAgainst(ctx, { name: 'test', key: `${windowSeconds}`, windowSeconds, max: 1 });
        await count(60);
        await count(90 * 86_400);
        at.now = new Date(start.getTime() + WEEK_MS + 29 * 86_400_000);
        await cleanUpGrants(ctx);
        assert.equal((await left()).length, 4);
        await db.rows(sql`
          update refresh_tokens set idle_expires_at = ${new Date(at.now.getTime() + WEEK_MS)} where grant_id = ${alive.grantId} and grace_ends_at is null`);
        at.now = new Date(at.now.getTime() + 2 * 86_400_000);
        await cleanUpGrants(ctx);
        // The retired one of the living family stays: its replay must still be seen.
        assert.deepEqual(await left(), ['alive', 'alive']);
        const counters = await db.rows(sql`select key from rate_limits where key like 'test:%'`);
        assert.equal(counters.length, 1);
        assert.equal((await count(90 * 86_400)).count, 2);
        at.now = start;
      },
    );

    await t.test(
      'the clean-up keeps used codes long enough to see them replayed (AS-96, AS-128)',
      async () => {
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
      },
    );
  });
}
