import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { updateClient } from '../../clients/manage-clients.ts';
import { revokeConsent } from '../../grants/grants.ts';
import { disablePerson, revokeSession } from '../../login/end-access.ts';
import { sql } from '../../storage/db.ts';
import {
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  post,
  redeem,
  type Site,
  startSite,
  type TestClient,
  type TestCode,
} from './test-site.ts';

// Tokens of applications have no server and so no feed: what ends their grant ends them here, at introspection and userinfo.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
before(async () => {
  site = await startSite(atTheEnd);
});

type Made = { client: TestClient; code: TestCode; access: string; refresh: string };

async function application(client?: TestClient, code?: Partial<TestCode>): Promise<Made> {
  const app =
    client ??
    (await makeClient(site, {
      kind: 'application',
      registration: 'admin',
      mcpServerId: undefined,
      tokenEndpointAuthMethod: 'client_secret_post',
    }));
  const made = await makeCode(site, {
    server: undefined,
    client: app,
    scopes: ['openid', 'offline_access'],
    ...code,
  });
  const { body } = await redeem(site.E, made, app, { client_secret: app.secret });
  return {
    client: app,
    code: made,
    access: String(body['access_token']),
    refresh: String(body['refresh_token']),
  };
}

async function seen({ client, access }: Made): Promise<[active: unknown, userinfo: number]> {
  const { body } = await post(`${site.E}/oauth/introspect`, {
    token: access,
    client_id: client.id,
    client_secret: client.secret,
  });
  const { status } = await fetch(`${site.E}/userinfo`, {
    headers: { authorization: `Bearer ${access}` },
  });
  return [body['active'], status];
}

const ENDINGS: { how: string; end: (made: Made) => Promise<unknown> }[] = [
  {
    how: 'its refresh token was revoked',
    end: ({ client, refresh }) =>
      post(`${site.E}/oauth/revoke`, {
        token: refresh,
        client_id: client.id,
        client_secret: client.secret,
      }),
  },
  {
    how: 'its code was used again later',
    end: async ({ client, code }) => {
      site.clock.ahead += 11_000;
      await redeem(site.E, code, client, { client_secret: client.secret });
    },
  },
  {
    how: 'the consent was withdrawn',
    end: ({ code }) => revokeConsent(site.ctx, { consentId: code.consentId, because: 'person' }),
  },
  { how: 'the person was disabled', end: ({ code }) => disablePerson(site.ctx, code.userId) },
  {
    how: 'the client was disabled and enabled again',
    end: async ({ client }) => {
      await updateClient(site.ctx, client.id, { enabled: false });
      await updateClient(site.ctx, client.id, { enabled: true });
    },
  },
  {
    how: 'an administrator ended the session',
    end: ({ code }) => revokeSession(site.ctx, code.sessionId),
  },
  {
    how: 'the person signed out',
    end: ({ code }) =>
      site.ctx.db.rows(
        sql`update sessions set ended_at = now(), ended_because = 'signed-out' where id = ${code.sessionId}`,
      ),
  },
];

for (const { how, end } of ENDINGS) {
  test(`an application's access token is over when ${how} (AS-96, AS-114, AS-122, AS-123, FSA-49)`, async () => {
    const made = await application();
    assert.deepEqual(await seen(made), [true, 200]);
    await end(made);
    assert.deepEqual(await seen(made), [false, 401]);
  });
}

test('a later sign-in of the same application, or another one, does not keep a revoked token alive (AS-122)', async () => {
  const first = await application();
  site.clock.ahead += 2000;
  const { userId, sessionId } = first.code;
  const later = await application(first.client, { userId, sessionId });
  const other = await application(undefined, { userId, sessionId });
  await post(`${site.E}/oauth/revoke`, {
    token: first.refresh,
    client_id: first.client.id,
    client_secret: first.client.secret,
  });
  assert.deepEqual(await seen(first), [false, 401]);
  assert.deepEqual(
    [await seen(later), await seen(other)],
    [
      [true, 200],
      [true, 200],
    ],
  );
});
