import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { updateEnvironmentSettings } from '../../environments/environments.store.ts';
import { endGrantsOfClient } from '../../grants/grants.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import { sql } from '../../storage/db.ts';
import { managementCaller } from './management-caller.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  type Fields,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let machine: TestClient;
let api: TestClient;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  machine = await makeMachine({ mcpServerId: server.id });
  api = await makeMachine({ mcpServerId: undefined, kind: 'environment', managementApi: true });
});

async function makeMachine(members: Parameters<typeof makeClient>[1]): Promise<TestClient> {
  return await makeClient(site, {
    registration: 'admin',
    redirectUris: [],
    tokenEndpointAuthMethod: 'client_secret_post',
    scopes: ['todo:read', 'todo:write', 'gone:scope'],
    ...members,
  });
}
const ask = (issuer: string, client: TestClient, fields: Fields = {}) =>
  post(`${issuer}/oauth/token`, {
    grant_type: 'client_credentials',
    client_id: client.id,
    client_secret: client.secret,
    ...fields,
  });
const refused = (answer: Answer, error: string, status = 400) =>
  assert.deepEqual([answer.status, answer.body['error']], [status, error], answer.text);
const claims = (answer: Answer) => {
  assert.equal(answer.status, 200, answer.text);
  return decodeJwt(String(answer.body['access_token']));
};

test('a machine gets a token for the server it belongs to, at R and at E (AS-98)', async () => {
  for (const issuer of [server.issuer, site.E]) {
    const answer = await ask(issuer, machine);
    assert.deepEqual(Object.keys(answer.body).sort(), [
      'access_token',
      'expires_in',
      'scope',
      'token_type',
    ]);
    const { sub, client_id, aud, gty, scope, sid, auth_time, iss } = claims(answer);
    assert.deepEqual(
      [sub, client_id, gty, scope, sid, auth_time, iss],
      [
        machine.id,
        machine.id,
        'client-credentials',
        'todo:read todo:write',
        undefined,
        undefined,
        site.E,
      ],
    );
    assert.deepEqual(aud, [server.serverUrl, server.id]);
  }
});

test('its scopes are cut to what the administrator allowed; only others is an error (AS-98)', async () => {
  assert.equal(
    (await ask(server.issuer, machine, { scope: 'todo:read nothing' })).body['scope'],
    'todo:read',
  );
  refused(await ask(server.issuer, machine, { scope: 'todo:delete' }), 'invalid_scope');
  refused(await ask(server.issuer, machine, { scope: 'openid' }), 'invalid_scope');
});

test('resource, or audience as its synonym, may name its server only (AS-40, AS-148)', async () => {
  const other = await makeServer(site);
  for (const name of ['resource', 'audience']) {
    claims(await ask(server.issuer, machine, { [name]: server.serverUrl }));
    claims(await ask(site.E, machine, { [name]: server.id }));
    refused(await ask(site.E, machine, { [name]: other.id }), 'invalid_target');
    refused(await ask(site.E, machine, { [name]: `${site.E}/api` }), 'invalid_target');
    refused(await ask(site.E, machine, { [name]: 'usr_1234567890123456789' }), 'invalid_target');
  }
  refused(
    await ask(server.issuer, machine, { resource: server.id, audience: server.serverUrl }),
    'invalid_target',
  );
});

test('public, self-registered and interactive clients get none (AS-98, AS-88)', async () => {
  const shapes: readonly Partial<Parameters<typeof makeClient>[1]>[] = [
    { tokenEndpointAuthMethod: 'none' },
    { registration: 'dynamic', grantTypes: ['client_credentials'] },
    { redirectUris: ['https://client.example/callback'] },
  ];
  for (const shape of shapes)
    refused(
      await ask(server.issuer, await makeMachine({ mcpServerId: server.id, ...shape })),
      'unauthorized_client',
    );
  const marked = await makeMachine({
    mcpServerId: server.id,
    redirectUris: ['https://client.example/callback'],
    grantTypes: ['client_credentials'],
  });
  claims(await ask(server.issuer, marked));
});

test("credentials of R1 are nothing at R2; an environment client's are nothing at R (AS-7)", async () => {
  const other = await makeServer(site);
  refused(await ask(other.issuer, machine), 'invalid_client', 401);
  refused(await ask(server.issuer, api), 'invalid_client', 401);
  refused(await ask(server.issuer, machine, { client_secret: api.secret }), 'invalid_client', 401);
});

test('an environment client gets a management token at E, without resource (AS-99, AS-149)', async () => {
  const answer = await ask(site.E, api);
  const { aud, iss, sub, scope, exp = 0, iat = 0 } = claims(answer);
  assert.deepEqual(
    [aud, iss, sub, scope, exp - iat],
    [`${site.E}/api`, site.E, api.id, 'todo:read todo:write gone:scope', 86_399],
  );
  assert.equal(decodeProtectedHeader(String(answer.body['access_token'])).typ, 'at+jwt');
  claims(await ask(site.E, api, { audience: `${site.E}/api` }));
  refused(await ask(site.E, api, { resource: server.id }), 'invalid_target');
  refused(await ask(site.E, api, { resource: server.serverUrl }), 'invalid_target');
});

test('an environment client without the management switch gets no management token (AS-149)', async () => {
  const reader = await makeMachine({
    mcpServerId: undefined,
    kind: 'environment',
    managementApi: false,
  });
  refused(await ask(site.E, reader), 'unauthorized_client');
});

test('the management API knows exactly one kind of token (AS-145, AS-149)', async () => {
  const bearer = (answer: Answer, member = 'access_token') => `Bearer ${answer.body[member]}`;
  const good = await ask(site.E, api);
  assert.deepEqual(await managementCaller(site.ctx, bearer(good)), {
    clientId: api.id,
    scopes: ['todo:read', 'todo:write', 'gone:scope'],
  });

  const client = await makeClient(site, { mcpServerId: server.id });
  const person = await redeem(
    server.issuer,
    await makeCode(site, { server, client, scopes: ['openid'] }),
    client,
  );
  const others: Record<string, string | undefined> = {
    'no header': undefined,
    'an empty token': 'Bearer ',
    'another scheme': `Basic ${good.body['access_token']}`,
    'a token of a person': bearer(person),
    'an ID token': bearer(person, 'id_token'),
    'a token for an MCP server': bearer(await ask(server.issuer, machine)),
    'a changed token': `${bearer(good)}x`,
  };
  for (const [what, header] of Object.entries(others))
    assert.equal(await managementCaller(site.ctx, header), undefined, what);
});

test('no claim of a management token can be bent (AS-149)', async () => {
  const { body } = await ask(site.E, api);
  const genuine = decodeJwt(String(body['access_token']));
  const sign = async (changes: object, typ = 'at+jwt') =>
    `Bearer ${await signJwt(site.ctx, { typ, claims: { ...genuine, ...changes } })}`;
  assert.ok(await managementCaller(site.ctx, await sign({})));
  const bent: Record<string, Promise<string>> = {
    'typ JWT': sign({}, 'JWT'),
    'typ of the feed': sign({}, 'gatewarden-revocations+jwt'),
    'another audience beside it': sign({ aud: [`${site.E}/api`, server.id] }),
    'E itself as audience': sign({ aud: site.E }),
    'a path below': sign({ aud: `${site.E}/api/v1` }),
    'issuer R': sign({ iss: server.issuer }),
    'another subject': sign({ sub: 'usr_1234567890123456789' }),
    'another client': sign({ client_id: machine.id, sub: machine.id }),
    'no grant of a machine': sign({ gty: undefined }),
    'an older secret': sign({ rvk: ['x'] }),
    'no handles': sign({ rvk: undefined }),
    expired: sign({ exp: Math.floor(site.ctx.now().getTime() / 1000) - 1 }),
  };
  for (const [what, header] of Object.entries(bent))
    assert.equal(await managementCaller(site.ctx, await header), undefined, what);
});

test('a management token ends with its client, its secret, or everything issued before a moment (AS-149, AS-154)', async () => {
  const mine = await makeMachine({
    mcpServerId: undefined,
    kind: 'environment',
    managementApi: true,
  });
  const call = async (answer: Answer) =>
    (await managementCaller(site.ctx, `Bearer ${answer.body['access_token']}`))?.clientId;
  const first = await ask(site.E, mine);
  assert.equal(await call(first), mine.id);
  await endGrantsOfClient(site.ctx, { clientId: mine.id, because: 'test' });
  assert.equal(await call(first), undefined, 'revoked with everything of the client');
  const second = await ask(site.E, mine);
  assert.equal(await call(second), mine.id);
  await site.ctx.db.rows(
    sql`update clients set management_api = false, row_version = row_version + 1 where id = ${mine.id}`,
  );
  assert.equal(await call(second), undefined, 'the switch is off');

  const last = await ask(site.E, api);
  await updateEnvironmentSettings(site.ctx.db, site.ctx.environmentId, {
    revokedBefore: new Date(site.ctx.now().getTime() + 5000).toISOString(),
  });
  assert.equal(await call(last), undefined, 'revoked with the environment');
  await updateEnvironmentSettings(site.ctx.db, site.ctx.environmentId, {
    revokedBefore: new Date(0).toISOString(),
  });
});

test('a machine that was disabled gets nothing although the process remembers it (AS-87, AS-98)', async () => {
  const gone = await makeMachine({ mcpServerId: server.id });
  claims(await ask(server.issuer, gone));
  // Without a new row version nobody is notified: the cache still has the client.
  await site.ctx.db.rows(sql`alter table clients disable trigger clients_changed`);
  await site.ctx.db.rows(sql`update clients set enabled = false where id = ${gone.id}`);
  await site.ctx.db.rows(sql`alter table clients enable trigger clients_changed`);
  refused(await ask(server.issuer, gone), 'invalid_client', 401);
});
