import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { decodeJwt } from 'jose';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { environmentClientSteps as own } from './environment-client-steps.ts';
import {
  type Api,
  managementApi,
  member,
  members,
  ok,
  protocols,
  steps,
} from './management-api.ts';
import { refresh } from './management-connect.ts';

const CALLBACK = 'https://app.example.com/callback';
type App = { readonly id: string; readonly secret: string | undefined; readonly shown: JsonObject };

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function newApp(api: Api, client: JsonObject = {}): Promise<App> {
  const sent = { name: 'Shop', client_type: 'WEB_APP', post_login_uris: [CALLBACK], ...client };
  const shown = member(ok(await api(own.create(sent))), 'client');
  const secret = members(shown, 'secrets')[0]?.['plain_secret'];
  return {
    id: String(shown['id']),
    secret: secret === undefined ? undefined : String(secret),
    shown,
  };
}

async function machineToken({ id, secret }: Pick<App, 'id' | 'secret'>) {
  const params = { grant_type: 'client_credentials', client_id: id, client_secret: secret };
  const { status, body } = await token(gatewarden.url, params);
  return { status, error: body['error'], access: `Bearer ${String(body['access_token'])}` };
}

let people = 0;
/** One address may sign in ten times an hour. */
function nobodyYet(): string {
  people += 1;
  return `shopper${people}+sktest@example.com`;
}

/** The walk of a person to an application, with or without PKCE. */
async function signIn(
  app: Pick<App, 'id' | 'secret'>,
  options: { redirectUri?: string; withPkce?: boolean; scope?: string } = {},
): Promise<{ status: number; body: Readonly<Record<string, unknown>> }> {
  const { redirectUri = CALLBACK, withPkce = true, scope = 'openid profile email' } = options;
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.url),
    authorizeUrl(gatewarden.url, {
      client_id: app.id,
      redirect_uri: redirectUri,
      scope,
      ...(withPkce ? { code_challenge: challenge } : { code_challenge_method: undefined }),
    }),
    nobodyYet(),
  );
  const error = landing.params.get('error');
  if (error !== null) return { status: 302, body: { error } };
  return await token(gatewarden.url, {
    grant_type: 'authorization_code',
    client_id: app.id,
    client_secret: app.secret,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? undefined,
    ...(withPkce ? { code_verifier: verifier } : {}),
  });
}

for (const protocol of protocols) {
  test(`over ${protocol} an application is made, changed and deleted, and people sign in to it meanwhile (FSA-3, FSA-7)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const app = await newApp(api, {
      post_logout_redirect_uris: ['https://app.example.com/bye'],
      back_channel_logout_uris: ['https://app.example.com/logout'],
      initiate_login_uri: 'https://app.example.com/start',
      access_token_expiry: '600',
      custom_claims: [{ key: 'tier', value: 'gold' }],
    });
    assert.match(app.id, /^skc_[0-9]{15,19}$/);
    assert.match(app.secret ?? '', /^test_/);
    const { create_time: _, update_time: __, secrets, ...shown } = app.shown;
    assert.equal((secrets as JsonObject[]).length, 1);
    assert.deepEqual(shown, {
      id: app.id,
      keyId: app.id,
      name: 'Shop',
      client_type: 'WEB_APP',
      post_login_uris: [CALLBACK],
      post_logout_redirect_uris: ['https://app.example.com/bye'],
      back_channel_logout_uris: ['https://app.example.com/logout'],
      initiate_login_uri: 'https://app.example.com/start',
      access_token_expiry: '600',
      custom_claims: [{ key: 'tier', value: 'gold' }],
      disallow_scalekit_api_access: true,
      grant_types: ['authorization_code', 'refresh_token'],
    });
    const again = member(ok(await api(own.get(app.id))), 'client');
    assert.ok(!JSON.stringify(again).includes(String(app.secret)), 'the secret is shown once');

    const granted = await signIn(app, { scope: 'openid offline_access' });
    assert.equal(granted.status, 200, JSON.stringify(granted.body));
    assert.equal(granted.body['expires_in'], 600);
    const claims = decodeJwt(String(granted.body['access_token']));
    assert.deepEqual([claims.aud, claims['custom_claims']], [[app.id], { tier: 'gold' }]);
    assert.equal(decodeJwt(String(granted.body['id_token'])).aud?.[0], app.id);

    const moved = { name: 'Store', post_login_uris: ['https://store.example.com/cb'] };
    const changed = member(ok(await api(own.update(app.id, moved))), 'client');
    assert.deepEqual(
      [changed['name'], changed['post_login_uris'], changed['initiate_login_uri']],
      ['Store', ['https://store.example.com/cb'], 'https://app.example.com/start'],
    );
    const store = await signIn(app, { redirectUri: 'https://store.example.com/cb' });
    assert.equal(store.status, 200);
    await assert.rejects(signIn(app), 'the old address is not registered any more');
    const cleared = member(ok(await api(own.update(app.id, { initiate_login_uri: '' }))), 'client');
    assert.equal(cleared['initiate_login_uri'], undefined);
    assert.deepEqual(member(ok(await api(own.update(app.id, {}))), 'client'), cleared);

    const token_ = granted.body['refresh_token'];
    ok(await api(own.delete(app.id)));
    assert.equal(await refresh(gatewarden.url, app.id, token_, app.secret), 401);
    for (const step of [own.get(app.id), own.update(app.id, { name: 'x' }), own.delete(app.id)])
      assert.equal((await api(step)).code, 5, step.method.name);
  });
}

test('an application without a secret gets none and always uses PKCE (FSA-3, FSA-5, AS-24)', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (const type of ['SPA', 'NTV']) {
    const app = await newApp(api, { client_type: type });
    assert.deepEqual(
      [app.secret, app.shown['enforce_pkce'], app.shown['client_type']],
      [undefined, true, type],
    );
    assert.equal((await signIn(app)).status, 200, type);
    assert.deepEqual((await signIn(app, { withPkce: false })).body['error'], 'invalid_request');
    assert.equal((await signIn({ ...app, secret: 'any' })).body['error'], 'invalid_client');
    const secret = await api(steps.createSecret(app.id));
    assert.deepEqual([secret.code, secret.errorCode], [9, 'CLIENT_HAS_NO_SECRETS']);
    assert.equal((await machineToken(app)).error, 'unauthorized_client');
  }
});

test('an application with a secret may leave PKCE out until its administrator says otherwise (FSA-5, downgrade)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const app = await newApp(api);
  assert.equal((await signIn(app, { withPkce: false })).status, 200);
  ok(await api(own.update(app.id, { enforce_pkce: true })));
  assert.equal((await signIn(app, { withPkce: false })).body['error'], 'invalid_request');
  assert.equal((await signIn(app)).status, 200);
  ok(await api(own.update(app.id, { enforce_pkce: false })));
  assert.equal((await signIn(app, { withPkce: false })).status, 200);
});

test('only an application that was allowed to calls the management API, and losing that ends its tokens (FSA-6, AS-149)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const app = await newApp(api);
  assert.deepEqual(await machineToken(app).then(({ status, error }) => [status, error]), [
    400,
    'unauthorized_client',
  ]);
  const allowed = { disallow_scalekit_api_access: false };
  const shown = member(ok(await api(own.update(app.id, allowed))), 'client');
  assert.deepEqual(
    [shown['disallow_scalekit_api_access'], shown['grant_types']],
    [undefined, ['authorization_code', 'refresh_token', 'client_credentials']],
  );
  const { access } = await machineToken(app);
  assert.equal((await api(own.get(app.id), access)).code, 0);
  ok(await api(own.update(app.id, { disallow_scalekit_api_access: true })));
  const refused = await api(own.get(app.id), access);
  assert.deepEqual([refused.code, refused.errorCode], [7, 'PERMISSION_DENIED']);
  assert.equal((await machineToken(app)).error, 'unauthorized_client');
});

test('a change of grant types takes refresh tokens away (FSA-7)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const app = await newApp(api);
  const scope = 'openid offline_access';
  const before_ = (await signIn(app, { scope })).body['refresh_token'];
  assert.ok(before_);
  ok(await api(own.update(app.id, { grant_types: ['authorization_code'] })));
  assert.equal((await signIn(app, { scope })).body['refresh_token'], undefined);
  assert.equal(await refresh(gatewarden.url, app.id, before_, app.secret), 400);
});

test('the environment’s own client is an application too, is never for an MCP server, and stays (FSA-2, AS-99)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { id, secret } = gatewarden.client;
  const client = { id, secret };
  const shown = member(ok(await api(own.get(id))), 'client');
  assert.deepEqual(
    [shown['client_type'], shown['disallow_scalekit_api_access']],
    ['ENV', undefined],
  );
  ok(await api(own.update(id, { post_login_uris: [CALLBACK] })));
  const granted = await signIn(client, { withPkce: false });
  assert.equal(granted.status, 200, JSON.stringify(granted.body));
  const access = `Bearer ${granted.body['access_token']}`;
  assert.equal((await api(own.list(), access)).code, 7, 'a person’s token opens no management API');
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.url),
    authorizeUrl(gatewarden.url, {
      client_id: id,
      redirect_uri: CALLBACK,
      code_challenge: pkce().challenge,
      resource: server.serverUrl,
    }),
    nobodyYet(),
  );
  assert.equal(landing.params.get('error'), 'invalid_target');
  const refused = await api(own.delete(id));
  assert.deepEqual([refused.code, refused.errorCode], [9, 'DEFAULT_APPLICATION']);
  for (const change of [{ disallow_scalekit_api_access: true }, { name: '\u200b' }])
    assert.equal((await api(own.update(id, change))).code, 3);
  const second = ok(await api(steps.createSecret(id)));
  const third = await api(steps.createSecret(id));
  assert.deepEqual([third.code, third.errorCode], [9, 'TOO_MANY_SECRETS']);
  ok(await api(steps.deleteSecret(id, String(member(second, 'secret')['id']))));
});

test('what an application cannot have is refused by name, and nothing is written (FSA-8, AS-151)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { id } = await newApp(api);
  const count = async (): Promise<unknown> =>
    ok(await api(own.list(['WEB_APP', 'SPA', 'NTV'])))['total_size'];
  const earlier = await count();
  const uris = (length: number): string[] =>
    Array.from({ length }, (_, index) => `${CALLBACK}/${index}`);
  const bad: [JsonObject, string][] = [
    [{ name: '\u200b' }, 'client.name'],
    [{ name: 'a'.repeat(129) }, 'client.name'],
    [{ post_login_uris: [CALLBACK, 'http://app.example.com/cb'] }, 'client.post_login_uris[1]'],
    [{ post_login_uris: [`${CALLBACK}?a=b`] }, 'client.post_login_uris[0]'],
    [{ post_login_uris: [`${CALLBACK}#a`] }, 'client.post_login_uris[0]'],
    [{ post_login_uris: ['https://*.example.com/cb'] }, 'client.post_login_uris[0]'],
    [{ post_login_uris: ['javascript:alert(1)'] }, 'client.post_login_uris[0]'],
    [{ post_login_uris: uris(6) }, 'client.post_login_uris'],
    [{ post_login_uris: [CALLBACK, CALLBACK] }, 'client.post_login_uris'],
    [{ post_logout_redirect_uris: ['x'] }, 'client.post_logout_redirect_uris[0]'],
    [{ post_logout_redirect_uris: uris(21) }, 'client.post_logout_redirect_uris'],
    [{ back_channel_logout_uris: ['http://10.0.0.1/x'] }, 'client.back_channel_logout_uris[0]'],
    [{ initiate_login_uri: 'data:x' }, 'client.initiate_login_uri'],
    [{ access_token_expiry: '59' }, 'client.access_token_expiry'],
    [{ access_token_expiry: '86401' }, 'client.access_token_expiry'],
    [{ scopes: ['a b'] }, 'client.scopes[0]'],
    [{ custom_claims: [{ key: 'sub', value: 'x' }] }, 'client.custom_claims[0].key'],
    [{ grant_types: ['implicit'] }, 'client.grant_types[0]'],
    [{ grant_types: ['authorization_code', 'password'] }, 'client.grant_types[1]'],
  ];
  const creations: [JsonObject, string][] = [
    [{ client_type: 'ENV' }, 'client.client_type'],
    [{ client_type: 'web_app' }, 'client.client_type'],
    [{ client_type: 'M2M' }, 'client.client_type'],
    [
      { client_type: 'SPA', disallow_scalekit_api_access: false },
      'client.disallow_scalekit_api_access',
    ],
    [{ client_type: 'NTV', enforce_pkce: false }, 'client.enforce_pkce'],
    [{ client_type: 'SPA', grant_types: ['client_credentials'] }, 'client.grant_types[0]'],
    [
      { client_type: 'SPA', back_channel_logout_uris: ['https://a.example/x'] },
      'client.back_channel_logout_uris[0]',
    ],
  ];
  for (const [client, field] of [...bad, ...creations]) {
    const answer = await api(own.create({ name: 'Shop', client_type: 'WEB_APP', ...client }));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(client));
  }
  const shown = ok(await api(own.get(id)));
  for (const [client, field] of bad) {
    const answer = await api(own.update(id, client));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(client));
  }
  assert.deepEqual([ok(await api(own.get(id))), await count()], [shown, earlier]);
});

test('lists are of one type unless more are named; clients of MCP servers and malformed ids are none of them (contract: ClientService)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const shown = (body: JsonObject): unknown[] => members(body, 'clients').map(({ id }) => id);
  assert.deepEqual(shown(ok(await api(own.list()))), [gatewarden.client.id]);
  assert.deepEqual(shown(ok(await api(own.list(['ENV'])))), [gatewarden.client.id]);
  const ids: string[] = [];
  for (let index = 0; index < 4; index += 1)
    ids.unshift((await newApp(api, { client_type: 'NTV' })).id);
  const first = ok(await api(own.list(['NTV'], { page_size: '3' })));
  assert.deepEqual(shown(first), ids.slice(0, 3));
  const page = { page_size: '3', page_token: String(first['next_page_token']) };
  assert.equal(shown(ok(await api(own.list(['NTV'], page))))[0], ids[3]);
  assert.equal((await api(own.list(['SPA'], page))).code, 3, 'a token of another list');
  const both = ok(await api(own.list(['ENV', 'NTV'])));
  assert.equal(both['total_size'], 1 + Number(first['total_size']));
  for (const step of [
    own.list(['M2M']),
    own.list([], { page_token: 'x' }),
    own.list([], { page_size: '31' }),
  ])
    assert.equal((await api(step)).code, 3);
  const machine = await gatewarden.machine((await gatewarden.mcpServer()).id);
  for (const [id, code] of [
    [machine.id, 3],
    ['x', 3],
    ['skc_999999999999999', 5],
  ] as const)
    for (const step of [own.get(id), own.update(id, { name: 'Mine' }), own.delete(id)])
      assert.equal((await api(step)).code, code, `${step.method.name} ${id}`);
});
