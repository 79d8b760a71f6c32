import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import { findGrantByHandle, listGrants } from './grants.store.ts';
import {
  endGrant,
  endGrantsOfClient,
  endGrantsOfServer,
  endGrantsOfSessions,
  endGrantsOfUser,
  revokeConsent,
} from './grants.ts';
import { findMachine } from './machine-tokens.store.ts';
import { revocationHandle } from './revocation-handles.ts';
import {
  findFeedHead,
  isRevoked,
  listRevocations,
  revokeKeys,
  revokeToken,
} from './revocations.store.ts';
import { findSubject } from './subjects.store.ts';
import { eventCount, find, newGrant, rotate } from './test-grants.ts';
import {
  ENVIRONMENT,
  entriesOf,
  insertClient,
  insertRows,
  insertServer,
  insertUser,
  secretOf,
  testCtx,
} from './test-rows.ts';

for (const engine of engines) {
  test(`what ends, ends with everything that came from it (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    const at = { now: new Date('2026-11-20T10:00:00.250Z') };
    const ctx = testCtx(db, at);
    const rows = await insertRows(ctx);

    await t.test(
      'a grant that ends takes its family and its access tokens with it, once (AS-110, AS-124)',
      async () => {
        const { token, grantId, handle } = await newGrant(ctx, rows);
        await rotate(ctx, token, 'last', rows);
        assert.equal((await endGrant(ctx, { grantId, because: 'reuse' }))?.id, grantId);
        assert.equal(await endGrant(ctx, { grantId, because: 'again' }), undefined);
        const { grant, revokedAt, retired } = await find(ctx, token);
        assert.deepEqual(
          [grant.endedBecause, revokedAt, retired?.steps[0]?.salt],
          ['reuse', at.now, undefined],
        );
        assert.equal(await rotate(ctx, 'last', 'never', rows), false);
        assert.deepEqual(
          (await entriesOf(ctx, rows.serverId)).filter(({ value }) => value === handle),
          [{ kind: 'handle', value: handle }],
        );
        assert.equal(await eventCount(ctx, 'grant.ended'), 1);
      },
    );

    await t.test(
      'ending what a person allowed tells each of their servers one handle and changes it (AS-114, AS-124)',
      async () => {
        const person = { ...rows, userId: await insertUser(ctx) };
        const elsewhere = { ...person, serverId: await insertServer(ctx) };
        const grants = [
          await newGrant(ctx, person),
          await newGrant(ctx, person),
          await newGrant(ctx, elsewhere),
        ];
        const stranger = await newGrant(ctx, rows);
        const secret = await secretOf(ctx, 'users', person.userId);

        assert.equal(
          (await endGrantsOfUser(ctx, { userId: person.userId, because: 'disabled' })).length,
          3,
        );

        for (const serverId of [person.serverId, elsewhere.serverId]) {
          const mine = (await entriesOf(ctx, serverId)).filter(
            ({ value }) => value === revocationHandle(secret, serverId),
          );
          assert.deepEqual(mine.length, 1);
        }
        assert.notEqual(
          revocationHandle(secret, person.serverId),
          revocationHandle(secret, elsewhere.serverId),
        );
        assert.notDeepEqual(await secretOf(ctx, 'users', person.userId), secret);
        for (const { token } of grants)
          assert.equal((await find(ctx, token)).grant.endedBecause, 'disabled');
        assert.equal((await find(ctx, stranger.token)).grant.endedAt, undefined);
        assert.deepEqual(
          await listGrants(db, { environmentId: ENVIRONMENT, userId: person.userId, limit: 10 }),
          [],
        );
      },
    );

    await t.test(
      "ending a client's grants reaches its own server even when nobody has allowed anything (AS-98, AS-124)",
      async () => {
        const machine = await insertClient(ctx, rows.serverId);
        const secret = await secretOf(ctx, 'clients', machine);
        assert.deepEqual(
          await endGrantsOfClient(ctx, { clientId: machine, because: 'disabled' }),
          [],
        );
        assert.ok(
          (await entriesOf(ctx, rows.serverId)).some(
            ({ value }) => value === revocationHandle(secret, rows.serverId),
          ),
        );
        assert.notDeepEqual(await secretOf(ctx, 'clients', machine), secret);

        const { token } = await newGrant(ctx, rows);
        assert.ok(
          (await endGrantsOfClient(ctx, { clientId: rows.clientId, because: 'deleted' })).length >
            0,
        );
        assert.equal((await find(ctx, token)).grant.endedBecause, 'deleted');
      },
    );

    await t.test(
      'a server that is switched off revokes everything issued before, by one entry (AS-13)',
      async () => {
        const there = { ...rows, serverId: await insertServer(ctx) };
        const { token } = await newGrant(ctx, there);
        await endGrantsOfServer(ctx, { mcpServerId: there.serverId, because: 'disabled' });
        const entries = await entriesOf(ctx, there.serverId);
        const before = Math.floor(at.now.getTime() / 1000) + 1;
        assert.deepEqual(entries, [{ kind: 'before', value: String(before) }]);
        assert.equal((await find(ctx, token)).grant.endedBecause, 'disabled');
        const issued = (issuedAt: number) =>
          isRevoked(db, {
            environmentId: ENVIRONMENT,
            mcpServerId: there.serverId,
            jti: 'tkn_1',
            kid: 'snk_1',
            handles: [],
            issuedAt,
          });
        assert.deepEqual([await issued(before - 1), await issued(before)], [true, false]);
      },
    );

    await t.test(
      'withdrawing a consent ends its grants and the replaced ones whose tokens still live (AS-134)',
      async () => {
        const person = { ...rows, userId: await insertUser(ctx) };
        const browserHash = ctx.random(32);
        const narrow = await newGrant(ctx, person, { browserHash });
        const wide = await newGrant(ctx, person, {
          browserHash,
          scopes: ['todo:read', 'todo:write'],
        });
        assert.equal(narrow.code.consentId, wide.code.consentId);
        assert.equal(
          await revokeConsent(ctx, {
            consentId: wide.code.consentId,
            userId: rows.userId,
            because: 'user',
          }),
          undefined,
          'not hers',
        );
        assert.ok(
          await revokeConsent(ctx, {
            consentId: wide.code.consentId,
            userId: person.userId,
            because: 'user',
          }),
        );
        const values = (await entriesOf(ctx, person.serverId)).map(({ value }) => value);
        assert.ok(values.includes(narrow.handle) && values.includes(wide.handle));
        assert.equal((await find(ctx, wide.token)).live.ended, 'consent');
        assert.equal(
          await revokeConsent(ctx, { consentId: wide.code.consentId, because: 'user' }),
          undefined,
        );
      },
    );

    await t.test(
      "a revoked session takes its grants along; a person's own sign-out does not (AS-114)",
      async () => {
        const person = { ...rows, userId: await insertUser(ctx) };
        const { token, handle } = await newGrant(ctx, person);
        await db.rows(
          sql`update sessions set ended_at = ${at.now}, ended_because = 'signed-out' where id = ${rows.sessionId}`,
        );
        assert.equal((await find(ctx, token)).live.ended, undefined);
        await db.rows(
          sql`update sessions set ended_because = 'revoked' where id = ${rows.sessionId}`,
        );
        assert.equal((await find(ctx, token)).live.ended, 'session');
        await endGrantsOfSessions(ctx, {
          userId: person.userId,
          sessionIds: [rows.sessionId],
          because: 'revoked',
        });
        assert.ok((await entriesOf(ctx, person.serverId)).some(({ value }) => value === handle));
        await db.rows(
          sql`update sessions set ended_at = null, ended_because = null where id = ${rows.sessionId}`,
        );
      },
    );

    await t.test(
      'one token, a key, or a handle can be revoked, and nothing else is (AS-122, AS-18)',
      async () => {
        const serverId = await insertServer(ctx);
        const token = {
          environmentId: ENVIRONMENT,
          mcpServerId: serverId,
          jti: 'tkn_9',
          kid: 'snk_9',
          handles: ['handle-9'],
          issuedAt: 1,
        };
        const until = new Date(at.now.getTime() + 60_000);
        assert.equal(await isRevoked(db, token), false);
        assert.equal(await revokeToken(db, { ...token, until, now: at.now }), true);
        assert.equal(
          await revokeToken(db, { ...token, until, now: at.now }),
          false,
          'a second time adds no entry',
        );
        assert.deepEqual(
          [await isRevoked(db, token), await isRevoked(db, { ...token, jti: 'tkn_8' })],
          [true, false],
        );
        await revokeKeys(db, { environmentId: ENVIRONMENT, kids: ['snk_9'], until, now: at.now });
        assert.equal(await isRevoked(db, { ...token, jti: 'tkn_8' }), true);
        assert.equal(await isRevoked(db, { ...token, jti: 'tkn_8', kid: 'snk_8' }), false);
        const list = (by: { now: Date }) =>
          listRevocations(db, {
            environmentId: ENVIRONMENT,
            mcpServerId: serverId,
            limit: 10,
            ...by,
          });
        const entries = await list({ now: at.now });
        assert.deepEqual(
          entries.map(({ kind, value }) => [kind, value]),
          [
            ['kid', 'snk_9'],
            ['jti', 'tkn_9'],
          ],
        );
        const head = await findFeedHead(db, { environmentId: ENVIRONMENT, mcpServerId: serverId });
        assert.equal(head.seq, entries[0]?.seq);
        assert.deepEqual(await list({ now: until }), []);
      },
    );

    await t.test(
      'grants are found by handle, machines and subjects only while they live (AS-98, AS-125)',
      async () => {
        const person = { ...rows, userId: await insertUser(ctx) };
        const { handle, grantId } = await newGrant(ctx, person);
        const by = { environmentId: ENVIRONMENT, userId: person.userId };
        assert.equal((await findGrantByHandle(db, { ...by, handles: ['x', handle] }))?.id, grantId);
        assert.equal(await findGrantByHandle(db, { ...by, handles: [] }), undefined);
        assert.ok(
          await findMachine(db, {
            environmentId: ENVIRONMENT,
            clientId: rows.clientId,
            mcpServerId: rows.serverId,
          }),
        );
        assert.equal(
          await findMachine(db, { environmentId: 'env_2', clientId: rows.clientId }),
          undefined,
        );
        await db.rows(sql`update mcp_servers set enabled = false where id = ${rows.serverId}`);
        assert.equal(
          await findMachine(db, {
            environmentId: ENVIRONMENT,
            clientId: rows.clientId,
            mcpServerId: rows.serverId,
          }),
          undefined,
        );
        await db.rows(sql`update mcp_servers set enabled = true where id = ${rows.serverId}`);
        assert.equal(
          (await findSubject(db, { ...by, sessionId: 'ses_0', needsSession: false }))?.name,
          'Ada',
        );
        assert.equal(
          await findSubject(db, { ...by, sessionId: 'ses_0', needsSession: true }),
          undefined,
        );
      },
    );
  });
}
