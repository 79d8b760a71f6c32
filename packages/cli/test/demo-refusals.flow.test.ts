import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { request } from 'node:http';
import { before, test } from 'node:test';
import { type Demo, demoScopes, startDemo } from '@gatewarden/demo';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  startTestGatewarden,
  type TestGatewarden,
  token,
} from '@gatewarden/server/testing';

const REDIRECT = 'http://127.0.0.1:7777/cb';

let gatewarden: TestGatewarden;
let demo: Demo;
let resourceId: string;
let sibling: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  const scopes = demoScopes.map((scope) => ({ ...scope }));
  const server = await gatewarden.mcpServer({ name: 'To-do demo', scopes });
  resourceId = server.id;
  sibling = (
    await gatewarden.mcpServer({
      name: 'Sibling',
      serverUrl: 'https://sibling.example/mcp',
      scopes,
    })
  ).id;
  demo = await startDemo({ environmentUrl: gatewarden.url, resourceId, port: 0 });
  (t as unknown as { after(work: () => Promise<void>): void }).after(() => demo.close());
});

const issuerOf = (id: string): string => `${gatewarden.url}/resources/${id}`;

async function call(
  accessToken: string | undefined,
): Promise<{ status: number; challenge: string; body: string }> {
  const response = await fetch(demo.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'list_todos', arguments: {} },
    }),
  });
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate') ?? '',
    body: await response.text(),
  };
}

async function assertRefused(accessToken: string): Promise<void> {
  const answer = await call(accessToken);
  assert.equal(answer.status, 401, answer.body);
  assert.match(answer.challenge, /error="invalid_token"/);
  assert.match(
    answer.challenge,
    /resource_metadata="http:\/\/localhost:[0-9]+\/\.well-known\/oauth-protected-resource\/mcp"/,
  );
  assert.ok(!answer.body.includes(accessToken) && !answer.challenge.includes(accessToken));
}

async function machineToken(at = resourceId): Promise<string> {
  const client = await gatewarden.machine(at);
  const answer = await token(issuerOf(at), {
    grant_type: 'client_credentials',
    client_id: client.id,
    client_secret: client.secret,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return String(answer.body['access_token']);
}

/** Tokens of a person, with an ID token. */
async function personTokens(): Promise<Record<string, unknown>> {
  const { body } = await register(gatewarden.url, resourceId, {
    client_name: 'Test client',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
  });
  const client = String(body['client_id']);
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.url),
    authorizeUrl(issuerOf(resourceId), {
      client_id: client,
      redirect_uri: REDIRECT,
      code_challenge: challenge,
      scope: 'openid todo:read',
    }),
    'ana+sktest@example.com',
  );
  const answer = await token(issuerOf(resourceId), {
    grant_type: 'authorization_code',
    client_id: client,
    code: landing.params.get('code') ?? '',
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

type Parts = { header: Record<string, unknown>; payload: Record<string, unknown> };

function partsOf(jwt: string): Parts {
  const [header = '', payload = ''] = jwt
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString());
  return {
    header: JSON.parse(header) as Parts['header'],
    payload: JSON.parse(payload) as Parts['payload'],
  };
}

function signed({ header, payload }: Parts, key?: KeyObject): string {
  const input = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${key ? sign('sha256', Buffer.from(input), key).toString('base64url') : ''}`;
}

test('a token for this server is accepted, of a machine and of a person (RS-17, RS-18, RS-19)', async () => {
  for (const accessToken of [
    await machineToken(),
    String((await personTokens())['access_token']),
  ]) {
    const answer = await call(accessToken);
    assert.equal(answer.status, 200, answer.body);
    assert.match(answer.body, /content/);
  }
});

test("a sibling MCP server's token is refused (RS-19, AS-37)", async () => {
  await assertRefused(await machineToken(sibling));
});

test('an ID token is refused as an access token (AS-120, AS-145, RS-21)', async () => {
  await assertRefused(String((await personTokens())['id_token']));
});

test('a management token is refused (AS-99, AS-149)', async () => {
  const answer = await token(gatewarden.url, {
    grant_type: 'client_credentials',
    client_id: gatewarden.client.id,
    client_secret: gatewarden.client.secret,
  });
  assert.equal(answer.status, 200);
  await assertRefused(String(answer.body['access_token']));
});

test('an expired token is refused (RS-20)', async (t) => {
  const accessToken = await machineToken();
  const later = await startDemo({
    environmentUrl: gatewarden.url,
    resourceId,
    port: 0,
    now: () => new Date(Date.now() + 3_700_000),
  });
  t.after(() => later.close());
  const response = await fetch(later.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${accessToken}` },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });
  assert.equal(response.status, 401);
  assert.match(response.headers.get('www-authenticate') ?? '', /invalid_token/);
});

test('a token signed by another key under our kid is refused (RS-17)', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  await assertRefused(signed(partsOf(await machineToken()), privateKey));
});

test('alg none, with and without a signature part left over, is refused (RS-17)', async () => {
  const accessToken = await machineToken();
  const { header, payload } = partsOf(accessToken);
  await assertRefused(signed({ header: { ...header, alg: 'none' }, payload }));
  await assertRefused(
    `${signed({ header: { ...header, alg: 'none' }, payload }).slice(0, -1)}.${accessToken.split('.')[2] ?? ''}`,
  );
});

test('a token whose claims were changed is refused (RS-17)', async () => {
  const accessToken = await machineToken();
  const { header, payload } = partsOf(accessToken);
  await assertRefused(
    `${signed({ header, payload: { ...payload, scope: 'todo:read todo:write', scopes: ['todo:read', 'todo:write'] } })}${accessToken.split('.')[2] ?? ''}`,
  );
});

test('no path that only looks well-known gets past the guard without a token (RS-7)', async () => {
  const { hostname, port } = new URL(demo.url);
  for (const path of [
    '/mcp/.well-known/x',
    '/mcp/.well-known/oauth-protected-resource',
    '/.well-known/../mcp',
    '/.well-known/%2e%2e/mcp',
    '//mcp',
    '/mcp/',
    '/MCP',
    '/mcp?x=/.well-known/',
    '/.well-known/oauth-protected-resource/../../mcp',
  ]) {
    const status = await new Promise<number | undefined>((done, fail) => {
      const sent = request(
        {
          hostname,
          port,
          path,
          method: 'POST',
          headers: { host: `localhost:${port}`, 'content-type': 'application/json' },
        },
        (response) => {
          response.resume();
          done(response.statusCode);
        },
      );
      sent.on('error', fail);
      sent.end(
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}}}',
      );
    });
    assert.ok(status === 401 || status === 400 || status === 404, `${path}: ${status}`);
  }
});
