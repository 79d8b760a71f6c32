import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  engines,
  pkce,
  register,
  sql,
  type TestGatewarden,
} from '@gatewarden/server/testing';
import { vendorSite } from './vendor-site.ts';

const CALLBACK = 'http://127.0.0.1:7777/cb';

async function refusedAs(name: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
}

/** Somebody signs in, in a new browser, to allow a client something. */
async function signIn({ url, origin, mcpServer }: TestGatewarden): Promise<() => Promise<void>> {
  const server = await mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const { body } = await register(url, server.id, {
    client_name: 'Test client',
    redirect_uris: [CALLBACK],
    token_endpoint_auth_method: 'none',
  });
  const target = authorizeUrl(`${url}/resources/${server.id}`, {
    client_id: String(body['client_id']),
    redirect_uri: CALLBACK,
    code_challenge: pkce().challenge,
    state: 'st',
    scope: 'todo:read',
  });
  return async () => {
    await authorizeWith(cookieBrowser(origin), target, 'vendor+sktest@example.com');
  };
}

const NOT_FOUND = 'ScalekitNotFoundException';
const BAD_REQUEST = 'ScalekitBadRequestException';

for (const engine of engines)
  test(`the vendor's unchanged SDK reads and revokes sessions (contract: SessionService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const again = await signIn(gatewarden);
    for (let times = 0; times < 3; times += 1) await again();
    const [person] = await gatewarden.database.rows<{ id: string }>(sql`select id from users`);
    const userId = person?.id ?? '';
    const { sessions, totalSize } = await sdk.session.getUserSessions(userId, {
      pageSize: 2,
      filter: { status: ['active'], startTime: new Date(Date.now() - 3_600_000) },
    });
    assert.deepEqual([sessions.length, totalSize], [2, 3]);
    const newest = sessions[0] ?? assert.fail('no session');
    const session = await sdk.session.getSession(newest.sessionId);
    assert.deepEqual(
      [session.sessionId, session.userId, session.status],
      [newest.sessionId, userId, 'active'],
    );
    assert.ok(session.device?.ip);
    const { revokedSession } = await sdk.session.revokeSession(newest.sessionId);
    assert.equal(revokedSession?.status, 'revoked');
    assert.ok(revokedSession?.expiredAt);
    assert.equal((await sdk.session.getSession(newest.sessionId)).status, 'revoked');
    await refusedAs(BAD_REQUEST, sdk.session.revokeSession(newest.sessionId));
    const all = await sdk.session.revokeAllUserSessions(userId);
    assert.deepEqual([all.totalRevoked, all.revokedSessions.length], [2, 2]);
    assert.equal((await sdk.session.revokeAllUserSessions(userId)).totalRevoked, 0);
    const left = await sdk.session.getUserSessions(userId, { filter: { status: ['active'] } });
    assert.deepEqual(left.sessions, []);

    await refusedAs(NOT_FOUND, sdk.session.getSession('ses_100000000000000000'));
    await refusedAs(NOT_FOUND, sdk.session.revokeSession('ses_100000000000000000'));
    await refusedAs(NOT_FOUND, sdk.session.getUserSessions('usr_100000000000000000'));
    await refusedAs(NOT_FOUND, sdk.session.revokeAllUserSessions('usr_100000000000000000'));
    await refusedAs(BAD_REQUEST, sdk.session.getSession('invalid'));
    await refusedAs(BAD_REQUEST, sdk.session.getUserSessions('invalid'));
  });
