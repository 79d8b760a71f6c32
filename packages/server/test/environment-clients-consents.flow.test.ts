import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import { asPage } from '../src/testing/cookie-browser.ts';
import { allow, authorizeUrl, signIn } from '../src/testing/oauth-client.ts';
import {
  type CookieBrowser,
  cookieBrowser,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '../src/testing.ts';
import { type Headers, operator, type Person, person } from './every-caller.ts';
import { managementToken, members } from './management-api.ts';

type Answer = { readonly status: number; readonly body: JsonObject };

let gatewarden: TestGatewarden;
let server: McpServer;
let people = 0;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({
    serverUrl: 'https://mcp.example.com/mcp',
    scopes: [{ name: 'todo:read', description: 'See what is to do' }, { name: 'todo:write' }],
  });
});

async function call(
  headers: Headers,
  verb: string,
  path: string,
  body?: JsonObject,
): Promise<Answer> {
  const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method: verb,
    headers: { ...headers, ...(body ? { 'content-type': 'application/json' } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, body: (await answer.json()) as JsonObject };
}

async function somebody(): Promise<Person> {
  people += 1;
  return await person(gatewarden, server.id, `person${people}+sktest@example.com`);
}

async function isActive(token: string): Promise<boolean> {
  const answer = await fetch(`${gatewarden.url}/oauth/introspect`, {
    method: 'POST',
    body: new URLSearchParams({
      token,
      client_id: gatewarden.client.id,
      client_secret: gatewarden.client.secret ?? '',
    }),
  });
  return Reflect.get(Object(await answer.json()), 'active') === true;
}

test('people see and withdraw what they have allowed themselves, and nothing of others (AS-134)', async () => {
  const [ana, bob] = [await somebody(), await somebody()];
  const consentsOf = async ({ headers }: Person): Promise<JsonObject[]> =>
    members((await call(headers, 'GET', '/agent-consents:this')).body, 'consents');
  const [own, ...others] = await consentsOf(ana);
  assert.equal(others.length, 0);
  assert.deepEqual(
    [own?.['external_user_id'], own?.['client_name'], own?.['scopes']],
    [ana.userId, 'Test', ['todo:read', 'openid']],
  );
  assert.match(String(own?.['client_id']), /^m2m_[0-9]+$/);
  const path = `/agent-consents:this/${String(own?.['id'])}`;
  assert.equal((await call(bob.headers, 'DELETE', path)).status, 404, 'somebody else’s');
  assert.equal(await isActive(ana.accessToken), true);
  assert.equal((await call(ana.headers, 'DELETE', path)).status, 200);
  assert.equal(await isActive(ana.accessToken), false);
  assert.equal((await call(ana.headers, 'DELETE', path)).status, 404, 'a second time');
  assert.deepEqual([(await consentsOf(ana)).length, (await consentsOf(bob)).length], [0, 1]);
  assert.equal((await call(ana.headers, 'DELETE', '/agent-consents:this/x')).status, 400);
  const paged = await call(ana.headers, 'GET', '/agent-consents:this?page_token=x');
  assert.equal(paged.status, 400);
  const { cookie = '' } = ana.headers;
  const client = { authorization: `Bearer ${await managementToken(gatewarden)}` };
  for (const [headers, status] of [
    [{}, 401],
    [{ cookie }, 401],
    [client, 403],
    [{ authorization: `Bearer ${ana.accessToken}` }, 403],
  ] as const) {
    assert.equal((await call(headers, 'GET', '/agent-consents:this')).status, status);
    assert.equal((await call(headers, 'DELETE', path)).status, status);
  }
});

test('operators manage scopes by their older names; those are the permissions (contract: ClientService)', async () => {
  const { headers } = await operator(gatewarden, 'owner');
  const made = await call(headers, 'POST', '/scopes', { name: 'files:read', description: 'Read' });
  const scope = made.body['scope'] as JsonObject;
  assert.match(String(scope['id']), /^scp_[0-9]{15,19}$/);
  assert.deepEqual(
    [scope['name'], scope['description'], scope['enabled']],
    ['files:read', 'Read', true],
  );
  const { environmentId } = gatewarden.context();
  const found = await gatewarden.database.rows(
    sql`select id from permissions where environment_id = ${environmentId} and name = 'files:read'`,
  );
  assert.equal(found.length, 1);
  for (const path of ['/scopes', `/environments/${environmentId}/scopes`]) {
    const names = members((await call(headers, 'GET', path)).body, 'scopes').map(
      (one) => one['name'],
    );
    assert.ok(
      names.includes('files:read') && !names.some((name) => String(name).startsWith('sk_')),
    );
  }
  const id = String(scope['id']);
  const changed = await call(headers, 'PATCH', `/scopes/${id}`, { description: 'Read files' });
  assert.equal((changed.body['scope'] as JsonObject)['description'], 'Read files');
  const used = members((await call(headers, 'GET', '/scopes')).body, 'scopes').find(
    (one) => one['name'] === 'todo:read',
  );
  const refused: [string, string, JsonObject | undefined, number][] = [
    ['POST', '/scopes', { name: 'files:read' }, 400],
    ['POST', '/scopes', { name: 'sk_x' }, 400],
    ['POST', '/scopes', { name: 'no spaces' }, 400],
    ['POST', '/environments/env_999999999999999/scopes', { name: 'other:one' }, 404],
    ['GET', '/environments/env_999999999999999/scopes', undefined, 404],
    ['GET', '/environments/x/scopes', undefined, 400],
    ['PATCH', `/scopes/${id}`, { enabled: false }, 400],
    ['PATCH', '/scopes/scp_999999999999999', { description: 'x' }, 404],
    ['DELETE', '/scopes/scp_999999999999999', undefined, 404],
    ['DELETE', '/scopes/perm_999999999999999', undefined, 400],
    ['DELETE', `/scopes/${String(used?.['id'])}`, undefined, 400],
  ];
  for (const [verb, path, body, status] of refused)
    assert.equal((await call(headers, verb, path, body)).status, status, `${verb} ${path}`);
  assert.equal((await call(headers, 'DELETE', `/scopes/${id}`)).status, 200);
  assert.equal((await call(headers, 'DELETE', `/scopes/${id}`)).status, 404);
  const client = { authorization: `Bearer ${await managementToken(gatewarden)}` };
  assert.equal((await call(client, 'GET', '/scopes')).status, 403);
});

const cookieHeader = ({ cookies }: CookieBrowser): Headers => ({
  cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; '),
});

test('the details of a consent are for the browser that is deciding, from its sign-in to its decision (AS-30, AS-126)', async () => {
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const redirectUri = 'https://client.example/cb';
  const { body } = await register(gatewarden.url, server.id, {
    client_name: 'Helper',
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: 'none',
    tos_uri: 'https://client.example/terms',
  });
  const clientId = String(body['client_id']);
  const url = (): string =>
    authorizeUrl(issuer, {
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: pkce().challenge,
      scope: 'todo:read',
    });
  const details = async (headers: Headers): Promise<Answer> =>
    await call(headers, 'GET', '/oauth/consent/details');
  const browser = cookieBrowser(gatewarden.url);
  const other = cookieBrowser(gatewarden.url);
  assert.equal((await details({})).status, 404);
  const identify = asPage(await browser.open(url()));
  assert.equal((await details(cookieHeader(browser))).status, 404, 'nobody is signed in');
  const consent = asPage(await signIn(browser, identify, 'decider+sktest@example.com'));
  const shown = await details(cookieHeader(browser));
  assert.equal(shown.status, 200);
  const { resource, user, client, scopes } = shown.body;
  assert.deepEqual(user, { email: 'decider+sktest@example.com' });
  assert.deepEqual(client, {
    name: 'Helper',
    client_id: clientId,
    tos_uri: 'https://client.example/terms',
  });
  assert.deepEqual(scopes, [{ name: 'todo:read', description: 'See what is to do' }]);
  const { id, resource_uri: at } = resource as JsonObject;
  assert.deepEqual([id, at], [server.id, 'https://mcp.example.com/mcp']);

  await signIn(other, asPage(await other.open(url())), 'thief+sktest@example.com');
  const theirs = await details(cookieHeader(other));
  assert.deepEqual(theirs.body['user'], { email: 'thief+sktest@example.com' });
  const [browserCookie = ''] = [...other.cookies].flatMap(([name, value]) =>
    name.endsWith('browser') ? [`${name}=${value}`] : [],
  );
  const session = [...browser.cookies].flatMap(([name, value]) =>
    name.endsWith('browser') ? [] : [`${name}=${value}`],
  );
  const mixed = await details({ cookie: [browserCookie, ...session].join('; ') });
  assert.equal(mixed.status, 404, 'a session of another browser (session theft)');
  for (const cookie of [browserCookie, 'x=y', `${browserCookie}x`])
    assert.equal((await details({ cookie })).status, 404);

  await allow(browser, consent);
  assert.equal((await details(cookieHeader(browser))).status, 404, 'it is decided');
  gatewarden.clock.advance({ minutes: 11 });
  assert.equal((await details(cookieHeader(other))).status, 404, 'it is over');
});
