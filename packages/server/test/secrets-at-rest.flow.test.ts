import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createLog } from '../src/runtime/log.ts';
import { sql } from '../src/storage/db.ts';
import { asPage, cookieBrowser } from '../src/testing/cookie-browser.ts';
import { LOOPBACK, startMcpSite } from '../src/testing/mcp-site.ts';
import { allow, authorizeWith, register, token } from '../src/testing/oauth-client.ts';

const lines: string[] = [];
const site = await startMcpSite(
  { after },
  { log: createLog('trace', { write: (line) => void lines.push(line) }) },
);
const { gatewarden, issuer } = site;

/** Every value of every table, as text. */
async function dump(): Promise<Map<string, string>> {
  const { database } = gatewarden;
  const tables = await database.rows<{ name: string }>(
    sql`select table_name::text as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'`,
  );
  const dumped = new Map<string, string>();
  for (const { name } of tables) {
    const text = `select to_jsonb(t)::text as row from "${name}" t`;
    const rows = await database.rows<{ row: string }>(sql(Object.assign([text], { raw: [text] })));
    dumped.set(name, rows.map(({ row }) => row).join('\n'));
  }
  return dumped;
}

/** How a value could stand there: as it is, as bytes in hex, as base64. */
function spellings(secret: string | Uint8Array): string[] {
  const bytes = Buffer.from(secret);
  const plain = typeof secret === 'string' ? [secret] : [];
  const base64 = bytes.toString('base64').replace(/=+$/, '');
  return [
    ...plain,
    bytes.toString('hex'),
    base64,
    base64.replaceAll('+', '-').replaceAll('/', '_'),
  ];
}

function assertAbsent(
  secrets: Readonly<Record<string, string | Uint8Array | undefined>>,
  texts: ReadonlyMap<string, string>,
): void {
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret !== undefined && secret.length >= 6, `${name} is known to the test`);
    for (const [place, text] of texts)
      for (const spelling of spellings(secret))
        assert.ok(!text.includes(spelling), `${name} stands in ${place}`);
  }
}

test('the dump of a fresh database has no private key and no secret in clear, in hex or in base64 (AS-20, AS-69)', async () => {
  const dumped = await dump();
  assert.ok(dumped.size >= 15 && (dumped.get('signing_keys') ?? '').split('\n').length === 3);
  const text = [...dumped.values()].join('\n');
  assert.ok(!/BEGIN [A-Z ]*PRIVATE KEY|"(?:d|p|q|dp|dq|qi|k)":\s*"/.test(text), 'PEM or JWK');
  assertAbsent(
    {
      'the operator key': gatewarden.secretKeys[0],
      'the environment client’s secret': gatewarden.client.secret,
      'the header of a PEM file': '-----BEGIN',
      'the algorithm in a PKCS #8 key': new Uint8Array([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01]),
    },
    dumped,
  );
});

test('after a whole flow neither database, log, events nor metrics have a code, token, cookie, verifier or secret (AS-20, AS-121, AS-140)', async () => {
  const email = 'person@example.com';
  const browser = cookieBrowser(gatewarden.url);
  const state = 'state-of-the-client-0123456789';
  const client = await site.clientWith({
    redirect_uris: [LOOPBACK],
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const target = site.url({ client_id: client, state, nonce: 'nonce-of-the-client' });
  const identify = asPage(await browser.open(target));
  const typing = asPage(await browser.submit(identify, { email }));
  const [mail] = (await (
    await fetch(`${gatewarden.url}/dev/mailbox.json?to=${encodeURIComponent(email)}`)
  ).json()) as { code: string; link: string; text: string }[];
  assert.ok(mail);
  const csrf = typing.form?.hidden['csrf'];
  const wrong = mail.code === '123456' ? '654321' : '123456';
  await browser.submit(typing, { code: wrong, action: 'verify' });
  const landing = await allow(
    browser,
    asPage(await browser.submit(typing, { code: mail.code, action: 'verify' })),
  );
  const first = await site.redeem(landing, { client_id: client });
  const second = await token(issuer, {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: String(first.body['refresh_token']),
  });
  assert.deepEqual([first.status, second.status], [200, 200]);
  const confidential = await register(gatewarden.url, site.server.id, {
    redirect_uris: [LOOPBACK],
    token_endpoint_auth_method: 'client_secret_post',
  });
  const clientSecret = String(confidential.body['client_secret']);
  await token(issuer, {
    grant_type: 'authorization_code',
    client_id: String(confidential.body['client_id']),
    client_secret: `${clientSecret}x`,
    code: 'never-issued-0123456789',
    code_verifier: site.verifier.verifier,
  });
  await authorizeWith(cookieBrowser(gatewarden.url), site.url(), 'other+sktest@example.com');
  const [sessionCookie, browserCookie] = ['session', 'browser'].map(
    (name) => [...browser.cookies].find(([key]) => key.endsWith(name))?.[1],
  );
  const secrets = {
    'the authorization code': landing.params.get('code') ?? undefined,
    'the session cookie': sessionCookie,
    'the browser’s secret': browserCookie,
    'the form token': csrf,
    'the link of the mail': mail.link.split('/').at(-1),
    'the code verifier': site.verifier.verifier,
    'the client’s secret': clientSecret,
    'a foreign code': 'never-issued-0123456789',
    ...Object.fromEntries(
      [first, second].flatMap(({ body }, index) =>
        ['access_token', 'refresh_token'].map((name) => [`${name} ${index}`, String(body[name])]),
      ),
    ),
  };
  const dumped = await dump();
  assert.ok(dumped.get('login_requests')?.includes(state), 'the dump has what is stored');
  assertAbsent(secrets, dumped);
  assertAbsent({ 'the words of the mail': mail.text.slice(0, 40) }, dumped);
  for (const [place, text] of dumped)
    assert.ok(!text.includes(`"${mail.code}"`), `the mail's code stands in ${place}`);
  const metrics = await (await fetch(`${gatewarden.url}/metrics`)).text();
  const log = lines.join('\n');
  assert.ok(lines.length > 20 && metrics.includes('gatewarden_'), 'there is something to look at');
  assertAbsent(
    { ...secrets, 'the state': state, 'the nonce': 'nonce-of-the-client', address: email },
    new Map([
      ['the log', log.replaceAll(/.*"msg":"mail.*\n?/g, '')],
      ['the metrics', metrics],
    ]),
  );
  assertAbsent({ 'the state': state }, new Map([['events', dumped.get('events') ?? '']]));
  assert.ok(!log.includes('?'), 'no query of any address');
});
