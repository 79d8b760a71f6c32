import assert from 'node:assert/strict';
import { test } from 'node:test';
import { issuerOf } from '../mcp/mcp-servers.ts';
import { JWT_BEARER } from './client-assertion.ts';
import { authenticateClient } from './client-authentication.ts';
import { resolveClient } from './clients.ts';
import { at, outcome, post } from './test-authentication.ts';
import { signer, testClients } from './test-clients.ts';
import { registrationSite, SHAPES } from './test-registration.ts';

/** Every value in a body, with its path. */
function valuesIn(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return [
    [path, value],
    ...Object.entries(value).flatMap(([name, member]) => valuesIn(member, `${path}.${name}`)),
  ];
}

test('the shapes that products send are registered and echoed, with nothing null and nothing empty (AS-57, AS-59 to AS-61, AS-55)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const server = await clients.mcpServer();
  for (const [name, shape] of Object.entries(SHAPES)) {
    const { status, headers, body } = await site.register(server.id, shape);
    assert.equal(status, 201, `${name} ${JSON.stringify(body)}`);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.match(String(headers.get('content-type')), /^application\/json/);
    assert.match(String(body['client_id']), /^m2m_[0-9]{15,19}$/);
    assert.ok(Number.isInteger(body['client_id_issued_at']));
    assert.deepEqual(body['redirect_uris'], shape.redirect_uris, name);
    assert.deepEqual(body['response_types'], ['code']);
    assert.equal(body['client_name'], shape.client_name);
    assert.equal(
      body['token_endpoint_auth_method'],
      'token_endpoint_auth_method' in shape
        ? shape.token_endpoint_auth_method
        : 'client_secret_basic',
    );
    assert.deepEqual(
      body['grant_types'],
      'grant_types' in shape ? ['authorization_code', 'refresh_token'] : ['authorization_code'],
    );
    if ('application_type' in shape) assert.equal(body['application_type'], shape.application_type);
    const secretGiven = body['token_endpoint_auth_method'] !== 'none';
    assert.equal('client_secret' in body, secretGiven, name);
    assert.deepEqual(body['client_secret_expires_at'], secretGiven ? 0 : undefined);
    assert.deepEqual(
      ['registration_access_token' in body, 'registration_client_uri' in body],
      [false, false],
    );
    for (const [path, value] of valuesIn(body))
      assert.ok(
        value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
        `${name} ${path}`,
      );
  }
});

test('the answer also has the members of the management contract (contract section 7)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const server = await clients.mcpServer({ serverUrl: 'https://mcp.acme.example/mcp' });
  const { body } = await site.register(server.id, {
    ...SHAPES.claude,
    scope: 'todo:read openid unknown',
  });
  assert.deepEqual(
    [
      body['name'],
      body['resource_id'],
      body['audience'],
      body['expiry'],
      body['scopes'],
      body['scope'],
    ],
    [
      'Claude',
      server.id,
      ['https://mcp.acme.example/mcp', server.id],
      3600,
      ['todo:read', 'openid'],
      'todo:read openid',
    ],
  );
  assert.ok(Array.isArray(body['secrets']) && body['secrets'].length === 1);
  assert.equal(JSON.stringify(body['secrets']).includes(String(body['client_secret'])), false);
  assert.match(String(body['create_time']), /^\d{4}-/);
});

test('what was registered works at its own server and nowhere else (AS-64, AS-59, AS-86)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await registrationSite(t, clients);
  const [server, other] = [await clients.mcpServer(), await clients.mcpServer({ name: 'Other' })];
  const { body } = await site.register(server.id, SHAPES.claude);
  const [id, secret] = [String(body['client_id']), String(body['client_secret'])];
  assert.equal(
    await outcome(
      authenticateClient(ctx, post({ client_id: id, client_secret: secret }), at(ctx, server)),
    ),
    'secret',
  );
  assert.equal(
    await outcome(
      authenticateClient(ctx, post({ client_id: id, client_secret: secret }), at(ctx, other)),
    ),
    '401 invalid_client',
  );
  assert.equal(
    (await resolveClient(ctx, id, { mcpServer: other, purpose: 'authorize' })).kind,
    'not-here',
  );
  assert.match(secret, /^test_[A-Za-z0-9_-]{43}$/);
});

test('private_key_jwt can be registered, and the endpoint as audience stays closed for such clients (AS-59, AS-93)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await registrationSite(t, clients);
  const server = await clients.mcpServer();
  const key = await signer();
  const { status, body } = await site.register(server.id, {
    client_name: 'Signer',
    redirect_uris: ['https://client.example/cb'],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [key.jwk] },
  });
  assert.equal(status, 201);
  assert.equal('client_secret' in body, false);
  const id = String(body['client_id']);
  const now = Math.floor(ctx.now().getTime() / 1000);
  const present = async (aud: string, jti: string): Promise<string> =>
    outcome(
      authenticateClient(
        ctx,
        post({
          client_assertion: await key.sign({ iss: id, sub: id, aud, exp: now + 60, jti }),
          client_assertion_type: JWT_BEARER,
        }),
        at(ctx, server),
      ),
    );
  assert.equal(await present(issuerOf(ctx, server), 'a'), 'assertion');
  assert.equal(await present(`${issuerOf(ctx, server)}/oauth/token`, 'b'), '401 invalid_client');
});

test('dcr_public_only answers every registration as a public client (AS-59)', async (t) => {
  const clients = await testClients();
  await clients.settings({ dcrPublicOnly: true });
  const site = await registrationSite(t, clients);
  const { status, body } = await site.register((await clients.mcpServer()).id, SHAPES.claude);
  assert.deepEqual(
    [status, body['token_endpoint_auth_method'], body['client_secret']],
    [201, 'none', undefined],
  );
});

test('bad metadata is 400 with the code and words of what is wrong (AS-53, AS-54, AS-58 to AS-60, AS-62)', async (t) => {
  const clients = await testClients();
  await clients.settings({ limits: { registrationPerHourPerNetwork: 1000 } });
  const site = await registrationSite(t, clients);
  const server = await clients.mcpServer();
  const key = await signer();
  const good = { client_name: 'Example', redirect_uris: ['https://client.example/cb'] };
  const redirects = [
    undefined,
    [],
    'https://client.example/cb',
    [1],
    Array(21).fill('https://client.example/cb'),
    [`https://client.example/${'a'.repeat(2048)}`],
    ['https://client.example/cb#f'],
    ['https://u@client.example/cb'],
    ['https://*.client.example/cb'],
    ['https://client.example/cb?code=1'],
    ['https://client.example/cb?a=1&state=2'],
    ['https://client.example/cb?iss=x'],
    ['https://client.example/cb?error=x'],
    [' https://client.example/cb'],
    ['https://client.example/c\nb'],
    ['http://client.example/cb'],
    ['http://127.0.0.1.nip.io/cb'],
    ['http://localhost.evil.example/cb'],
    ['javascript:alert(1)'],
    ['JavaScript:alert(1)'],
    ['data:text/html,x'],
    ['file:///etc/passwd'],
    ['vbscript:x'],
    ['blob:https://client.example/1'],
    ['about:blank'],
    ['ws://client.example'],
    ['mailto:a@client.example'],
    ['tel:1'],
    ['view-source:https://client.example'],
    ['chrome://settings'],
    ['chrome-extension://id/x'],
    ['intent://x'],
    ['ms-settings:x'],
    ['itms-services://x'],
    ['search-ms:x'],
    ['smb://host/x'],
    ['ldap://host/x'],
    ['filesystem:https://x'],
    ['acmechat://cb'],
    ['/relative'],
    [''],
    ['https://client.example/cb', 'javascript:alert(1)'],
  ];
  for (const redirect_uris of redirects) {
    const { status, body } = await site.register(server.id, { ...good, redirect_uris });
    assert.deepEqual(
      [status, body['error']],
      [400, 'invalid_redirect_uri'],
      JSON.stringify(redirect_uris)?.slice(0, 100),
    );
  }
  const others = [
    { token_endpoint_auth_method: 'client_secret_jwt' },
    { token_endpoint_auth_method: 'tls_client_auth' },
    { token_endpoint_auth_method: 5 },
    { token_endpoint_auth_method: 'private_key_jwt' },
    { grant_types: ['client_credentials'] },
    { grant_types: ['implicit'] },
    { grant_types: 'authorization_code' },
    { response_types: ['token'] },
    { client_name: 5 },
    { jwks: { keys: [key.jwk] }, jwks_uri: 'https://client.example/jwks' },
    { jwks: { keys: [] } },
    { jwks: 'x' },
    { jwks: { keys: [{ ...key.jwk, d: 'AAAA' }] } },
    { jwks: { keys: [{ kty: 'oct', k: 'AAAA' }] } },
    { jwks_uri: 'http://client.example/jwks' },
    { jwks_uri: 'https://10.0.0.1/jwks' },
    { jwks_uri: 5 },
  ];
  for (const extra of others) {
    const { status, body } = await site.register(server.id, { ...good, ...extra });
    assert.deepEqual(
      [status, body['error']],
      [400, 'invalid_client_metadata'],
      JSON.stringify(extra),
    );
    assert.ok(String(body['error_description']).length > 10);
  }
  const { body } = await site.register(server.id, { ...good, redirect_uris: ['acmechat://cb'] });
  assert.match(String(body['error_description']), /acmechat.*private_use_schemes/);
});

test('the setting private_use_schemes allows or denies what is not on the list (AS-54)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const register = async (
    privateUseSchemes: 'known' | 'allow' | 'deny',
    uri: string,
  ): Promise<number> =>
    (
      await site.register((await clients.mcpServer({ settings: { privateUseSchemes } })).id, {
        client_name: 'A',
        redirect_uris: [uri],
        token_endpoint_auth_method: 'none',
      })
    ).status;
  assert.deepEqual(
    [
      await register('known', 'acmechat://cb'),
      await register('allow', 'acmechat://cb'),
      await register('known', 'com.acme.chat:/cb'),
      await register('known', 'cursor://anysphere.cursor-mcp/oauth/callback'),
      await register('deny', 'cursor://anysphere.cursor-mcp/oauth/callback'),
      await register('allow', 'javascript:x'),
    ],
    [400, 201, 201, 201, 400, 400],
  );
});

test('names are cleaned, addresses that are not http(s) are left out, null counts as absent, a software statement proves nothing (AS-62, AS-63)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { status, body } = await site.register((await clients.mcpServer()).id, {
    client_name: `  Evil\u202E\u0007 \u200bname ${'x'.repeat(200)}`,
    'client_name#ja': ' 名前\u202E ',
    'client_name#../x': 'no',
    redirect_uris: ['https://client.example/cb'],
    client_uri: 'javascript:alert(1)',
    logo_uri: 'data:image/png;base64,AAAA',
    tos_uri: 'https://client.example/terms',
    policy_uri: null,
    scope: null,
    contacts: null,
    grant_types: null,
    response_types: [],
    token_endpoint_auth_method: '',
    software_statement: 'eyJhbGciOiJub25lIn0.e30.',
    unknown_member: { deep: [null] },
    __proto__: { admin: true },
  });
  assert.equal(status, 201);
  assert.equal(Array.from(String(body['client_name'])).length, 100);
  assert.match(String(body['client_name']), /^Evil name x/);
  assert.equal(body['client_name#ja'], '名前');
  assert.equal(body['tos_uri'], 'https://client.example/terms');
  for (const member of [
    'client_uri',
    'logo_uri',
    'policy_uri',
    'scope',
    'contacts',
    'software_statement',
    'unknown_member',
    'client_name#../x',
  ])
    assert.equal(member in body, false, member);
  assert.equal(body['token_endpoint_auth_method'], 'client_secret_basic');
});

test('other media types are 415, malformed JSON is 400, other methods 405 with Allow, more than 16 KiB 413, unknown servers 404 (AS-57, AS-65)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const path = `/api/v1/resources/${id}/clients:register`;
  const statusOf = async (answer: ReturnType<typeof site.call>): Promise<unknown[]> => [
    (await answer).status,
    (await answer).body['error'],
  ];
  for (const type of [
    'application/x-www-form-urlencoded',
    'text/plain',
    'application/jsonp',
    'application/jose',
  ]) {
    assert.deepEqual(
      await statusOf(site.call('POST', path, { type, body: '{}' })),
      [415, 'invalid_client_metadata'],
      type,
    );
  }
  for (const body of ['{', '[]', '"x"', 'null', '5', '', Buffer.from([0x7b, 0xff, 0x7d])]) {
    assert.deepEqual(
      await statusOf(site.call('POST', path, { body })),
      [400, 'invalid_client_metadata'],
      String(body),
    );
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await site.call(method, path);
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST'], method);
  }
  const big = JSON.stringify({ ...SHAPES.lmStudio, padding: 'x'.repeat(16_384) });
  assert.equal((await site.call('POST', path, { body: big })).status, 413);
  assert.equal((await site.register('res_123456789012345', SHAPES.claude)).status, 404);
  assert.equal((await site.register('nonsense', SHAPES.claude)).status, 404);
});

test('the alias below R registers too, the one at E says where to go (AS-57, AS-11)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  assert.equal(
    (await site.call('POST', `/resources/${id}/oauth/register`, { body: SHAPES.cursor })).status,
    201,
  );
  const atEnvironment = await site.call('POST', '/resource-server/oauth/register', {
    body: SHAPES.cursor,
  });
  assert.deepEqual([atEnvironment.status, atEnvironment.body['error']], [403, 'access_denied']);
});

test('with registration off: 403 access_denied, which names the other two ways (AS-57)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { status, body } = await site.register(
    (await clients.mcpServer({ registrationEnabled: false })).id,
    SHAPES.claude,
  );
  assert.deepEqual([status, body['error']], [403, 'access_denied']);
  assert.match(String(body['error_description']), /metadata document.*administrator/);
});

test('each registration, made or refused, leaves an event without secrets (AS-140, AS-121)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const { body } = await site.register(id, SHAPES.claude);
  await site.register(id, { redirect_uris: [] });
  const [made] = await clients.events('client.registered');
  const [refused] = await clients.events('client.registration_refused');
  assert.equal(made?.client_id, body['client_id']);
  assert.equal(refused?.reason, 'invalid_redirect_uri');
  assert.equal(JSON.stringify([made, refused]).includes(String(body['client_secret'])), false);
});
