import assert from 'node:assert/strict';
import { before, type TestContext, test } from 'node:test';
import {
  type FakeIssuer,
  newKey,
  part,
  type SigningKey,
  scopeClaims,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import { Gatewarden, ScalekitClient as OurClient } from '@gatewarden/sdk';
import { ScalekitClient as VendorClient } from '@scalekit-sdk/node';
import { manage, startGatewarden } from './gatewarden-process.ts';

type Rules = { issuer?: string; audience?: string[]; requiredScopes?: string[] };
type Case = {
  readonly what: string;
  readonly token: string;
  readonly rules?: Rules;
};
type Client = Pick<Gatewarden, 'validateToken' | 'validateAccessToken'>;

let key: SigningKey;
let second: SigningKey;
let stranger: SigningKey;
let ec: SigningKey;
before(async () => {
  [key, second, stranger, ec] = await Promise.all([
    newKey('snk_1'),
    newKey('snk_2'),
    newKey('snk_1'),
    newKey('snk_ec', 'ES256'),
  ]);
});

/** What a call comes to: its claims, or the name of its error. */
async function verdict(client: Client, { token, rules }: Case): Promise<unknown> {
  const held = client.validateAccessToken(token, rules);
  let outcome: unknown;
  try {
    outcome = await client.validateToken<Record<string, unknown>>(token, rules);
  } catch (error) {
    outcome = (error as Error).name;
  }
  assert.equal(await held, typeof outcome === 'object');
  return outcome;
}

async function start(t: TestContext): Promise<{ issuer: FakeIssuer; clients: [Client, Client] }> {
  const issuer = await startFakeIssuer(t, key);
  issuer.clock.now = new Date(); // the vendor has no other clock
  const vendor = new VendorClient(issuer.url, 'skc_1', 'secret');
  const ours = new OurClient(issuer.url, 'skc_1', 'secret', { log: () => undefined });
  return { issuer, clients: [vendor, ours] };
}

const REFUSED = 'ScalekitValidateTokenFailureException';

test("accepted and refused as by the vendor's SDK, with the same claims and error names (RS-28)", async (t) => {
  const { issuer, clients } = await start(t);
  issuer.published = [key.jwk, second.jwk];
  const { url } = issuer;
  const now = Math.floor(Date.now() / 1_000);
  const valid = await issuer.token();
  const [header = '', payload = '', signature = ''] = valid.split('.');
  const machine = { sub: 'skc_1', gty: 'client-credentials', ...scopeClaims('a:b c:d') };
  const audience = (...names: string[]): Rules => ({ issuer: url, audience: names });
  const cases: readonly Case[] = [
    { what: 'no rules', token: valid },
    { what: 'issuer', token: valid, rules: { issuer: url } },
    { what: 'issuer and audience', token: valid, rules: audience('res_1234567890') },
    { what: 'one of several audiences', token: valid, rules: audience('x', 'res_1234567890') },
    {
      what: 'an audience as text',
      token: await issuer.token({ aud: 'one' }),
      rules: audience('one'),
    },
    { what: 'the original: typ JWT', token: await issuer.token({}, { typ: 'JWT' }) },
    { what: 'the original: no typ', token: await issuer.token({}, { typ: undefined }) },
    {
      what: 'the original: scopes alone',
      token: await issuer.token({ scope: undefined, scopes: ['a', 'b'] }, { typ: 'JWT' }),
      rules: { requiredScopes: ['b', 'a'] },
    },
    { what: 'a machine', token: await issuer.token(machine), rules: { requiredScopes: ['a:b'] } },
    { what: 'no scopes needed', token: await issuer.token(machine), rules: { requiredScopes: [] } },
    { what: 'the second key', token: await issuer.token({}, {}, second) },
    {
      what: 'an organization and claims of its own',
      token: await issuer.token({
        org_id: 'org_1',
        oid: 'org_1',
        roles: ['admin'],
        deep: { a: [1] },
      }),
    },
    { what: 'a scope that is missing', token: valid, rules: { requiredScopes: ['todo:write'] } },
    { what: 'another audience', token: valid, rules: audience('res_2') },
    { what: 'no audience in the list', token: valid, rules: audience() },
    { what: 'another issuer', token: valid, rules: { issuer: 'https://evil.example' } },
    { what: 'the issuer of one server', token: valid, rules: { issuer: `${url}/resources/res_1` } },
    { what: 'ended', token: await issuer.token({ exp: now - 60 }) },
    { what: 'not valid yet', token: await issuer.token({ nbf: now + 3_600 }) },
    { what: 'exp as text', token: await issuer.token({ exp: String(now + 60) }) },
    { what: "a stranger's signature", token: await issuer.token({}, {}, stranger) },
    { what: 'a key that is not published', token: await issuer.token({}, { kid: 'snk_9' }) },
    {
      what: 'a changed payload',
      token: `${header}.${part(issuer.claims({ sub: 'usr_2' }))}.${signature}`,
    },
    { what: 'alg none', token: `${part({ alg: 'none', typ: 'at+jwt' })}.${payload}.` },
    {
      what: 'an HMAC',
      token: `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'snk_1' })}.${payload}.AAAA`,
    },
    { what: 'an unknown critical header', token: await signedWith(issuer, { crit: ['x'], x: 1 }) },
    { what: 'no token', token: '' },
    { what: 'any text', token: 'hello' },
    { what: 'two parts', token: `${header}.${payload}` },
    { what: 'five parts', token: `${valid}.a.b` },
    { what: 'undefined, from code without types', token: undefined as unknown as string },
  ];
  const accepted = 12;
  for (const [n, one] of cases.entries()) {
    const [vendors, ours] = [await verdict(clients[0], one), await verdict(clients[1], one)];
    assert.deepEqual(ours, vendors, one.what);
    if (n < accepted) assert.equal(typeof ours, 'object', one.what);
    else assert.equal(ours, REFUSED, one.what);
  }
});

/** A header that the signing library would not write. */
async function signedWith(issuer: FakeIssuer, header: object): Promise<string> {
  const input = `${part({ alg: 'RS256', typ: 'at+jwt', kid: 'snk_1', ...header })}.${part(issuer.claims())}`;
  const bytes = await crypto.subtle.sign(
    'RSASSA-PKCS1-v1_5',
    issuer.key.privateKey,
    new TextEncoder().encode(input),
  );
  return `${input}.${Buffer.from(bytes).toString('base64url')}`;
}

test("what the vendor's SDK lets pass although it is no access token for us is refused, under the same name (RS-28, RS-21, RS-24, AS-145)", async (t) => {
  const { issuer, clients } = await start(t);
  issuer.published = [key.jwk, ec.jwk];
  const toClient = { audience: ['skc_1'] };
  const idToken = { aud: ['skc_1'], client_id: undefined, scope: undefined, scopes: undefined };
  const cases: readonly Case[] = [
    { what: 'ID token', token: await issuer.token(idToken, { typ: 'JWT' }), rules: toClient },
    {
      what: 'ID token with a nonce and the client id that others put there',
      token: await issuer.token({ ...idToken, client_id: 'skc_1', nonce: 'n' }, { typ: 'JWT' }),
      rules: toClient,
    },
    { what: 'logout token', token: await issuer.token({}, { typ: 'logout+jwt' }) },
    { what: 'login of a provider', token: await issuer.token({}, { typ: 'idp-login+jwt' }) },
    { what: 'feed', token: await issuer.token({}, { typ: 'gatewarden-revocations+jwt' }) },
    {
      what: 'issuer that nobody named',
      token: await issuer.token({ iss: 'https://other.example' }),
    },
    { what: 'no issuer', token: await issuer.token({ iss: undefined }) },
    { what: 'no end', token: await issuer.token({ exp: undefined }) },
    { what: 'no client', token: await issuer.token({ client_id: undefined }) },
    { what: 'no subject', token: await issuer.token({ sub: undefined }) },
    { what: 'no key id', token: await issuer.token({}, { kid: undefined, alg: 'RS256' }) },
    { what: 'issued tomorrow', token: await issuer.token({ iat: Date.now() / 1_000 + 86_400 }) },
    { what: 'scope and scopes differ', token: await issuer.token({ scopes: ['todo:write'] }) },
    { what: 'bound to a key', token: await issuer.token({ cnf: { jkt: 'x' } }) },
    { what: 'an algorithm that is not ours', token: await issuer.token({}, {}, ec) },
    {
      what: 'an empty issuer in the rules',
      token: await issuer.token({ iss: 'https://o.example' }),
      rules: { issuer: '' },
    },
    {
      what: 'an audience that was forgotten',
      token: await issuer.token(),
      rules: { audience: '' as unknown as string[] },
    },
  ];
  for (const one of cases) {
    const [vendors, ours] = [await verdict(clients[0], one), await verdict(clients[1], one)];
    assert.deepEqual([typeof vendors, ours], ['object', REFUSED], one.what);
  }
});

test("what the vendor's SDK refuses although nothing is wrong with it passes (RS-28, RS-20, RS-24, RS-30)", async (t) => {
  const { issuer, clients } = await start(t);
  const now = Date.now() / 1_000;
  const url = issuer.url;
  const cases: readonly Case[] = [
    { what: 'clocks that differ', token: await issuer.token({ exp: now - 5 }) },
    { what: 'clocks that differ the other way', token: await issuer.token({ nbf: now + 15 }) },
    {
      what: 'scope alone',
      token: await issuer.token({ scopes: undefined }),
      rules: { requiredScopes: ['todo:read'] },
    },
    {
      what: 'a slash in the configured issuer',
      token: await issuer.token(),
      rules: { issuer: `${url}/` },
    },
    {
      what: 'an origin with its slash',
      token: await issuer.token({ aud: 'https://api.example.com' }),
      rules: { audience: ['https://api.example.com/'] },
    },
  ];
  for (const one of cases) {
    const [vendors, ours] = [await verdict(clients[0], one), await verdict(clients[1], one)];
    assert.deepEqual([vendors, typeof ours], [REFUSED, 'object'], one.what);
  }
  // The vendor reads the key set once in the life of a process.
  let passedMs = 0;
  const clock = (): Date => new Date(Date.now() + passedMs);
  const later = new Gatewarden(url, 'skc_1', 'secret', { now: clock });
  await later.validateToken(await issuer.token());
  issuer.published = [second.jwk, key.jwk];
  passedMs = 31_000;
  const rotated = { what: 'a rotated key', token: await issuer.token({}, {}, second) };
  assert.deepEqual(
    [await verdict(clients[0], rotated), typeof (await verdict(later, rotated))],
    [REFUSED, 'object'],
  );
});

test("both SDKs give the same claims for a machine's token and for the environment's own (RS-28, AS-116, AS-149)", async (t) => {
  const gatewarden = await startGatewarden(t);
  const { environmentUrl, clientId, clientSecret, demo } = gatewarden;
  const vendor = new VendorClient(environmentUrl, clientId, clientSecret);
  const ours = new OurClient(environmentUrl, clientId, clientSecret);
  const created = await manage(gatewarden, 'POST', `/resources/${demo.resourceId}/clients`, {
    name: 'Machine',
    scopes: ['todo:read'],
  });
  const { client_id } = created['client'] as { client_id: string };
  const response = await fetch(`${environmentUrl}/resources/${demo.resourceId}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id,
      client_secret: String(created['plain_secret']),
    }),
  });
  const { access_token: token } = (await response.json()) as { access_token: string };
  const own = await vendor.getClientAccessToken();
  const rules: Rules = { issuer: environmentUrl, audience: [demo.resourceId] };
  const cases: readonly Case[] = [
    { what: 'machine', token, rules: { ...rules, requiredScopes: ['todo:read'] } },
    { what: 'machine, wider', token, rules: { ...rules, requiredScopes: ['todo:write'] } },
    { what: 'machine, elsewhere', token, rules: { audience: ['res_1'] } },
    { what: 'environment', token: own },
    { what: 'environment at the MCP server', token: own, rules },
  ];
  const outcomes: string[] = [];
  for (const one of cases) {
    const [vendors, mine] = [await verdict(vendor, one), await verdict(ours, one)];
    assert.deepEqual(mine, vendors, one.what);
    outcomes.push(typeof mine);
  }
  assert.deepEqual(outcomes, ['object', 'string', 'string', 'object', 'string']);
});
