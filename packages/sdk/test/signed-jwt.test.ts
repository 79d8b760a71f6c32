import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
  type FakeIssuer,
  newKey,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import {
  Gatewarden,
  KeysUnavailableException,
  ScalekitException,
  ScalekitValidateTokenFailureException,
} from '../src/index.ts';
import { refusal } from './sdk-site.ts';

type Site = { readonly issuer: FakeIssuer; readonly sdk: Gatewarden };

/** An issuer whose token endpoint answers with this ID token; `fetch` answers for it, keys come over HTTP. */
async function siteWith(t: TestContext, idToken: (issuer: FakeIssuer) => unknown): Promise<Site> {
  const issuer = await startFakeIssuer(t);
  const sdk = new Gatewarden(issuer.url, 'skc_1', 's', {
    now: () => issuer.clock.now,
    fetch: async (url, init) =>
      url.endsWith('/oauth/token')
        ? Response.json({ access_token: 'a', expires_in: 60, id_token: await idToken(issuer) })
        : await fetch(url, init),
  });
  return { issuer, sdk };
}

const mine = { aud: ['skc_1'], email: 'ann@example.com', given_name: 'Ann', nonce: undefined };

async function refusedAs(code: string, call: Promise<unknown>): Promise<void> {
  const error = await refusal(call);
  assert.ok(error instanceof ScalekitValidateTokenFailureException, String(error));
  assert.equal(error.code, code, error.message);
  assert.doesNotMatch(error.message, /eyJ|ann@|skc_/);
}

test('an ID token counts when this server signed it for this client, now', async (t) => {
  const { sdk } = await siteWith(t, (issuer) => issuer.token(mine, { typ: 'JWT' }));
  const { user } = await sdk.authenticateWithCode('c', 'https://app.example.com/cb');
  assert.deepEqual(user, { id: 'usr_1', email: 'ann@example.com', givenName: 'Ann' });
});

test('an ID token that was forged, ended, or made for another client, server or purpose is refused', async (t) => {
  const stranger = await newKey('snk_1');
  const cases: readonly [string, (issuer: FakeIssuer) => unknown][] = [
    ['audience', (issuer) => issuer.token({ ...mine, aud: ['skc_2'] }, { typ: 'JWT' })],
    ['issuer', (issuer) => issuer.token({ ...mine, iss: 'https://evil.example' }, { typ: 'JWT' })],
    ['type', (issuer) => issuer.token(mine)],
    ['type', (issuer) => issuer.token(mine, { typ: 'idp-login+jwt' })],
    ['signature', (issuer) => issuer.token(mine, { typ: 'JWT' }, stranger)],
    ['unknown_key', (issuer) => issuer.token(mine, { typ: 'JWT', kid: 'snk_9' })],
    ['missing_claim', (issuer) => issuer.token({ ...mine, exp: undefined }, { typ: 'JWT' })],
    ['expired', (issuer) => issuer.token({ ...mine, exp: 1 }, { typ: 'JWT' })],
    ['malformed', () => 'a.b.c'],
  ];
  for (const [code, idToken] of cases) {
    const { sdk } = await siteWith(t, idToken);
    await refusedAs(code, sdk.authenticateWithCode('c', 'https://app.example.com/cb'));
  }
  const { sdk } = await siteWith(t, () => undefined);
  const none = await refusal(sdk.authenticateWithCode('c', 'https://app.example.com/cb'));
  assert.ok(none instanceof ScalekitException && /id_token/.test(none.message));
});

test('a login that an identity provider began is read from its own kind of token only (RFC 8725 section 3.11)', async (t) => {
  const { issuer, sdk } = await siteWith(t, () => undefined);
  const facts = {
    organization_id: 'org_1',
    connection_id: 'conn_1',
    login_hint: 'ann@example.com',
    relay_state: 'r',
  };
  const typ = 'idp-login+jwt';
  const claims = await sdk.getIdpInitiatedLoginClaims(await issuer.token(facts, { typ }));
  assert.deepEqual(
    [claims.organization_id, claims.connection_id, claims.login_hint, claims.relay_state],
    ['org_1', 'conn_1', 'ann@example.com', 'r'],
  );
  for (const [code, token] of [
    ['type', await issuer.token(facts)],
    ['type', await issuer.token(facts, { typ: 'JWT' })],
    ['issuer', await issuer.token({ ...facts, iss: 'https://evil.example' }, { typ })],
  ] as const)
    await refusedAs(code, sdk.getIdpInitiatedLoginClaims(token));
  await refusedAs(
    'audience',
    sdk.getIdpInitiatedLoginClaims(await issuer.token(facts, { typ }), { audience: ['other'] }),
  );
  const old = await issuer.token(facts, { typ });
  issuer.advance(3_700);
  await refusedAs('expired', sdk.getIdpInitiatedLoginClaims(old));
});

test('a key that was rotated in is found, and a key set that cannot be had blames no token', async (t) => {
  const { issuer, sdk } = await siteWith(t, () => undefined);
  const typ = 'idp-login+jwt';
  issuer.answer = (response) => void response.writeHead(500).end();
  const error = await refusal(sdk.getIdpInitiatedLoginClaims(await issuer.token({}, { typ })));
  assert.ok(error instanceof KeysUnavailableException, String(error));
  issuer.answer = undefined;
  const second = await newKey('snk_2');
  issuer.published = [issuer.key.jwk, second.jwk];
  await sdk.getIdpInitiatedLoginClaims(await issuer.token({}, { typ }, second));
  assert.equal(issuer.fetches, 2);
});
