import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteClient, updateClient } from '../../clients/manage-clients.ts';
import { endGrantsOfUser, revokeConsent } from '../../grants/grants.ts';
import { disablePerson, revokeSession } from '../../login/end-access.ts';
import { changeMcpServer, deleteMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { endAllSessions } from '../../operations/end-all-sessions.ts';
import { revokeIssuedBefore } from '../../operations/revoke-issued-before.ts';
import { withdrawSigningKeys } from '../../operations/withdraw-keys.ts';
import { withDb } from '../../runtime/context.ts';
import { engines } from '../../testing/databases.ts';
import { enableUser } from '../../users/users.ts';
import { makeServer, post, redeem, refresh } from '../token/test-site.ts';
import {
  type Connection,
  connect,
  type FeedSite,
  feedOf,
  isRefused,
  startFeedSite,
} from './test-feed.ts';

// What ends is in the feed, with the token that it is about, and nobody else's token.

type Server = Awaited<ReturnType<typeof makeServer>>;
type Case = {
  readonly name: string;
  readonly end: (site: FeedSite, server: Server, mine: Connection) => Promise<unknown>;
  /** Tokens of other people and clients end as well. */
  readonly everybody?: boolean;
};

const revocation = (server: Server, { client }: Connection, token: string): Promise<unknown> =>
  post(`${server.issuer}/oauth/revoke`, { token, client_id: client.id });

const CASES: readonly Case[] = [
  {
    name: 'a person withdraws a consent (AS-134)',
    end: ({ ctx }, _server, { consentId, userId }) =>
      revokeConsent(ctx, { consentId, userId, because: 'person' }),
  },
  {
    name: 'a client revokes its refresh token (AS-122)',
    end: (_site, server, mine) => revocation(server, mine, mine.refresh),
  },
  {
    name: 'a client revokes its access token (AS-122)',
    end: (_site, server, mine) => revocation(server, mine, mine.access),
  },
  {
    name: 'a person is disabled (AS-114)',
    end: ({ ctx }, _server, { userId }) => disablePerson(ctx, userId),
  },
  {
    name: 'a client is disabled (AS-114)',
    end: ({ ctx }, _server, { client }) => updateClient(ctx, client.id, { enabled: false }),
  },
  {
    name: 'a client is deleted (AS-68)',
    end: ({ ctx }, _server, { client }) => deleteClient(ctx, client.id),
  },
  {
    name: 'an administrator revokes the session (AS-114)',
    end: ({ ctx }, _server, { sessionId }) => revokeSession(ctx, sessionId),
  },
  {
    name: 'the operator ends all sessions of a person (AS-154)',
    end: ({ ctx }, _server, { userId }) => endAllSessions(ctx, { userId }),
  },
  {
    name: 'a refresh token is stolen and used after its grace (AS-110)',
    end: async ({ gatewarden }, server, { client, refresh: token }) => {
      assert.equal((await refresh(server.issuer, token, client)).status, 200);
      gatewarden.clock.advance({ seconds: 121 });
      assert.equal((await refresh(server.issuer, token, client)).status, 400);
    },
  },
  {
    name: 'a code is replayed (AS-96)',
    end: async ({ gatewarden }, server, { client, code }) => {
      gatewarden.clock.advance({ seconds: 11 });
      assert.equal((await redeem(server.issuer, code, client)).status, 400);
    },
  },
  {
    name: 'the operator revokes what a person was issued before now (AS-154)',
    end: ({ ctx }, _server, { userId }) => revokeIssuedBefore(ctx, { userId, before: ctx.now() }),
  },
  {
    name: 'the operator revokes what a client was issued before now (AS-154)',
    end: ({ ctx }, _server, { client }) =>
      revokeIssuedBefore(ctx, { clientId: client.id, before: ctx.now() }),
  },
  {
    name: 'the operator revokes what was issued for the server before now (AS-154)',
    end: ({ ctx }, server) =>
      revokeIssuedBefore(ctx, { mcpServerId: server.id, before: ctx.now() }),
    everybody: true,
  },
  {
    name: 'the operator revokes everything issued before now (AS-154)',
    end: ({ ctx }) => revokeIssuedBefore(ctx, { before: ctx.now() }),
    everybody: true,
  },
  {
    name: 'the signing keys are withdrawn (AS-18)',
    end: ({ ctx }) => withdrawSigningKeys(ctx),
    everybody: true,
  },
  {
    name: 'the server is disabled (AS-13)',
    end: ({ ctx }, server) => changeMcpServer(ctx, server.id, { enabled: false }),
    everybody: true,
  },
  {
    name: 'the server is deleted (AS-13)',
    end: ({ ctx }, server) => deleteMcpServer(ctx, server.id),
    everybody: true,
  },
];

const kidOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

for (const engine of engines) {
  test(`whatever ends is in the feed within a second, and nothing else is (AS-124) (${engine})`, async (t) => {
    const site = await startFeedSite(t, { engine });
    for (const { name, end, everybody = false } of CASES) {
      await t.test(name, async () => {
        const server = await makeServer(site);
        const [mine, other] = [await connect(site, server), await connect(site, server)];
        const { cursor, document: before } = await feedOf(site, server.id);
        assert.equal(isRefused(before, mine.access, kidOf(mine.access)), false);
        const poll = feedOf(site, server.id, `?after=${cursor}&wait=20`);
        const from = performance.now();
        await end(site, server, mine);
        const { document } = await poll;
        assert.ok(performance.now() - from < 2500, String(performance.now() - from));
        assert.equal(isRefused(document, mine.access, kidOf(mine.access)), true);
        assert.equal(isRefused(document, other.access, kidOf(other.access)), everybody);
        for (const entry of document.entries) assert.ok(entry.until > document.iat);
      });
    }
  });

  test(`an ending that is undone tells nobody (AS-124) (${engine})`, async (t) => {
    const site = await startFeedSite(t, { engine });
    const { ctx } = site;
    const server = await makeServer(site);
    const mine = await connect(site, server);
    await assert.rejects(
      ctx.db.transaction(async (tx) => {
        await endGrantsOfUser(withDb(ctx, tx), { userId: mine.userId, because: 'test' });
        throw new Error('undo');
      }),
    );
    const { document } = await feedOf(site, server.id);
    assert.deepEqual([document.seq, document.entries], [0, []]);
    assert.equal((await refresh(server.issuer, mine.refresh, mine.client)).status, 200);
  });
}

test('who is let in again gets new handles, which the old entries do not refuse (AS-124, AS-114)', async (t) => {
  const site = await startFeedSite(t);
  const { ctx } = site;
  const server = await makeServer(site);
  const first = await connect(site, server);
  await disablePerson(ctx, first.userId);
  await enableUser(ctx, first.userId);
  const person = await connect(site, server, { userId: first.userId });
  await updateClient(ctx, person.client.id, { enabled: false });
  await updateClient(ctx, person.client.id, { enabled: true });
  const client = await connect(site, server, { userId: first.userId, client: person.client });
  await withdrawSigningKeys(ctx);
  const key = await connect(site, server);
  await new Promise((done) => setTimeout(done, 300));

  const { document } = await feedOf(site, server.id);
  const refused = [first, person, client, key].map(({ access }) =>
    isRefused(document, access, kidOf(access)),
  );
  assert.deepEqual(refused, [true, true, true, false], 'the third by its key only');
  const withoutKeys = { ...document, entries: document.entries.filter((entry) => !entry.kid) };
  assert.equal(isRefused(withoutKeys, client.access), false);
  assert.equal(isRefused(withoutKeys, person.access), true);
});

test('a server that is switched on again goes on with the feed it had, and a deleted one keeps its own (AS-13, AS-124)', async (t) => {
  const site = await startFeedSite(t);
  const { ctx, gatewarden } = site;
  const server = await makeServer(site);
  const old = await connect(site, server);
  await changeMcpServer(ctx, server.id, { enabled: false });
  await new Promise((done) => setTimeout(done, 300));
  const disabled = await feedOf(site, server.id);
  assert.equal(disabled.document.entries.length, 1);
  await changeMcpServer(ctx, server.id, { enabled: true });
  gatewarden.clock.advance({ seconds: 2 });
  const fresh = await connect(site, server);
  const enabled = await feedOf(site, server.id);
  assert.equal(enabled.cursor, disabled.cursor);
  assert.equal(isRefused(enabled.document, old.access), true);
  assert.equal(isRefused(enabled.document, fresh.access), false);
  await deleteMcpServer(ctx, server.id);
  gatewarden.clock.advance({ seconds: 3 });
  const deleted = await feedOf(site, server.id, `?after=${enabled.cursor}`);
  assert.equal(deleted.document.seq, 2);
  assert.equal(isRefused(deleted.document, fresh.access), true);
});
