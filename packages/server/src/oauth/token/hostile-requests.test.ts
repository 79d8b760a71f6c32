import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { seededChance } from '../../testing/chance.ts';
import {
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  redeem,
  refresh,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

// Requests that no client sends: whatever they hold, the answer is a refusal in OAuth JSON, and nothing that others hold is touched.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let client: TestClient;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  client = await makeClient(site, { mcpServerId: server.id });
});

async function send(path: string, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const response = await fetch(`${server.issuer}/oauth/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: response.status, text: await response.text() };
}

function assertRefused({ status, text }: { status: number; text: string }, what: string): void {
  assert.ok([400, 401, 413, 429].includes(status), `${status} ${text}: ${what.slice(0, 300)}`);
  const body: unknown = JSON.parse(text);
  assert.ok(
    typeof body === 'object' && body !== null && 'error' in body && 'error_description' in body,
  );
  assert.match(text, /^[\x20-\x7e]+$/);
}

test('bytes that are no form are 400 at every endpoint: NUL, invalid UTF-8, half an escape, ten thousand parameters (AS-84, AS-85)', async () => {
  const grant = 'grant_type=refresh_token&token=x&client_id=';
  const bodies: (string | Uint8Array)[] = [
    `${grant}${client.id}%00`,
    `${grant}${client.id}&refresh_token=\0`,
    Buffer.concat([Buffer.from(grant), Buffer.from([0xff, 0xfe])]),
    Buffer.concat([Buffer.from(`${grant}${client.id}&x=`), Buffer.from([0xc0, 0x80])]),
    `${grant}${client.id}&x=%ed%a0%80`,
    `${grant}${client.id}&x=%`,
    `${grant}${client.id}&=x`,
    Array.from({ length: 10_000 }, (_, index) => `p${index}`).join('&'),
    '&'.repeat(60_000),
    randomBytes(5000),
    `${grant}${client.id}&refresh_token=${'x'.repeat(70_000)}`,
  ];
  for (const path of ['token', 'revoke', 'introspect'])
    for (const body of bodies) assertRefused(await send(path, body), String(body));
});

test('no mixture of parameters, repeated, emptied, enormous or of another type, gets a token or a 500 (AS-84, AS-86, fuzzing)', async () => {
  const chance = seededChance(84);
  const code = await makeCode(site, { server, client });
  const first = (await redeem(server.issuer, code, client)).body['refresh_token'];
  const fresh = await makeCode(site, { server, client });
  const names = [
    'grant_type',
    'client_id',
    'client_secret',
    'client_assertion',
    'client_assertion_type',
    'code',
    'code_verifier',
    'redirect_uri',
    'refresh_token',
    'scope',
    'resource',
    'audience',
    'token',
    'token_type_hint',
    '__proto__',
    'constructor',
  ];
  const values = [
    'authorization_code',
    'refresh_token',
    'client_credentials',
    'urn:ietf:params:oauth:grant-type:jwt-bearer',
    'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client.id,
    'https://client.example/callback',
    'https://127.0.0.1/x',
    `https://${'a'.repeat(300)}/x`,
    '',
    ' ',
    'x',
    '[object Object]',
    '{}',
    'null',
    'a.b.c',
    '\u202e',
    '\ud83d\ude00',
    '"\\',
    `rt_${'A'.repeat(43)}`,
    'w'.repeat(43),
    'x'.repeat(5000),
    '%00',
    '../../etc',
    "' or 1=1 --",
    '-1',
    '1e999',
  ];
  const headers = [
    {},
    {},
    { authorization: 'Basic ' },
    { authorization: 'Basic Og==' },
    { authorization: `Basic ${Buffer.from(`${client.id}:x`).toString('base64')}` },
    { authorization: `Basic ${Buffer.from('a\0b:c').toString('base64')}` },
    { authorization: 'Bearer x' },
    { authorization: `Basic ${'A'.repeat(9000)}` },
  ];
  for (let round = 0; round < 500; round += 1) {
    const form = new URLSearchParams();
    for (let count = chance(8); count >= 0; count -= 1)
      form.append(names[chance(names.length)] ?? 'x', values[chance(values.length)] ?? 'x');
    const body = form.toString();
    const path = ['token', 'introspect'][chance(2)] ?? 'token';
    assertRefused(await send(path, body, headers[chance(headers.length)]), body);
  }
  assert.equal((await redeem(server.issuer, fresh, client)).status, 200);
  assert.equal((await refresh(server.issuer, first, client)).status, 200);
});
