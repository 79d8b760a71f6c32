import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ctx } from '../runtime/context.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import {
  findConsent,
  forgetRememberedConsents,
  listConsents,
  touchConsent,
} from './consents.store.ts';
import { rememberedConsent, revokeConsent, saveConsent } from './grants.ts';
import { ENVIRONMENT, insertRows, testCtx } from './test-rows.ts';

const DIGEST = new Uint8Array(32).fill(1);

type Asked = Parameters<typeof rememberedConsent>[1];

for (const engine of engines) {
  test(`a remembered consent stands only for exactly what was decided (AS-131) (${engine})`, async (t) => {
    const ctx: Ctx = testCtx(await openTestDatabase(t, engine));
    const { userId, clientId, serverId } = await insertRows(ctx);
    const decided: Asked = {
      userId,
      clientId,
      mcpServerId: serverId,
      redirectUri: 'https://client.example/callback',
      scopes: ['todo:read', 'todo:write'],
      clientDigest: DIGEST,
      rememberNative: false,
    };
    const id = await saveConsent(ctx, { ...decided, remembered: true });

    assert.equal((await rememberedConsent(ctx, decided))?.id, id);
    assert.equal(
      (await rememberedConsent(ctx, { ...decided, scopes: ['todo:read'] }))?.id,
      id,
      'fewer scopes add nothing',
    );
    const different: Record<string, Partial<Asked>> = {
      'one scope more': { scopes: ['todo:read', 'todo:write', 'todo:delete'] },
      'another registered redirect URI': { redirectUri: 'https://client.example/other' },
      'the redirect URI with another port': { redirectUri: 'https://client.example:8443/callback' },
      'a client that has changed': { clientDigest: new Uint8Array(32).fill(2) },
      'another person': { userId: 'usr_1' },
      'another client': { clientId: 'm2m_1' },
      'another server': { mcpServerId: 'res_1' },
      'no server': { mcpServerId: undefined },
      'an organization': { organizationId: 'org_1' },
      'a resource': { resource: 'https://other.example/mcp' },
    };
    for (const [what, changes] of Object.entries(different)) {
      assert.equal(await rememberedConsent(ctx, { ...decided, ...changes }), undefined, what);
    }
    assert.equal(
      await rememberedConsent({ ...ctx, environmentId: 'env_2' }, decided),
      undefined,
      'another environment',
    );

    await t.test('a later decision replaces the scopes of the same consent', async () => {
      assert.equal(
        await saveConsent(ctx, { ...decided, scopes: ['todo:read'], remembered: true }),
        id,
      );
      assert.equal(await rememberedConsent(ctx, decided), undefined);
      await touchConsent(ctx.db, { environmentId: ENVIRONMENT, id, now: new Date(5) });
      assert.deepEqual(
        (await findConsent(ctx.db, { environmentId: ENVIRONMENT, id }))?.lastUsedAt,
        new Date(5),
      );
    });

    await t.test(
      'a redirect that any program can receive is never remembered unless the server says so',
      async () => {
        const native = { ...decided, redirectUri: 'http://127.0.0.1:51763/callback' };
        await saveConsent(ctx, { ...native, remembered: true });
        assert.equal(await rememberedConsent(ctx, native), undefined);
        assert.ok(await rememberedConsent(ctx, { ...native, rememberNative: true }));
        const scheme = { ...decided, redirectUri: 'cursor://anysphere.cursor-mcp/oauth/callback' };
        await saveConsent(ctx, { ...scheme, remembered: true });
        assert.equal(await rememberedConsent(ctx, scheme), undefined);
      },
    );

    await t.test(
      'a client whose redirect URIs or keys change is asked about again (AS-68, AS-82)',
      async () => {
        const again = { ...decided, scopes: ['todo:read'] };
        assert.ok(await rememberedConsent(ctx, again));
        assert.equal(
          await forgetRememberedConsents(ctx.db, { environmentId: ENVIRONMENT, clientId }),
          3,
        );
        assert.equal(await rememberedConsent(ctx, again), undefined);
        assert.equal(
          (await listConsents(ctx.db, { environmentId: ENVIRONMENT, userId, limit: 10 })).length,
          3,
          'what was allowed stays',
        );
      },
    );

    await t.test('a withdrawn consent is neither used nor written again (AS-134)', async () => {
      await revokeConsent(ctx, { consentId: id, userId, because: 'user' });
      assert.equal(await rememberedConsent(ctx, { ...decided, scopes: ['todo:read'] }), undefined);
      assert.notEqual(await saveConsent(ctx, { ...decided, remembered: true }), id);
      const live = await listConsents(ctx.db, {
        environmentId: ENVIRONMENT,
        clientId,
        mcpServerId: serverId,
        limit: 10,
      });
      assert.equal(
        live.some((consent) => consent.id === id),
        false,
      );
      assert.equal(live.length, 3);
    });
  });
}
