import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { test } from 'node:test';
import { cookieBrowser } from '../src/testing/cookie-browser.ts';
import { authorizeUrl, authorizeWith, pkce, register, token } from '../src/testing/oauth-client.ts';
import { startTestGatewarden } from '../src/testing.ts';

const REDIRECT = 'http://127.0.0.1:7777/cb';

test('all times come from one clock, and an assertion gets thirty seconds of tolerance and no more (AS-143, AS-92)', async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const server = await gatewarden.mcpServer();
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { body } = await register(gatewarden.url, server.id, {
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: {
      keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'ES256', use: 'sig' }],
    },
  });
  const client = String(body['client_id']);
  const ask = async (times: { iat: number; exp: number }): Promise<unknown> => {
    const input = [
      { alg: 'ES256', kid: 'k' },
      { iss: client, sub: client, aud: issuer, jti: randomUUID(), ...times },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = sign('sha256', Buffer.from(input), {
      key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
      dsaEncoding: 'ieee-p1363',
    });
    const answer = await token(issuer, {
      grant_type: 'authorization_code',
      code: 'none',
      redirect_uri: REDIRECT,
      code_verifier: 'a'.repeat(43),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${input}.${signature.toString('base64url')}`,
    });
    return answer.body['error'];
  };
  gatewarden.clock.advance({ days: 1000 });
  const now = Math.floor(gatewarden.clock.now().getTime() / 1000);
  assert.equal(
    await ask({ iat: now - 60, exp: now - 20 }),
    'invalid_grant',
    'inside the tolerance the assertion counts; the code does not exist',
  );
  assert.equal(await ask({ iat: now - 120, exp: now - 65 }), 'invalid_client');
  assert.equal(
    await ask({ iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 60 }),
    'invalid_client',
    "the machine's own clock does not count",
  );
});

test('the tokens of a moved clock carry its time in every claim (AS-143, AS-117, AS-118)', async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const server = await gatewarden.mcpServer();
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  gatewarden.clock.advance({ days: 365 });
  const { body } = await register(gatewarden.url, server.id, {
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
  });
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(gatewarden.url),
    authorizeUrl(issuer, {
      client_id: String(body['client_id']),
      redirect_uri: REDIRECT,
      code_challenge: challenge,
    }),
    'clock+sktest@example.com',
  );
  const answer = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: String(body['client_id']),
    code: landing.params.get('code') ?? '',
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
  const claims = JSON.parse(
    Buffer.from(String(answer.body['access_token']).split('.')[1] ?? '', 'base64url').toString(),
  ) as { iat: number; exp: number; auth_time: number };
  const now = gatewarden.clock.now().getTime() / 1000;
  for (const time of [
    claims.iat,
    claims.auth_time,
    claims.exp - 3600,
    Number(body['client_id_issued_at']),
  ])
    assert.ok(Math.abs(now - time) < 30, `${time} against ${now}`);
});

test("offline_access and the OpenID scopes are the authorization server's: in its metadata, never in what the MCP server publishes or may be given (AS-47)", async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const server = await gatewarden.mcpServer();
  const issuer = `${gatewarden.url}/resources/${server.id}`;
  const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    scopes_supported: string[];
  };
  for (const scope of ['openid', 'profile', 'email', 'offline_access', 'todo:read'])
    assert.ok(metadata.scopes_supported.includes(scope), scope);
  const { protectedResourceMetadata } = await import('../src/mcp/resource-metadata.ts');
  assert.deepEqual(protectedResourceMetadata(gatewarden.context(), server)['scopes_supported'], [
    'todo:read',
    'todo:write',
    'todo:delete',
  ]);
  await assert.rejects(
    gatewarden.mcpServer({ name: 'Greedy', scopes: [{ name: 'offline_access' }] }),
    /AS-47|authorization server/,
  );
});
