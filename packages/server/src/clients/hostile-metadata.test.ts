import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OAuthError } from '../oauth/oauth-error.ts';
import { seededChance } from '../testing/chance.ts';
import { resolveClient } from './clients.ts';
import { registerClient } from './registration.ts';
import { documentSite, testClients } from './test-clients.ts';
import { AUTHORIZE, documentOf, TOKEN } from './test-documents.ts';

/** Values that break a reader who trusts types, lengths or characters. */
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e308,
  '',
  ' ',
  'x'.repeat(2500),
  'a\u0000b',
  '\ud800',
  '\udfff\ud800',
  '\u202eevil\u202c',
  '\ufeff',
  '\u{1f468}\u200d\u{1f469}',
  '<script>alert(1)</script>',
  "'; drop table clients; --",
  'https://client.example/\u0000',
  'https://client.example/\ud800',
  'https://client.example/cb#x',
  'javascript:alert(1)',
  'https://[::1',
  'https://user@client.example/',
  '__proto__',
  [],
  {},
  [[]],
  [null],
  ['a\u0000b'],
  ['\ud800'],
  [Number.POSITIVE_INFINITY],
  { __proto__: null, constructor: 1, toString: 'x', length: 5 },
  { 0: 'https://client.example/cb', length: 1 },
  JSON.parse('{"__proto__":{"redirect_uris":["https://evil.example/"]}}'),
  JSON.parse(`${'['.repeat(3000)}${']'.repeat(3000)}`),
];

const HOSTILE = [
  ...VALUES,
  ...VALUES.map((value) => [value]),
  ...VALUES.map((value) => ['code', value]),
];

const MEMBERS = [
  ...Array.from({ length: 10 }, () => 'redirect_uris'),
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
  'token_endpoint_auth_methods_supported',
  'client_name',
  'client_name#de',
  'client_name#__proto__',
  'client_uri',
  'logo_uri',
  'tos_uri',
  'policy_uri',
  'contacts',
  'scope',
  'jwks',
  'jwks_uri',
  'software_id',
  'software_version',
  'software_statement',
  'application_type',
  '__proto__',
  'constructor',
];

const GOOD = {
  client_name: 'Example',
  redirect_uris: ['https://client.example/cb'],
  token_endpoint_auth_method: 'none',
};

/** A body with one to three members that are hostile; as somebody would send it, so own members only. */
function mixed(chance: (below: number) => number): Record<string, unknown> {
  const body: Record<string, unknown> = { ...GOOD };
  for (let count = chance(3); count >= 0; count -= 1) {
    const name = MEMBERS[chance(MEMBERS.length)] ?? 'client_name';
    Object.defineProperty(body, name, {
      value: HOSTILE[chance(HOSTILE.length)],
      enumerable: true,
      configurable: true,
    });
  }
  return body;
}

test('no metadata makes a registration fail otherwise than with an OAuth error, and what is accepted is harmless (AS-53, AS-62, fuzzing)', async () => {
  const clients = await testClients();
  await clients.settings({
    limits: { registrationPerHourPerNetwork: 100_000, registrationPerHourPerServer: 100_000 },
  });
  const server = await clients.mcpServer();
  const chance = seededChance(7591);
  let accepted = 0;
  for (let round = 0; round < 400; round += 1) {
    const body = mixed(chance);
    try {
      const { record } = await registerClient(clients.ctx, server, body);
      accepted += 1;
      const { metadata } = record.client;
      assert.doesNotMatch(
        JSON.stringify(record.client),
        /\\u0000|\\ud[89a-f]|evil\.example|\u202e/,
      );
      for (const address of [metadata.clientUri, metadata.logoUri, metadata.tosUri])
        assert.match(address ?? 'https://', /^https?:\/\//);
      assert.ok(record.client.redirectUris.every((uri) => /^[\x21-\x7e]+$/.test(uri)));
    } catch (error) {
      assert.ok(error instanceof OAuthError, `${JSON.stringify(body).slice(0, 300)}: ${error}`);
      assert.equal(error.status, 400);
      assert.match(error.description, /^[\x20-\x7e]+$/);
    }
  }
  assert.ok(accepted > 20, `only ${accepted} were accepted`);
});

test('no document makes authorize or token fail otherwise than with a refusal (AS-75, AS-79, fuzzing)', async (t) => {
  const clients = await testClients();
  await clients.settings({
    limits: { documentFetchesPerMinute: 100_000, documentFetchesPerMinutePerOrigin: 100_000 },
  });
  const site = await documentSite(t);
  const chance = seededChance(7592);
  const kinds = new Map<string, number>();
  for (let round = 0; round < 200; round += 1) {
    const url = `${site.origin}/client/${round}`;
    site.answer(`/client/${round}`, { body: { ...documentOf(url), ...mixed(chance) } });
    const { kind } = await resolveClient(clients.ctx, url, round % 2 === 0 ? AUTHORIZE : TOKEN);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  assert.deepEqual([...kinds.keys()].sort(), ['found', 'invalid-document']);
  for (const { data } of await clients.events('client.document_refused'))
    assert.match(String(data['detail']), /^[\x20-\x7e]+$/);
});
