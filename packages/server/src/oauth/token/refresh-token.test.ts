import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { eraseSalts } from '../../grants/clean-up.job.ts';
import { endGrantsOfUser } from '../../grants/grants.ts';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { sql } from '../../storage/db.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  eventsOf,
  makeClient,
  makeCode,
  makeServer,
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

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
});

type Family = {
  readonly first: string;
  readonly userId: string;
  readonly consentId: string;
  readonly sessionId: string;
  readonly accessToken: string;
};

async function family(
  options: Partial<Parameters<typeof makeCode>[1]> & { method?: Record<string, string> } = {},
): Promise<Family> {
  const { method, ...rest } = options;
  const code = await makeCode(site, { server, client, ...rest });
  const answer = await redeem((rest.server ?? server).issuer, code, rest.client ?? client, {
    ...method,
    redirect_uri: undefined,
  });
  assert.equal(answer.status, 200, answer.text);
  return {
    ...code,
    first: String(answer.body['refresh_token']),
    accessToken: String(answer.body['access_token']),
  };
}

const next = async (
  token: string,
  ...rest: [Record<string, string>?, Record<string, string>?]
): Promise<string> => {
  const answer = await refresh(server.issuer, token, client, ...rest);
  assert.equal(answer.status, 200, answer.text);
  return String(answer.body['refresh_token']);
};
const refused = (answer: Answer, error = 'invalid_grant', status = 400) =>
  assert.deepEqual([answer.status, answer.body['error']], [status, error]);
const from = (address: string, agent: string) => ({
  'x-forwarded-for': address,
  'user-agent': agent,
});

test('each use gives a new token, and the old one the same successor while its grace lasts (AS-107, AS-108, AS-109)', async () => {
  const { first } = await family();
  const second = await next(first);
  assert.notEqual(second, first);
  assert.equal(await next(first), second);
  const third = await next(second);
  assert.equal(await next(first), third, 'two generations on');
  assert.equal(await next(second), third);
  site.clock.ahead += 119_000;
  assert.equal(await next(second), third, 'late, but within the grace');
  const graces = await eventsOf(site, 'refresh_token_grace');
  assert.equal(graces.length >= 4, true);
  assert.equal(graces.at(-1)?.address, '127.0.0.1');
  assert.equal(graces.at(-1)?.data['rotatedFrom'], '127.0.0.1', 'the addresses of both calls');
});

test('the answer within the grace has an access token and does not extend the idle time (AS-109)', async () => {
  const short = await makeServer(site, { refreshIdleLifetime: 100 });
  const its = await makeClient(site, { mcpServerId: short.id });
  const { first } = await family({ server: short, client: its });
  const rotated = await refresh(short.issuer, first, its);
  site.clock.ahead += 60_000;
  const again = await refresh(short.issuer, first, its);
  assert.equal(again.body['refresh_token'], rotated.body['refresh_token']);
  assert.equal(typeof again.body['access_token'], 'string');
  site.clock.ahead += 41_000;
  refused(await refresh(short.issuer, rotated.body['refresh_token'], its));
});

const reuses: Record<string, Record<string, string | readonly string[]>> = {
  'a valid request': {},
  'a bad scope': { scope: 'x' },
  'a malformed scope': { scope: '"' },
  'a repeated parameter': { scope: ['todo:read', 'todo:read'] },
  'a foreign resource': { resource: 'https://elsewhere.example/mcp' },
};
for (const [what, fields] of Object.entries(reuses)) {
  test(`a refresh token replayed after its grace with ${what} ends its family (AS-110, RFC 9700 section 4.14.2)`, async () => {
    const { first, accessToken, userId } = await family();
    const second = await next(first);
    site.clock.ahead += 121_000;
    refused(await refresh(server.issuer, first, client, fields));
    refused(await refresh(server.issuer, second, client));
    const { rvk } = decodeJwt(accessToken);
    const revoked = (await revocationsOf(site, server.id)).map(({ value }) => value);
    assert.ok(Array.isArray(rvk) && revoked.includes(rvk[0]), 'its access tokens are revoked');
    assert.equal((await eventsOf(site, 'refresh_token_reuse')).at(-1)?.user_id, userId);
  });
}

test('a replay after the salts are erased is still a replay (AS-110)', async () => {
  const { first } = await family();
  const second = await next(first);
  site.clock.ahead += 121_000;
  await eraseSalts(site.app);
  refused(await refresh(server.issuer, first, client));
  refused(await refresh(server.issuer, second, client));
});

test('refusals do not tell a retired token from the current one (AS-109)', async () => {
  const { first } = await family({ scopes: ['todo:read'] });
  const second = await next(first);
  for (const fields of [
    { scope: 'todo:write' },
    { scope: 'x' },
    { scope: '"' },
    { resource: 'https://elsewhere.example' },
    { resource: 'nonsense' },
  ]) {
    const retired = await refresh(server.issuer, first, client, fields);
    const current = await refresh(server.issuer, second, client, fields);
    assert.deepEqual([retired.status, retired.text], [current.status, current.text]);
    assert.equal(retired.status, 400);
    const headers = (answer: Answer) =>
      [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
    assert.deepEqual(headers(retired), headers(current));
  }
  assert.equal(await next(first), second, 'nothing was used up');
});

test('unknown, foreign and ended tokens get one answer (AS-112)', async () => {
  const other = await makeClient(site, { mcpServerId: server.id });
  const { first } = await family();
  const { first: ended, userId } = await family();
  await endGrantsOfUser(site.ctx, { userId, because: 'test' });
  const answers = [
    await refresh(server.issuer, `rt_${'A'.repeat(43)}`, client),
    await refresh(server.issuer, 'nonsense', client),
    await refresh(server.issuer, first, other),
    await refresh(server.issuer, ended, client),
  ];
  for (const answer of answers)
    assert.deepEqual([answer.status, answer.text], [400, answers[0]?.text]);
  assert.equal(answers[0]?.body['error'], 'invalid_grant');
});

test("another client's use of a token, retired or not, is refused without an alarm (AS-7, AS-112)", async () => {
  const other = await makeClient(site, { mcpServerId: server.id });
  const elsewhere = await makeServer(site);
  const foreign = await makeClient(site, { mcpServerId: elsewhere.id });
  const { first } = await family();
  const second = await next(first);
  site.clock.ahead += 200_000;
  const alarms = (await eventsOf(site, 'refresh_token_reuse')).length;
  for (const token of [first, second]) {
    refused(await refresh(server.issuer, token, other));
    refused(await refresh(elsewhere.issuer, token, foreign));
    refused(await refresh(elsewhere.issuer, token, client), 'invalid_client', 401);
    refused(await refresh(site.E, token, client));
  }
  assert.equal((await eventsOf(site, 'refresh_token_reuse')).length, alarms);
  await next(second);
});

test('scope narrows one access token and never widens; the family keeps its scopes (AS-46, AS-113)', async () => {
  const { first } = await family({ scopes: ['todo:read', 'openid'] });
  const narrow = await refresh(server.issuer, first, client, { scope: 'todo:read' });
  assert.deepEqual([narrow.body['scope'], 'id_token' in narrow.body], ['todo:read', false]);
  assert.deepEqual(decodeJwt(String(narrow.body['access_token']))['scopes'], ['todo:read']);
  refused(
    await refresh(server.issuer, narrow.body['refresh_token'], client, {
      scope: 'todo:read todo:write',
    }),
    'invalid_scope',
  );
  const all = await refresh(server.issuer, narrow.body['refresh_token'], client);
  assert.equal(all.body['scope'], 'todo:read openid');
  const idToken = decodeJwt(String(all.body['id_token']));
  assert.equal(idToken['nonce'], undefined);
});

test('resource on refresh keeps the audience (AS-39)', async () => {
  const { first } = await family();
  const url = server.serverUrl ?? '';
  const answer = await refresh(server.issuer, first, client, { resource: `${url}/below` });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(decodeJwt(String(answer.body['access_token'])).aud, [url, server.id]);
  refused(
    await refresh(server.issuer, answer.body['refresh_token'], client, {
      resource: url.replace('/mcp', '/other'),
    }),
    'invalid_target',
  );
  await next(String(answer.body['refresh_token']));
});

test('from another network and another program a retired token is noticed, and in strict mode a replay (AS-109)', async () => {
  const lenient = await family();
  const second = await next(lenient.first, {}, from('198.51.100.9', 'editor/1'));
  assert.equal(await next(lenient.first, {}, from('203.0.113.5', 'other/2')), second);
  assert.equal(
    (await eventsOf(site, 'refresh_token_grace_foreign')).at(-1)?.data['rotatedFrom'],
    '198.51.100.9',
  );

  await changeMcpServer(site.ctx, server.id, { settings: { refreshGraceStrict: true } });
  const strict = await family();
  const rotated = await next(strict.first, {}, from('198.51.100.9', 'editor/1'));
  assert.equal(
    await next(strict.first, {}, from('198.51.100.77', 'other/2')),
    rotated,
    'the same /24',
  );
  assert.equal(
    await next(strict.first, {}, from('203.0.113.5', 'editor/1')),
    rotated,
    'the same program',
  );
  refused(
    await refresh(
      server.issuer,
      strict.first,
      client,
      { scope: 'x' },
      from('203.0.113.5', 'other/2'),
    ),
  );
  refused(await refresh(server.issuer, rotated, client));
  await changeMcpServer(site.ctx, server.id, { settings: { refreshGraceStrict: false } });
});

test('strict mode is the default where every redirect URI is loopback or private-use (AS-109)', async () => {
  const there = await makeServer(site);
  for (const [redirectUris, status] of [
    [['http://127.0.0.1/cb', 'cursor://anysphere.cursor-mcp/oauth/callback'], 400],
    [['http://127.0.0.1/cb', 'https://client.example/callback'], 200],
  ] as const) {
    const its = await makeClient(site, { mcpServerId: there.id, redirectUris });
    const { first } = await family({
      server: there,
      client: its,
      redirectUri: 'http://127.0.0.1:9/cb',
    });
    await refresh(there.issuer, first, its, {}, from('198.51.100.9', 'editor/1'));
    assert.equal(
      (await refresh(there.issuer, first, its, {}, from('203.0.113.5', 'other/2'))).status,
      status,
    );
  }
});

test('one retired token gets at most fifty answers (AS-109)', async () => {
  const { first } = await family();
  await next(first);
  await site.ctx.db.rows(
    sql`update refresh_tokens set grace_answers = 49 where grace_ends_at > ${site.ctx.now()}`,
  );
  await next(first);
  const answer = await refresh(server.issuer, first, client);
  refused(answer, 'temporarily_unavailable', 429);
  assert.match(answer.headers.get('retry-after') ?? '', /^[1-9][0-9]*$/);
});

test('the grace is never more than half the access token lifetime, and may be nothing (AS-109)', async () => {
  const hasty = await makeServer(site, { accessTokenLifetime: 60 });
  const its = await makeClient(site, { mcpServerId: hasty.id });
  const { first } = await family({ server: hasty, client: its });
  const second = await refresh(hasty.issuer, first, its);
  site.clock.ahead += 31_000;
  refused(await refresh(hasty.issuer, first, its));
  refused(await refresh(hasty.issuer, second.body['refresh_token'], its));

  const brief = await makeClient(site, {
    mcpServerId: server.id,
    settings: { accessTokenLifetime: 60 },
  });
  const its30 = await family({ client: brief });
  assert.equal((await refresh(server.issuer, its30.first, brief)).status, 200);
  site.clock.ahead += 31_000;
  refused(await refresh(server.issuer, its30.first, brief));

  const strict = await makeServer(site, { settings: { refreshGrace: 0 } });
  const one = await makeClient(site, { mcpServerId: strict.id });
  const { first: start } = await family({ server: strict, client: one });
  const rotated = await refresh(strict.issuer, start, one);
  refused(await refresh(strict.issuer, start, one));
  refused(await refresh(strict.issuer, rotated.body['refresh_token'], one));
});

test('refresh needs the method the grant began with, and the rotation’s for a retired token (AS-76, AS-109)', async () => {
  const secretive = await makeClient(site, {
    mcpServerId: server.id,
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const secret = { client_secret: secretive.secret };
  const { first } = await family({ client: secretive, method: secret });
  refused(await refresh(server.issuer, first, secretive), 'invalid_client', 401);
  // The same client as a public one: its registration changed, its grants did not.
  await site.ctx.db.rows(
    sql`update clients set token_endpoint_auth_method = 'none', row_version = row_version + 1 where id = ${secretive.id}`,
  );
  refused(await refresh(server.issuer, first, secretive), 'invalid_client', 401);
  await site.ctx.db.rows(
    sql`update clients set token_endpoint_auth_method = 'client_secret_basic', row_version = row_version + 1 where id = ${secretive.id}`,
  );
  assert.equal((await refresh(server.issuer, first, secretive, secret)).status, 200);
});

test('a retired token with another method than its rotation is refused, and the family lives (AS-109)', async () => {
  const { first } = await family();
  const second = await next(first);
  await site.ctx.db.rows(
    sql`update refresh_tokens set rotated_method = 'assertion' where token_hash = sha256(convert_to(${first}, 'UTF8'))`,
  );
  refused(await refresh(server.issuer, first, client));
  await next(second);
});
