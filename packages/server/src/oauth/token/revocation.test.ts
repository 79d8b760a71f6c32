import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { endGrantsOfUser } from '../../grants/grants.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { sql } from '../../storage/db.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  eventsOf,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  refresh,
  revocationsOf,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let client: TestClient;
let confidential: TestClient;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
  confidential = await makeClient(site, {
    mcpServerId: server.id,
    tokenEndpointAuthMethod: 'client_secret_post',
  });
});

type Tokens = { access: string; refresh: string; id: string; userId: string };
async function tokensOf(
  who = client,
  credentials: Record<string, string> = {},
  scopes = ['todo:read', 'openid', 'email'],
): Promise<Tokens> {
  const code = await makeCode(site, { server, client: who, scopes });
  const { body, status, text } = await redeem(server.issuer, code, who, credentials);
  assert.equal(status, 200, text);
  return {
    access: String(body['access_token']),
    refresh: String(body['refresh_token']),
    id: String(body['id_token']),
    userId: code.userId,
  };
}
const revoke = (
  token: string | undefined,
  who: TestClient,
  fields: Record<string, string> = {},
  issuer = server.issuer,
) => post(`${issuer}/oauth/revoke`, { token, client_id: who.id, ...fields });
const introspect = (token: string, who: TestClient, issuer = server.issuer) =>
  post(`${issuer}/oauth/introspect`, { token, client_id: who.id, client_secret: who.secret });
const done = (answer: Answer) => assert.deepEqual([answer.status, answer.text], [200, '']);
const jtis = async () =>
  (await revocationsOf(site, server.id))
    .filter(({ kind }) => kind === 'jti')
    .map(({ value }) => value);

test('a public client revokes its own refresh token, and with it the whole grant (AS-122)', async () => {
  const tokens = await tokensOf();
  done(await revoke(tokens.refresh, client, { token_type_hint: 'access_token' }));
  assert.equal(
    (await refresh(server.issuer, tokens.refresh, client)).body['error'],
    'invalid_grant',
  );
  const { rvk } = decodeJwt(tokens.access);
  const values = (await revocationsOf(site, server.id)).map(({ value }) => value);
  assert.ok(Array.isArray(rvk) && values.includes(rvk[0]));
  assert.equal((await eventsOf(site, 'token.revoked')).at(-1)?.user_id, tokens.userId);
  done(await revoke(tokens.refresh, client));
});

test('an access token is revoked alone, once (AS-122)', async () => {
  const tokens = await tokensOf();
  done(await revoke(tokens.access, client, { token_type_hint: 'refresh_token' }));
  done(await revoke(tokens.access, client));
  assert.equal((await jtis()).filter((jti) => jti === decodeJwt(tokens.access).jti).length, 1);
  assert.equal((await refresh(server.issuer, tokens.refresh, client)).status, 200);
});

test('unknown tokens, ID tokens and those of others are answered 200 and nothing happens (AS-7, AS-122)', async () => {
  const other = await makeClient(site, { mcpServerId: server.id });
  const elsewhere = await makeServer(site);
  const foreign = await makeClient(site, { mcpServerId: elsewhere.id });
  const tokens = await tokensOf();
  const before = await jtis();
  for (const token of ['x', `rt_${'A'.repeat(43)}`, tokens.id]) done(await revoke(token, client));
  for (const token of [tokens.access, tokens.refresh]) {
    done(await revoke(token, other));
    done(await revoke(token, foreign, {}, elsewhere.issuer));
  }
  done(await revoke(tokens.refresh, client, {}, site.E));
  assert.deepEqual(await jtis(), before);
  assert.equal((await refresh(server.issuer, tokens.refresh, client)).status, 200);
});

test('revocation needs a token, a known client, and the method the grant began with (AS-76, AS-122)', async () => {
  assert.equal((await revoke(undefined, client)).body['error'], 'invalid_request');
  assert.equal((await revoke('x', { id: 'm2m_1234567890123456789', secret: '' })).status, 401);
  const tokens = await tokensOf(confidential, { client_secret: confidential.secret });
  for (const token of [tokens.access, tokens.refresh]) {
    assert.deepEqual(
      [
        (await revoke(token, confidential)).status,
        (await revoke(token, confidential, { client_secret: 'wrong' })).status,
      ],
      [401, 401],
    );
  }
  // Registered as public since: the grant still remembers how it began.
  await site.ctx.db.rows(
    sql`update clients set token_endpoint_auth_method = 'none', row_version = row_version + 1 where id = ${confidential.id}`,
  );
  for (const token of [tokens.access, tokens.refresh])
    assert.equal((await revoke(token, confidential)).status, 401);
  await site.ctx.db.rows(
    sql`update clients set token_endpoint_auth_method = 'client_secret_post', row_version = row_version + 1 where id = ${confidential.id}`,
  );
  done(await revoke(tokens.refresh, confidential, { client_secret: confidential.secret }));
});

test('a server may ask public clients not to revoke (AS-122)', async () => {
  const closed = await makeServer(site, { settings: { revokePublicClients: false } });
  const its = await makeClient(site, { mcpServerId: closed.id });
  const answer = await revoke('x', its, {}, closed.issuer);
  assert.deepEqual([answer.status, answer.body['error']], [401, 'invalid_client']);
});

test('introspection shows tokens of a server to those who may see them, and their own to other clients (AS-123)', async () => {
  const tokens = await tokensOf();
  const mine = await tokensOf(confidential, { client_secret: confidential.secret });
  const environment = await makeClient(site, {
    mcpServerId: undefined,
    kind: 'environment',
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const gateway = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
    settings: { introspect: true },
  });
  const named = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const sibling = await makeServer(site);
  const siblings = await makeClient(site, {
    mcpServerId: sibling.id,
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
    settings: { introspect: true },
  });
  const pretender = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'dynamic',
    tokenEndpointAuthMethod: 'client_secret_post',
    settings: { introspect: true },
  });

  for (const [who, issuer] of [
    [environment, server.issuer],
    [environment, site.E],
    [gateway, server.issuer],
    [gateway, site.E],
  ] as const) {
    const { body, headers } = await introspect(tokens.access, who, issuer);
    assert.deepEqual(
      [body['active'], body['client_id'], body['scope'], body['token_type'], 'rvk' in body],
      [true, client.id, 'todo:read openid email', 'Bearer', false],
    );
    assert.equal(headers.get('cache-control'), 'no-store');
  }
  assert.equal((await introspect(tokens.access, named)).text, '{"active":false}');
  await changeMcpServer(site.ctx, server.id, { settings: { introspectionClientIds: [named.id] } });
  assert.equal((await introspect(tokens.access, named)).body['active'], true);
  assert.equal((await introspect(mine.access, confidential)).body['active'], true, 'its own');

  const hidden: readonly (readonly [string, string, TestClient, string])[] = [
    ["another client's token", tokens.access, confidential, server.issuer],
    [
      "another client's token, to a self-registered one with the switch",
      tokens.access,
      pretender,
      server.issuer,
    ],
    ["a sibling server's credential at its own issuer", tokens.access, siblings, sibling.issuer],
    ["a sibling server's credential at E", tokens.access, siblings, site.E],
    ['a refresh token, to a resource server', tokens.refresh, gateway, server.issuer],
    ['a refresh token, to the environment', tokens.refresh, environment, site.E],
    ['an ID token', tokens.id, gateway, server.issuer],
    ['nonsense', 'x', gateway, server.issuer],
    ['a token of another server at this one', tokens.access, environment, sibling.issuer],
  ];
  for (const [what, token, who, issuer] of hidden) {
    const answer = await introspect(token, who, issuer);
    assert.deepEqual([answer.status, answer.text], [200, '{"active":false}'], what);
  }
  assert.equal(
    (await introspect(mine.refresh, confidential)).body['active'],
    true,
    'its own refresh token',
  );
});

test('introspection is for clients that authenticate (AS-123)', async () => {
  const tokens = await tokensOf();
  const publicly = await post(`${server.issuer}/oauth/introspect`, {
    token: tokens.access,
    client_id: client.id,
  });
  assert.deepEqual([publicly.status, publicly.body['error']], [401, 'invalid_client']);
  assert.equal((await introspect(tokens.access, { ...confidential, secret: 'wrong' })).status, 401);
});

test('a token is inactive once revoked, by whatever way, or expired (AS-123, AS-124)', async () => {
  const watcher = await makeClient(site, {
    mcpServerId: server.id,
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
    settings: { introspect: true },
  });
  const active = async (token: string) => (await introspect(token, watcher)).body['active'];
  const ways: Record<string, (tokens: Tokens) => Promise<unknown>> = {
    'its jti': ({ access }) => revoke(access, client),
    'its grant': ({ refresh: token }) => revoke(token, client),
    'its person': ({ userId }) => endGrantsOfUser(site.ctx, { userId, because: 'test' }),
    'its end': async () => {
      site.clock.ahead += 3_700_000;
    },
  };
  for (const [what, end] of Object.entries(ways)) {
    const tokens = await tokensOf();
    assert.equal(await active(tokens.access), true);
    await end(tokens);
    assert.equal(await active(tokens.access), false, what);
  }
  const tokens = await tokensOf();
  const forged = await signJwt(site.ctx, {
    typ: 'at+jwt',
    claims: { ...decodeJwt(tokens.access), jti: undefined },
  });
  assert.equal(await active(forged), false, 'without jti it is not ours');
});

test('a retired refresh token is not active, whatever its grace (AS-123)', async () => {
  const mine = await tokensOf(confidential, { client_secret: confidential.secret });
  const next = await refresh(server.issuer, mine.refresh, confidential, {
    client_secret: confidential.secret,
  });
  assert.equal((await introspect(mine.refresh, confidential)).text, '{"active":false}');
  assert.equal(
    (await introspect(String(next.body['refresh_token']), confidential)).body['active'],
    true,
  );
});
