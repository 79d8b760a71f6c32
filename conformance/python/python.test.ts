import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import {
  authorizeWith,
  cookieBrowser,
  signJwt,
  sql,
  startTestGatewarden,
  type TestGatewarden,
} from '@gatewarden/server/testing';
import { beginOwnLogin } from '../vendor-own-login.ts';
import { pythonEnvironment } from './environment.ts';

type Question = { readonly ask: string; readonly [detail: string]: unknown };
type Report = { readonly methods: string[]; readonly calls: [method: string, outcome: string][] };
type Certificate = { readonly cert: string; readonly key: string; readonly file: string };

const CALLBACK = 'https://app.example.com/callback';
const CONNECTION = {
  provider: 'OKTA',
  type: 'OIDC',
  oidc_config: {
    issuer: 'https://idp.example',
    authorize_uri: 'https://idp.example/authorize',
    token_uri: 'https://idp.example/token',
    jwks_uri: 'https://idp.example/keys',
    client_id: 'gatewarden',
    client_secret: 'a-secret-of-the-provider',
  },
};
/** They only write or read something, or answer false. */
const NEVER_FAIL = [
  'get_authorization_url',
  'get_logout_url',
  'validate_access_token',
  'sessions.create_session_filter',
];
/** Counters of failed or of all attempts, which are there to be counted. */
const COUNTERS = ['rate_limits'];

/** gRPC in Python speaks TLS only. */
async function certificateOfLocalhost(t: TestContext): Promise<Certificate | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'gatewarden-python-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [file, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const kind = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
  ];
  const name = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const out = ['-keyout', keyFile, '-out', file];
  const made = await promisify(execFile)('openssl', [
    'req',
    '-x509',
    ...kind,
    ...name,
    ...out,
  ]).then(
    () => true,
    () => false,
  );
  if (!made) return undefined;
  return { file, cert: readFileSync(file, 'utf8'), key: readFileSync(keyFile, 'utf8') };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address ? address.port : assert.fail('no port');
}

/** A digest of every table, so that a changed row shows as well as a new one. */
async function contentOf({ database }: TestGatewarden): Promise<Record<string, string>> {
  const tables = await database.rows<{ name: string; digest: string }>(sql`
    select tablename as name, content_of(tablename) as digest from pg_tables
     where schemaname = current_schema() and tablename <> all(${COUNTERS})`);
  return Object.fromEntries(tables.map(({ name, digest }) => [name, digest]));
}

async function prepareContentOf({ database }: TestGatewarden): Promise<void> {
  await database.rows(sql`
    create function content_of(name text) returns text language plpgsql as $$
    declare digest text;
    begin
      execute format('select md5(coalesce(string_agg(t::text, chr(10) order by t::text), '''')) from %I t', name)
         into digest;
      return digest;
    end $$`);
}

/** Answers what the script asks. */
async function answer(gatewarden: TestGatewarden, question: Question): Promise<unknown> {
  const text = (name: string): string => String(question[name]);
  switch (question.ask) {
    case 'rows':
      return await contentOf(gatewarden);
    case 'callback':
      return await patch(gatewarden, `/clients/${gatewarden.client.id}`, text('token'), {
        post_login_uris: [CALLBACK],
      });
    case 'sign-in': {
      const browser = cookieBrowser(gatewarden.url);
      const landing = await authorizeWith(browser, text('url'), 'ann+sktest@example.com');
      return landing.params.get('code') ?? assert.fail(String(landing.params));
    }
    case 'complete': {
      const path = `/organizations/${text('organization')}/connections/${text('connection')}`;
      return await patch(gatewarden, path, text('token'), CONNECTION);
    }
    case 'code': {
      const mailbox = await fetch(
        `${gatewarden.url}/dev/mailbox.json?to=${encodeURIComponent(text('email'))}`,
      );
      const mails: { code?: string }[] = await mailbox.json();
      return mails[0]?.code ?? assert.fail('no mail');
    }
    case 'passkey':
      return await passkey(gatewarden, text('user'));
    case 'own-login':
      return await beginOwnLogin(gatewarden, text('token'));
    case 'idp-token':
      return await idpToken(gatewarden, text('organization'));
    case 'later':
      gatewarden.clock.advance({ days: Number(question['days']) });
      return true;
    default:
      return assert.fail(`nobody knows "${question.ask}"`);
  }
}

/** What the SDK has no method for is set over REST. */
async function patch(
  { url }: TestGatewarden,
  path: string,
  token: string,
  body: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const response = await fetch(`${url}/api/v1${path}`, {
    method: 'PATCH',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  assert.equal(response.status, 200, await response.text());
  return true;
}

async function passkey({ database, environment }: TestGatewarden, user: string): Promise<string> {
  const id = 'cred_100000000000000';
  const [credential, key] = [new Uint8Array([1, 2]), new Uint8Array([3])];
  await database.rows(sql`
    insert into passkeys (environment_id, id, user_id, credential_id, public_key, created_at, updated_at)
    values (${environment.id}, ${id}, ${user}, ${credential}, ${key}, now(), now())`);
  return id;
}

async function idpToken(gatewarden: TestGatewarden, organization: string): Promise<string> {
  const now = Math.floor(gatewarden.clock.now().getTime() / 1000);
  const claims = {
    iss: gatewarden.url,
    iat: now,
    exp: now + 300,
    organization_id: organization,
    connection_id: 'conn_1',
    login_hint: 'ann@acme.example',
  };
  return await signJwt(gatewarden.context(), { typ: 'idp-login+jwt', claims });
}

/** Runs the script to its end, and returns what it says last. */
async function tell(
  t: TestContext,
  python: string,
  gatewarden: TestGatewarden,
  certificate: string,
): Promise<Report> {
  const { id, secret = '' } = gatewarden.client;
  const script = join(import.meta.dirname, 'every_method.py');
  const child = spawn(python, ['-W', 'ignore', script, gatewarden.url, id, secret], {
    env: {
      PATH: process.env['PATH'],
      GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: certificate,
      REQUESTS_CA_BUNDLE: certificate,
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors = `${errors}${chunk}`.slice(-8_000);
  });
  const ended = new Promise<number | null>((done) => child.once('close', done));
  let report: Report | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const said: Question | Report = JSON.parse(line);
    if ('ask' in said) child.stdin.write(`${JSON.stringify(await answer(gatewarden, said))}\n`);
    else report = said;
  }
  assert.equal(await ended, 0, errors);
  return report ?? assert.fail('the script ended without a report');
}

function methodsWith({ calls }: Report, ok: boolean): string[] {
  const found = calls.filter(([, outcome]) => (outcome === 'ok') === ok);
  return [...new Set(found.map(([method]) => method))].sort();
}

test("every method of the vendor's unchanged Python SDK does what it says over TLS, and what it refuses three times leaves nothing behind (contract)", async (t) => {
  const python = await pythonEnvironment();
  if (python.kind === 'absent') return t.skip(python.reason);
  const certificate = await certificateOfLocalhost(t);
  if (!certificate) return t.skip('openssl cannot make a certificate here');
  tls.setDefaultCACertificates([certificate.cert]);
  const port = await freePort();
  const url = `https://localhost:${port}`;
  const { cert, key } = certificate;
  const gatewarden = await startTestGatewarden(t, { config: { url, port, tls: { cert, key } } });
  await prepareContentOf(gatewarden);

  const report = await tell(t, python.command, gatewarden, certificate.file);

  const without = (names: readonly string[]): string[] =>
    report.methods.filter((name) => !names.includes(name)).sort();
  assert.ok(report.methods.length > 100, `${report.methods.length} methods`);
  assert.deepEqual(methodsWith(report, true), without([]), 'called with success');
  assert.deepEqual(methodsWith(report, false), without(NEVER_FAIL), 'called and refused');
});
