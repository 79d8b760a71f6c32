import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type DescMethodUnary, getOption } from '@bufbuild/protobuf';
import { McpServerSettingsService } from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import {
  AuthenticationType,
  auth_option,
} from '@gatewarden/contract/scalekit/v1/options/options_pb';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import { generateKeyPair, SignJWT } from 'jose';
import { services as served } from '../src/rpcs.ts';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '../src/testing.ts';
import { managementApi, managementToken, ok, protocols, steps } from './management-api.ts';

let gatewarden: TestGatewarden;
let tokens: { machine: string; person: string; id: string; cookie: string };

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  const { id } = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const issuer = `${gatewarden.url}/resources/${id}`;
  const machine = await gatewarden.machine(id);
  const answer = await token(issuer, {
    grant_type: 'client_credentials',
    client_id: machine.id,
    client_secret: machine.secret,
  });
  const redirectUri = 'http://127.0.0.1:7777/cb';
  const { body } = await register(gatewarden.url, id, {
    client_name: 'Test',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
  });
  const clientId = String(body['client_id']);
  const { verifier, challenge } = pkce();
  const browser = cookieBrowser(gatewarden.url);
  const landing = await authorizeWith(
    browser,
    authorizeUrl(issuer, {
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: challenge,
      scope: 'openid todo:read',
    }),
    'ana+sktest@example.com',
  );
  const person = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
  });
  tokens = {
    machine: String(answer.body['access_token']),
    person: String(person.body['access_token']),
    id: String(person.body['id_token']),
    cookie: [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
  };
  for (const [name, value] of Object.entries(tokens)) assert.ok(value.length > 40, name);
});

const services = [ClientService, RolesService, OrganizationService, McpServerSettingsService];
const methods = services.flatMap((service) =>
  service.methods.filter((method): method is DescMethodUnary => method.methodKind === 'unary'),
);
const closed = methods.filter(
  (method) => getOption(method, auth_option).authenticationType !== AuthenticationType.NONE,
);

for (const protocol of protocols) {
  test(`over ${protocol} a call without a token, or with one that is malformed, forged, unsigned or expired, is 16 and never 7 (AS-149)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const good = await managementToken(gatewarden);
    const [header = '', payload = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<
      string,
      unknown
    >;
    const { privateKey } = await generateKeyPair('RS256');
    const parsed = JSON.parse(Buffer.from(header, 'base64url').toString()) as {
      alg: string;
      kid: string;
    };
    const forged = await new SignJWT(claims).setProtectedHeader(parsed).sign(privateKey);
    const none = Buffer.from(JSON.stringify({ ...parsed, alg: 'none' })).toString('base64url');
    const symmetric = await new SignJWT(claims)
      .setProtectedHeader({ ...parsed, alg: 'HS256' })
      .sign(new TextEncoder().encode('a'.repeat(32)));
    const other = Buffer.from(JSON.stringify({ ...claims, client_id: 'skc_1' })).toString(
      'base64url',
    );
    const bad = [
      undefined,
      '',
      'Bearer',
      'Bearer ',
      'Bearer garbage',
      'Bearer a.b.c',
      `Basic ${good}`,
      good,
      `Bearer ${good}x`,
      `Bearer ${good} ${good}`,
      `Bearer ${forged}`,
      `Bearer ${symmetric}`,
      `Bearer ${none}.${payload}.`,
      `Bearer ${header}.${other}.${signature}`,
      `Bearer ${'a'.repeat(9000)}`,
    ];
    for (const authorization of bad) {
      const answer = await api(steps.listPermissions(), authorization);
      assert.deepEqual(
        [answer.code, answer.errorCode],
        [16, 'UNAUTHENTICATED'],
        String(authorization).slice(0, 100),
      );
    }
    ok(await api(steps.listPermissions(), `bearer ${good}`));
  });

  test(`over ${protocol} a good token of a machine, of a person, or an ID token is 7: the caller must not fetch another one and repeat (AS-99, AS-149)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    for (const kind of ['machine', 'person', 'id'] as const) {
      const answer = await api(
        steps.createPermission({ name: 'stolen' }),
        `Bearer ${tokens[kind]}`,
      );
      assert.deepEqual([answer.code, answer.errorCode], [7, 'PERMISSION_DENIED'], kind);
    }
    assert.equal((await api(steps.getPermission('stolen'))).code, 5);
  });
}

test('no method is open by accident: each one refuses a call without a token, and a token of an MCP server (AS-149)', async (t) => {
  const api = await managementApi(t, gatewarden, 'gRPC');
  assert.ok(closed.length > 50, `${closed.length} methods`);
  assert.deepEqual(
    methods
      .filter((method) => !closed.includes(method))
      .map(({ name }) => name)
      .sort(),
    ['GetConsentDetails', 'RegisterClient'],
  );
  for (const method of closed) {
    const step = { method, input: {}, rest: ['GET', '/'] } as const;
    assert.equal((await api(step, undefined)).code, 16, method.name);
    assert.equal((await api(step, `Bearer ${tokens.machine}`)).code, 7, method.name);
    assert.equal((await api(step, `Bearer ${tokens.person}`)).code, 7, method.name);
  }
});

test('what this server does not have yet is 12 with its reason, and what an environment client may not call is 7', async (t) => {
  const api = await managementApi(t, gatewarden, 'gRPC');
  const call = async (method: DescMethodUnary) =>
    await api({ method, input: {}, rest: ['GET', '/'] });
  const absent = served
    .flatMap(({ desc, rpcs }) => desc.methods.filter(({ localName }) => !rpcs.has(localName)))
    .filter((method): method is DescMethodUnary => method.methodKind === 'unary')
    .filter((method) => {
      const { authenticationType } = getOption(method, auth_option);
      return (authenticationType & (AuthenticationType.CLIENT | AuthenticationType.NONE)) !== 0;
    });
  assert.ok(absent.length > 0);
  for (const method of absent.slice(0, 20)) {
    const answer = await call(method);
    assert.deepEqual([answer.code, answer.errorCode], [12, 'NOT_IMPLEMENTED'], method.name);
  }
  for (const method of [
    ClientService.method.listCurrentAgentConsents,
    ClientService.method.createScope,
  ])
    assert.equal((await call(method)).code, 7, method.name);
});

test('a session cookie opens nothing of the API, whatever page sends it (AS-149)', async () => {
  for (const [verb, path, body] of [
    ['GET', '/resources?resource_type=MCP_SERVER'],
    ['POST', '/permissions', '{"name":"stolen"}'],
  ] as const) {
    const response = await fetch(`${gatewarden.url}/api/v1${path}`, {
      method: verb,
      headers: {
        cookie: tokens.cookie,
        'content-type': 'application/json',
        origin: gatewarden.url,
      },
      ...(body === undefined ? {} : { body }),
    });
    assert.equal(response.status, 401);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
  }
});

test('a management token ends with its time, with its client, and with the right to call the API (AS-99, AS-149)', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own, 'gRPC');
  ok(await api(steps.listPermissions()));
  await own.database.rows(
    sql`update clients set management_api = false where id = ${own.client.id}`,
  );
  const denied = await api(steps.listPermissions());
  assert.equal(denied.code, 7, 'the client may not use the API any more');
  await own.database.rows(
    sql`update clients set management_api = true, enabled = false where id = ${own.client.id}`,
  );
  assert.equal((await api(steps.listPermissions())).code, 16, 'the client is switched off');
  await own.database.rows(
    sql`update clients set enabled = true, revocation_secret = ${new Uint8Array(32)} where id = ${own.client.id}`,
  );
  assert.equal((await api(steps.listPermissions())).code, 16, 'what was issued is revoked');
  const renewed = `Bearer ${await managementToken(own)}`;
  ok(await api(steps.listPermissions(), renewed));
  own.clock.advance({ seconds: 86_398 });
  ok(await api(steps.listPermissions(), renewed));
  own.clock.advance({ seconds: 2 });
  assert.equal((await api(steps.listPermissions(), renewed)).code, 16, 'expired');
});
