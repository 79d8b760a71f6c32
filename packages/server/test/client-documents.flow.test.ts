import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { before, type TestContext, test } from 'node:test';
import { JWT_BEARER } from '../src/clients/client-assertion.ts';
import { type DocumentSite, documentSite, signer } from '../src/clients/test-clients.ts';
import type { McpServer } from '../src/mcp/mcp-servers.ts';
import { asPage, type CookieBrowser, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { authorizeUrl, authorizeWith, pkce, token } from '../src/testing/oauth-client.ts';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';

let gatewarden: TestGatewarden;
let server: McpServer;
let issuer: string;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  issuer = `${gatewarden.url}/resources/${server.id}`;
});

function publish(site: DocumentSite, members: Record<string, unknown> = {}): string {
  const path = `/${randomUUID()}`;
  const url = `${site.origin}${path}`;
  return site.answer(path, {
    body: {
      client_id: url,
      client_name: 'Local Agent',
      redirect_uris: ['http://localhost/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
      ...members,
    },
  });
}

async function setUp(t: TestContext): Promise<{ site: DocumentSite; browser: CookieBrowser }> {
  return { site: await documentSite(t), browser: cookieBrowser(gatewarden.url) };
}

test('a document with loopback redirects connects on any port of the same host, and on nothing else (AS-50, AS-77, AS-49)', async (t) => {
  const { site, browser } = await setUp(t);
  const clientId = publish(site);
  const { verifier, challenge } = pkce();
  const request = { client_id: clientId, code_challenge: challenge, state: 's' };
  const redirectUri = 'http://localhost:51763/callback';
  const landing = await authorizeWith(
    browser,
    authorizeUrl(issuer, { ...request, redirect_uri: redirectUri }),
    'documents+sktest@example.com',
  );
  assert.ok(landing.location.startsWith(`${redirectUri}?`), landing.location);
  const tokens = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body));

  const refused = [
    'http://127.0.0.1:51763/callback',
    'http://localhost:51763/callback/',
    'http://localhost:51763/Callback',
    'http://localhost:51763/callback?x=1',
    'https://localhost/callback',
    'http://localhost.evil.example/callback',
    'http://localhost:99999/callback',
    'http://localhost@evil.example/callback',
  ];
  for (const redirect_uri of refused) {
    const response = await browser.fetch(authorizeUrl(issuer, { ...request, redirect_uri }));
    assert.equal(response.status, 400, redirect_uri);
    assert.equal(response.headers.get('location'), null, redirect_uri);
  }
});

test('a code redeemed with an assertion cannot be refreshed without one, and the refused refresh costs nothing (AS-76)', async (t) => {
  const { site, browser } = await setUp(t);
  const key = await signer();
  const clientId = publish(site, {
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_methods_supported: ['private_key_jwt', 'none'],
    jwks: { keys: [key.jwk] },
  });
  const { verifier, challenge } = pkce();
  const redirectUri = 'http://localhost:4000/callback';
  const landing = await authorizeWith(
    browser,
    authorizeUrl(issuer, {
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: challenge,
    }),
    'assertion+sktest@example.com',
  );
  const now = Math.floor(gatewarden.clock.now().getTime() / 1000);
  const assertion = async (): Promise<Record<string, string>> => ({
    client_assertion_type: JWT_BEARER,
    client_assertion: await key.sign({
      iss: clientId,
      sub: clientId,
      aud: issuer,
      exp: now + 60,
      jti: randomUUID(),
    }),
  });
  const tokens = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: redirectUri,
    ...(await assertion()),
  });
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
  const refresh = {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: String(tokens.body['refresh_token']),
  };
  const without = await token(issuer, refresh);
  assert.deepEqual([without.status, without.body['error']], [401, 'invalid_client']);
  assert.equal((await token(issuer, { ...refresh, ...(await assertion()) })).status, 200);
});

test('while the document’s origin is down refresh works, and a new authorization is a page without redirect (AS-78, AS-79, AS-22)', async (t) => {
  const { site, browser } = await setUp(t);
  const clientId = publish(site);
  const { verifier, challenge } = pkce();
  const redirectUri = 'http://localhost:4000/callback';
  const url = authorizeUrl(issuer, {
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
  });
  const landing = await authorizeWith(browser, url, 'outage+sktest@example.com');
  const tokens = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    code: landing.params.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
  assert.equal(tokens.status, 200, JSON.stringify(tokens.body));
  site.down();
  gatewarden.clock.advance({ minutes: 75 });
  const refreshed = await token(issuer, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: String(tokens.body['refresh_token']),
  });
  assert.equal(refreshed.status, 200, JSON.stringify(refreshed.body));
  const page = asPage(await browser.open(url));
  assert.deepEqual([page.status, page.error], [400, 'invalid_client_metadata_url']);
  const never = publish(site);
  const unknown = await token(issuer, {
    grant_type: 'refresh_token',
    client_id: never,
    refresh_token: 'x',
  });
  assert.deepEqual([unknown.status, unknown.body['error']], [503, 'temporarily_unavailable']);
  assert.ok(Number(unknown.headers.get('retry-after')) > 0);
});

test('with documents off, a client that sends its URL anyway reads that this server does not accept them (AS-83)', async (t) => {
  const { site, browser } = await setUp(t);
  const off = await gatewarden.mcpServer({ metadataDocumentsEnabled: false });
  const page = asPage(
    await browser.open(
      authorizeUrl(`${gatewarden.url}/resources/${off.id}`, {
        client_id: publish(site),
        redirect_uri: 'http://localhost:4000/callback',
        code_challenge: pkce().challenge,
      }),
    ),
  );
  assert.deepEqual([page.status, page.error], [400, 'invalid_client']);
  assert.match(page.html, /doesn&#39;t accept this kind of app/);
  assert.deepEqual(site.requests, []);
});
