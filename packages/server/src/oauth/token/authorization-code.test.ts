import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { endGrantsOfServer } from '../../grants/grants.ts';
import { changeMcpServer } from '../../mcp/manage-mcp-servers.ts';
import { sql } from '../../storage/db.ts';
import {
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

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
});

const ok = (answer: { status: number; text: string }) =>
  assert.equal(answer.status, 200, answer.text);
const refusedAs = (
  answer: { status: number; body: Record<string, unknown> },
  code: string,
  status = 400,
) => assert.deepEqual([answer.status, answer.body['error']], [status, code]);

test('a code is exchanged for tokens (RFC 6749 section 4.1.3, AS-45, AS-85, AS-90)', async () => {
  const code = await makeCode(site, { server, client });
  const answer = await redeem(server.issuer, code, client);
  ok(answer);
  assert.deepEqual(Object.keys(answer.body).sort(), [
    'access_token',
    'expires_in',
    'refresh_token',
    'scope',
    'token_type',
  ]);
  assert.deepEqual(
    [answer.body['token_type'], answer.body['expires_in'], answer.body['scope']],
    ['Bearer', 3600, 'todo:read todo:write'],
  );
  assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
});

test('a failed check does not burn the code: the right request after a wrong verifier succeeds (AS-95)', async () => {
  const code = await makeCode(site, { server, client });
  refusedAs(
    await redeem(server.issuer, code, client, { code_verifier: 'w'.repeat(43) }),
    'invalid_grant',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { code_verifier: 'short' }),
    'invalid_request',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { code_verifier: undefined }),
    'invalid_request',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { code_verifier: 'ü'.repeat(43) }),
    'invalid_request',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { redirect_uri: 'https://client.example/callback/' }),
    'invalid_grant',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { resource: 'https://elsewhere.example/mcp' }),
    'invalid_target',
  );
  refusedAs(
    await redeem(server.issuer, code, client, { resource: [server.id, server.serverUrl ?? ''] }),
    'invalid_target',
  );
  ok(await redeem(server.issuer, code, client));
});

test('a verifier cannot be guessed: the tenth failure burns the code (AS-95)', async () => {
  const code = await makeCode(site, { server, client });
  for (let guess = 0; guess < 10; guess++)
    refusedAs(
      await redeem(server.issuer, code, client, { code_verifier: `${guess}`.repeat(43) }),
      'invalid_grant',
    );
  refusedAs(await redeem(server.issuer, code, client), 'invalid_grant');
});

test("another client's code is refused, with its verifier too, and stays usable (AS-94, AS-95)", async () => {
  const thief = await makeClient(site, { mcpServerId: server.id });
  const code = await makeCode(site, { server, client });
  refusedAs(await redeem(server.issuer, code, thief), 'invalid_grant');
  ok(await redeem(server.issuer, code, client));
});

test('redirect_uri is compared exactly when it is sent, port included, and may be left out (AS-51)', async () => {
  const loopback = await makeClient(site, {
    mcpServerId: server.id,
    redirectUris: ['http://127.0.0.1/cb'],
  });
  const code = await makeCode(site, {
    server,
    client: loopback,
    redirectUri: 'http://127.0.0.1:5001/cb',
  });
  refusedAs(
    await redeem(server.issuer, code, loopback, { redirect_uri: 'http://127.0.0.1:5002/cb' }),
    'invalid_grant',
  );
  ok(await redeem(server.issuer, code, loopback, { redirect_uri: undefined }));
});

test('a code expires after its lifetime (AS-94)', async () => {
  const code = await makeCode(site, { server, client, lifetimeSeconds: 60 });
  site.clock.ahead += 60_000;
  refusedAs(await redeem(server.issuer, code, client), 'invalid_grant');
});

test('a repeat by the client itself within ten seconds is refused and leaves the tokens alive (AS-96)', async () => {
  const code = await makeCode(site, { server, client });
  const first = await redeem(server.issuer, code, client);
  refusedAs(await redeem(server.issuer, code, client), 'invalid_grant');
  site.clock.ahead += 9000;
  refusedAs(await redeem(server.issuer, code, client), 'invalid_grant');
  ok(await refresh(server.issuer, first.body['refresh_token'], client));
});

const replays: Record<
  string,
  (code: Awaited<ReturnType<typeof makeCode>>, thief: TestClient) => Promise<unknown>
> = {
  'after ten seconds, with everything right': async (code) => {
    site.clock.ahead += 11_000;
    await redeem(server.issuer, code, client);
  },
  'at once, with a wrong verifier': (code) =>
    redeem(server.issuer, code, client, { code_verifier: 'w'.repeat(43) }),
  'at once, without a verifier': (code) =>
    redeem(server.issuer, code, client, { code_verifier: undefined }),
  'at once, by another client': (code, thief) => redeem(server.issuer, code, thief),
};

for (const [how, replay] of Object.entries(replays)) {
  test(`a stolen code used again ${how} ends the grant, access tokens included (AS-96, AS-124)`, async () => {
    const thief = await makeClient(site, { mcpServerId: server.id });
    const code = await makeCode(site, { server, client });
    const first = await redeem(server.issuer, code, client);
    await replay(code, thief);
    refusedAs(await refresh(server.issuer, first.body['refresh_token'], client), 'invalid_grant');
    const { rvk } = decodeJwt(String(first.body['access_token']));
    const revoked = (await revocationsOf(site, server.id)).map(({ value }) => value);
    assert.ok(Array.isArray(rvk) && revoked.includes(rvk[0]));
    assert.equal((await eventsOf(site, 'authorization_code_reuse')).at(-1)?.user_id, code.userId);
  });
}

test('a replay answers invalid_grant whatever else is wrong with it (AS-96)', async () => {
  const code = await makeCode(site, { server, client });
  await redeem(server.issuer, code, client);
  refusedAs(
    await redeem(server.issuer, code, client, {
      code_verifier: 'bad',
      resource: 'https://elsewhere.example',
      redirect_uri: 'x:y',
    }),
    'invalid_grant',
  );
});

test('at R2 and at E a code of R1 is refused, not used up and no alarm (AS-7)', async () => {
  const other = await makeServer(site);
  const foreign = await makeClient(site, { mcpServerId: other.id });
  const code = await makeCode(site, { server, client });
  refusedAs(await redeem(other.issuer, code, client), 'invalid_client', 401);
  refusedAs(await redeem(other.issuer, code, foreign), 'invalid_grant');
  refusedAs(await redeem(site.E, code, client), 'invalid_grant');
  const first = await redeem(server.issuer, code, client);
  ok(first);
  site.clock.ahead += 20_000;
  refusedAs(await redeem(site.E, code, client), 'invalid_grant');
  refusedAs(await redeem(other.issuer, code, foreign), 'invalid_grant');
  ok(await refresh(server.issuer, first.body['refresh_token'], client));
});

const disabling: Record<string, (code: Awaited<ReturnType<typeof makeCode>>) => Promise<unknown>> =
  {
    person: (code) =>
      site.ctx.db.rows(sql`update users set enabled = false where id = ${code.userId}`),
    consent: (code) =>
      site.ctx.db.rows(sql`update consents set revoked_at = now() where id = ${code.consentId}`),
  };
for (const [what, disable] of Object.entries(disabling)) {
  test(`a code is worth nothing when the ${what} has gone between consent and redemption (AS-97)`, async () => {
    const code = await makeCode(site, { server, client });
    await disable(code);
    refusedAs(await redeem(server.issuer, code, client), 'invalid_grant');
  });
}

test('a code is worth nothing when its client was switched off meanwhile (AS-97), and a deleted one is unknown (AS-87)', async () => {
  const off = await makeClient(site, { mcpServerId: server.id });
  const code = await makeCode(site, { server, client: off });
  await site.ctx.db.rows(
    sql`update clients set enabled = false, row_version = row_version + 1 where id = ${off.id}`,
  );
  refusedAs(await redeem(server.issuer, code, off), 'invalid_grant');
  const gone = await makeClient(site, { mcpServerId: server.id });
  const its = await makeCode(site, { server, client: gone });
  await site.ctx.db.rows(
    sql`update clients set deleted_at = now(), row_version = row_version + 1 where id = ${gone.id}`,
  );
  refusedAs(await redeem(server.issuer, its, gone), 'invalid_client', 401);
});

test('a disabled server answers invalid_request at its own token endpoint (AS-13, AS-97)', async () => {
  const there = await makeServer(site);
  const its = await makeClient(site, { mcpServerId: there.id });
  const code = await makeCode(site, { server: there, client: its });
  await changeMcpServer(site.ctx, there.id, { enabled: false });
  await endGrantsOfServer(site.ctx, { mcpServerId: there.id, because: 'disabled' });
  refusedAs(await redeem(there.issuer, code, its), 'invalid_request');
  assert.equal((await revocationsOf(site, there.id))[0]?.kind, 'before');
  refusedAs(
    await post(`${site.E}/resources/res_1234567890123456789/oauth/token`, {}),
    'not_found',
    404,
  );
});

test('PKCE cannot be taken out of a flow: a verifier for a code without challenge is refused (AS-24)', async () => {
  const web = await makeClient(site, {
    kind: 'application',
    registration: 'admin',
    mcpServerId: undefined,
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const code = await makeCode(site, {
    server: undefined,
    client: web,
    challenge: 'none',
    scopes: ['openid', 'offline_access'],
  });
  refusedAs(await redeem(site.E, code, web, { client_secret: web.secret }), 'invalid_grant');
  refusedAs(
    await redeem(site.E, code, web, {
      client_secret: web.secret,
      code_verifier: undefined,
      redirect_uri: undefined,
    }),
    'invalid_grant',
  );
  const answer = await redeem(site.E, code, web, {
    client_secret: web.secret,
    code_verifier: undefined,
  });
  ok(answer);
  assert.deepEqual(
    [typeof answer.body['id_token'], typeof answer.body['refresh_token']],
    ['string', 'string'],
  );
});

test('a public client cannot redeem a code that has no challenge (AS-24)', async () => {
  const spa = await makeClient(site, {
    kind: 'application',
    registration: 'admin',
    mcpServerId: undefined,
  });
  const code = await makeCode(site, {
    server: undefined,
    client: spa,
    challenge: 'none',
    scopes: ['openid'],
  });
  refusedAs(await redeem(site.E, code, spa, { code_verifier: undefined }), 'invalid_grant');
});

test('without PKCE, a repeat with the secret is a retry, and after ten seconds a replay (AS-96)', async () => {
  const web = await makeClient(site, {
    kind: 'application',
    registration: 'admin',
    mcpServerId: undefined,
    tokenEndpointAuthMethod: 'client_secret_post',
  });
  const code = await makeCode(site, {
    server: undefined,
    client: web,
    challenge: 'none',
    scopes: ['openid', 'offline_access'],
  });
  const fields = { client_secret: web.secret, code_verifier: undefined };
  const first = await redeem(site.E, code, web, fields);
  refusedAs(await redeem(site.E, code, web, fields), 'invalid_grant');
  const second = await refresh(site.E, first.body['refresh_token'], web, {
    client_secret: web.secret,
  });
  ok(second);
  site.clock.ahead += 11_000;
  refusedAs(await redeem(site.E, code, web, fields), 'invalid_grant');
  refusedAs(
    await refresh(site.E, second.body['refresh_token'], web, { client_secret: web.secret }),
    'invalid_grant',
  );
});

test('resource at the token endpoint may repeat what was granted, in every spelling of it (AS-36, AS-39)', async () => {
  const url = server.serverUrl ?? '';
  for (const resource of [
    url,
    `${url}/`,
    `${url}/sub/path`,
    url.replace('https', 'HTTPS'),
    url.replace('.com', '.com:443'),
    server.id,
    server.issuer,
  ]) {
    const answer = await redeem(server.issuer, await makeCode(site, { server, client }), client, {
      resource,
    });
    ok(answer);
    assert.deepEqual(decodeJwt(String(answer.body['access_token'])).aud, [url, server.id]);
  }
  for (const resource of [
    `${url}x`,
    url.replace('/mcp', '/'),
    `${url}/../other`,
    `${url}?a=b`,
    `${url}#f`,
    `${url}/%2e%2e/x`,
    'not a uri',
    'urn:x:y',
  ]) {
    refusedAs(
      await redeem(server.issuer, await makeCode(site, { server, client }), client, { resource }),
      'invalid_target',
    );
  }
});

test('a step-up ends the narrower family of the same browser when its code is redeemed, not before (AS-46)', async () => {
  const browserHash = site.ctx.random(32);
  const narrow = await makeCode(site, { server, client, scopes: ['todo:read'], browserHash });
  const { userId } = narrow;
  const old = await redeem(server.issuer, narrow, client);
  const elsewhere = await redeem(
    server.issuer,
    await makeCode(site, { server, client, userId, scopes: ['todo:read'] }),
    client,
  );
  const wide = await makeCode(site, { server, client, userId, browserHash });
  const kept = await refresh(server.issuer, old.body['refresh_token'], client);
  ok(kept);
  ok(await redeem(server.issuer, wide, client));
  refusedAs(await refresh(server.issuer, kept.body['refresh_token'], client), 'invalid_grant');
  ok(await refresh(server.issuer, elsewhere.body['refresh_token'], client));
});

test('issue and refusal of tokens are recorded with flow, person, client and reason, and without secrets (AS-121, AS-140)', async () => {
  const code = await makeCode(site, { server, client });
  await redeem(server.issuer, code, client, { code_verifier: 'w'.repeat(43) });
  const answer = await redeem(server.issuer, code, client);
  const refused = (await eventsOf(site, 'token.refused')).at(-1);
  const issued = (await eventsOf(site, 'token.issued')).at(-1);
  assert.deepEqual(
    [refused?.reason, refused?.client_id, refused?.user_id, refused?.outcome],
    ['invalid_grant', client.id, code.userId, 'failure'],
  );
  assert.equal(issued?.flow_id, refused?.flow_id);
  assert.equal(issued?.data['jti'], decodeJwt(String(answer.body['access_token'])).jti);
  const everything = JSON.stringify(
    await site.ctx.db.rows(sql`select * from events`),
    (_, value) => (typeof value === 'bigint' ? String(value) : value),
  );
  for (const secret of [
    code.code,
    code.verifier,
    answer.body['access_token'],
    answer.body['refresh_token'],
  ])
    assert.equal(everything.includes(String(secret)), false);
});
