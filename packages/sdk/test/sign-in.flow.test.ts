import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { authorizeWith, cookieBrowser, createClient, pkce } from '@gatewarden/server/testing';
import {
  Gatewarden,
  ScalekitBadRequestException,
  ScalekitException,
  ScalekitValidateTokenFailureException,
} from '../src/index.ts';
import { refusal, sdkSite } from './sdk-site.ts';

const CALLBACK = 'https://app.example.com/callback';
const LANDING = 'https://app.example.com/bye';

const cleanups: (() => Promise<void>)[] = [];
let site: Awaited<ReturnType<typeof sdkSite>>;
let shop: { readonly id: string; readonly secret: string };
let sdk: Gatewarden;
before(async () => {
  site = await sdkSite({ after: (work) => void cleanups.push(work) });
  const created = await createClient(site.gatewarden.context(), {
    kind: 'application',
    name: 'Shop',
    redirectUris: [CALLBACK],
    tokenEndpointAuthMethod: 'client_secret_post',
    grantTypes: ['authorization_code', 'refresh_token'],
  });
  assert.ok(created.kind === 'created' && created.secret, JSON.stringify(created));
  shop = { id: created.client.id, secret: created.secret.plain };
  sdk = new Gatewarden(site.gatewarden.url, shop.id, shop.secret, {
    now: site.gatewarden.clock.now,
  });
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function code(options: Parameters<Gatewarden['getAuthorizationUrl']>[1]): Promise<string> {
  const browser = cookieBrowser(site.gatewarden.url);
  const url = sdk.getAuthorizationUrl(CALLBACK, { state: 'st', ...options });
  const landing = await authorizeWith(browser, url, 'ann+sktest@example.com');
  assert.equal(landing.params.get('state'), 'st');
  return landing.params.get('code') ?? assert.fail(String(landing.params));
}

test('a sign-in from the authorization URL to the user, and on with refresh tokens that each work once', async () => {
  const { verifier, challenge } = pkce();
  const scopes = ['openid', 'profile', 'email', 'offline_access'];
  const given = await code({ scopes, nonce: 'n-1', codeChallenge: challenge });
  const first = await sdk.authenticateWithCode(given, CALLBACK, {
    codeVerifier: verifier,
    nonce: 'n-1',
  });
  assert.match(first.user.id, /^usr_\d+$/);
  assert.equal(first.user.email, 'ann+sktest@example.com');
  assert.ok(first.expiresIn > 0 && first.refreshToken);
  const claims = await sdk.validateToken(first.accessToken);
  assert.equal(claims.sub, first.user.id);
  assert.equal(sdk.verifyScopes(first.accessToken, ['openid']), true);
  assert.throws(() => sdk.verifyScopes(first.accessToken, ['admin:all']), {
    code: 'insufficient_scope',
  });

  const next = await sdk.refreshAccessToken(first.refreshToken);
  assert.notEqual(next.refreshToken, first.refreshToken);
  await sdk.validateToken(next.accessToken);
  assert.ok(
    (await refusal(sdk.refreshAccessToken('rt_unknown'))) instanceof ScalekitBadRequestException,
  );
  assert.ok((await refusal(sdk.refreshAccessToken(''))) instanceof ScalekitException);
});

test('a code that was used, of another URL or without its verifier is refused as the server says', async () => {
  const { verifier, challenge } = pkce();
  const given = await code({ codeChallenge: challenge });
  const options = { codeVerifier: verifier };
  await sdk.authenticateWithCode(given, CALLBACK, options);
  const others = [
    await code({ codeChallenge: challenge }),
    await code({ codeChallenge: challenge }),
  ];
  for (const call of [
    () => sdk.authenticateWithCode(given, CALLBACK, options),
    () => sdk.authenticateWithCode(others[0] ?? '', CALLBACK),
    () => sdk.authenticateWithCode(others[1] ?? '', `${CALLBACK}2`, options),
  ]) {
    const error = await refusal(call());
    assert.ok(error instanceof ScalekitBadRequestException, String(error));
    assert.match(String(error.errorCode), /^invalid_(grant|request)$/);
  }
});

test('an ID token of another sign-in is refused: the code was injected', async () => {
  const { verifier, challenge } = pkce();
  const given = await code({ codeChallenge: challenge, nonce: 'of-another-browser' });
  const error = await refusal(
    sdk.authenticateWithCode(given, CALLBACK, { codeVerifier: verifier, nonce: 'n-2' }),
  );
  assert.ok(error instanceof ScalekitValidateTokenFailureException);
  assert.equal(error.code, 'nonce');
});

test('the URLs have every parameter under its name, encoded as every parser reads it', () => {
  const other = new Gatewarden('https://auth.example.com/', 'skc_1', 's');
  const url = other.getAuthorizationUrl("https://a.example/cb?x='1'", {
    state: 'a b',
    nonce: 'n',
    loginHint: 'ann+x@example.com',
    domainHint: 'example.com',
    connectionId: 'conn_1',
    organizationId: 'org_1',
    codeChallenge: 'c',
    provider: 'google',
    prompt: 'login',
  });
  assert.equal(
    url,
    'https://auth.example.com/oauth/authorize?response_type=code&client_id=skc_1&redirect_uri=https%3A%2F%2Fa.example%2Fcb%3Fx%3D%271%27&scope=openid%20profile%20email&state=a%20b&nonce=n&login_hint=ann%2Bx%40example.com&domain_hint=example.com&domain=example.com&connection_id=conn_1&organization_id=org_1&code_challenge=c&code_challenge_method=S256&provider=google&prompt=login',
  );
  assert.equal(other.getLogoutUrl(), 'https://auth.example.com/oidc/logout');
  assert.equal(
    other.getLogoutUrl({ idTokenHint: 'a.b.c', postLogoutRedirectUri: LANDING, state: 's&t' }),
    `https://auth.example.com/oidc/logout?id_token_hint=a.b.c&post_logout_redirect_uri=${encodeURIComponent(LANDING)}&state=s%26t`,
  );
});
