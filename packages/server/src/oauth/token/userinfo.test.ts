import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { endGrantsOfUser } from '../../grants/grants.ts';
import { sql } from '../../storage/db.ts';
import {
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  redeem,
  type Site,
  startSite,
  type TestCode,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;

before(async () => {
  site = await startSite(atTheEnd);
});

type Seen = { status: number; challenge: string | null; body: Record<string, unknown> };

async function userinfo(url: string, token: unknown, method = 'GET'): Promise<Seen> {
  const response = await fetch(url, {
    method,
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  const body: unknown = await response.json();
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: body as Record<string, unknown>,
  }; // always an object
}

async function application(
  scopes: readonly string[],
): Promise<{ token: unknown; idToken: unknown; code: TestCode }> {
  const client = await makeClient(site, {
    kind: 'application',
    registration: 'admin',
    mcpServerId: undefined,
  });
  const code = await makeCode(site, { server: undefined, client, scopes });
  const { body } = await redeem(site.E, code, client);
  return { token: body['access_token'], idToken: body['id_token'], code };
}

test("an application's token shows what its scopes open, at both addresses and by both methods (AS-125)", async () => {
  const { token, code } = await application(['openid', 'email', 'profile']);
  for (const path of ['/userinfo', '/oauth/userinfo']) {
    for (const method of ['GET', 'POST']) {
      const { status, body } = await userinfo(`${site.E}${path}`, token, method);
      assert.deepEqual(
        [status, body['sub'], body['name'], body['email_verified']],
        [200, code.userId, 'Ada Lovelace', true],
      );
    }
  }
  const { body } = await userinfo(`${site.E}/userinfo`, (await application(['openid'])).token);
  assert.deepEqual(Object.keys(body), ['sub']);
});

test('no token is 401 without an error; a token without openid is 403 (RFC 6750 section 3.1)', async () => {
  const none = await userinfo(`${site.E}/userinfo`, undefined);
  assert.deepEqual([none.status, none.challenge], [401, 'Bearer realm="OAuth"']);
  const { token } = await application(['email']);
  const without = await userinfo(`${site.E}/userinfo`, token);
  assert.equal(without.status, 403);
  assert.match(without.challenge ?? '', /error="insufficient_scope"/);
});

test('a token for an MCP server is not a token for us, openid or not; neither is an ID token (AS-125, AS-145)', async () => {
  const server = await makeServer(site);
  const client = await makeClient(site, { mcpServerId: server.id });
  const { body } = await redeem(
    server.issuer,
    await makeCode(site, { server, client, scopes: ['openid', 'email'] }),
    client,
  );
  for (const token of [body['access_token'], body['id_token'], 'nonsense']) {
    const { status, challenge } = await userinfo(`${site.E}/userinfo`, token);
    assert.equal(status, 401);
    assert.match(challenge ?? '', /^Bearer .*error="invalid_token"/);
  }
  assert.equal(
    (await userinfo(`${server.issuer}/oauth/userinfo`, body['access_token'])).status,
    404,
  );
});

test('a server may open userinfo for its own tokens, and for no others (AS-125)', async () => {
  const open = await makeServer(site, { settings: { userinfoForMcp: true } });
  const client = await makeClient(site, { mcpServerId: open.id });
  const code = await makeCode(site, { server: open, client, scopes: ['openid', 'email'] });
  const token = (await redeem(open.issuer, code, client)).body['access_token'];
  const url = `${open.issuer}/oauth/userinfo`;
  assert.equal((await userinfo(url, token)).body['sub'], code.userId);
  assert.equal((await userinfo(url, (await application(['openid'])).token)).status, 401);
  await endGrantsOfUser(site.ctx, { userId: code.userId, because: 'test' });
  assert.equal((await userinfo(url, token)).status, 401, 'revoked');
});

test("an application's token ends with the session and the person (AS-125)", async () => {
  const first = await application(['openid']);
  await site.ctx.db.rows(
    sql`update sessions set ended_at = now(), ended_because = 'signed-out' where id = ${first.code.sessionId}`,
  );
  assert.equal((await userinfo(`${site.E}/userinfo`, first.token)).status, 401);
  const second = await application(['openid']);
  await site.ctx.db.rows(sql`update users set enabled = false where id = ${second.code.userId}`);
  assert.equal((await userinfo(`${site.E}/userinfo`, second.token)).status, 401);
});
