import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  authorizeUrl,
  authorizeWith,
  type CookieBrowser,
  cookieBrowser,
  pkce,
  register,
  sql,
  startTestGatewarden,
  type TestGatewarden,
  type TokenAnswer,
  testPostgres,
  token,
} from '@gatewarden/server/testing';
import { type Cleanup, spawnCommand } from './spawn-dev.ts';

const REDIRECT = 'https://client.example/cb';
const RUNBOOKS = fileURLToPath(new URL('../../../docs/security/runbooks.md', import.meta.url));
const page = await readFile(RUNBOOKS, 'utf8');
/** The commands of the runbooks, and those that a test has run. */
export const documented = [...page.matchAll(/^ *gatewarden (.+)$/gm)].map(
  ([, command = '']) => command,
);
export const ran = new Set<string>();

/** A server on PostgreSQL, and what an operator of it has. */
export type Site = {
  readonly gatewarden: TestGatewarden;
  readonly databaseUrl: string;
  readonly key: string;
  readonly folder: string;
};
type Outcome = {
  readonly code: unknown;
  readonly json: Record<string, unknown>;
  readonly errors: string;
};

export async function startSite(t: Cleanup): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'gatewarden-runbook-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { url, database } = await testPostgres(t as never);
  const key = randomBytes(32);
  const config = { secretKeys: [new Uint8Array(key)] };
  const gatewarden = await startTestGatewarden(t as never, { database, config });
  return { gatewarden, databaseUrl: url, key: key.toString('base64'), folder };
}

/** Runs any command as its own process, with what an operator has in the environment. */
export async function run(
  site: Site,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<Outcome> {
  const { child, errors } = spawnCommand(args, {
    cwd: site.folder,
    env: { DATABASE_URL: site.databaseUrl, GATEWARDEN_SECRET_KEY: site.key, ...env },
  });
  let out = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  // Unlike the exit, this comes after the last output.
  const code = await new Promise((done) => child.once('close', done));
  return { code, errors: errors(), json: out.startsWith('{') ? JSON.parse(out) : {} };
}

/** Runs a command as the runbooks print it, with this deployment's ids in it. It must succeed. */
export async function runbook(
  site: Site,
  command: string,
  values: Readonly<Record<string, string>> = {},
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  assert.ok(documented.includes(command), `the runbooks do not say: gatewarden ${command}`);
  ran.add(command);
  const args = command.split(' ').map((word) => values[word] ?? word);
  const asks = /^(revoke|sessions end|keys rotate)/.test(command) ? ['--yes'] : [];
  const { code, json, errors } = await run(site, [...args, '--json', ...asks], env);
  assert.equal(code, 0, errors);
  return json;
}

export type Connected = {
  readonly issuer: string;
  readonly clientId: string;
  readonly answer: TokenAnswer;
};

export async function clientAt(site: Site, serverId: string): Promise<string> {
  const { body } = await register(site.gatewarden.url, serverId, {
    client_name: 'Runbook client',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  });
  return String(body['client_id']);
}

export type Walk = { serverId: string; clientId: string; email: string; browser?: CookieBrowser };

export function requestUrl(site: Site, walk: Walk, challenge = pkce().challenge): string {
  return authorizeUrl(`${site.gatewarden.url}/resources/${walk.serverId}`, {
    client_id: walk.clientId,
    redirect_uri: REDIRECT,
    code_challenge: challenge,
    scope: 'todo:read',
  });
}

/** A code with its verifier, as a person's browser brings it. */
export async function codeFor(site: Site, walk: Walk): Promise<Record<string, string>> {
  const { verifier, challenge } = pkce();
  const browser = walk.browser ?? cookieBrowser(site.gatewarden.url);
  const { params } = await authorizeWith(browser, requestUrl(site, walk, challenge), walk.email);
  return { code: params.get('code') ?? '', code_verifier: verifier };
}

export async function redeem(
  site: Site,
  walk: Walk,
  code: Record<string, string>,
): Promise<TokenAnswer> {
  return await token(`${site.gatewarden.origin}/resources/${walk.serverId}`, {
    grant_type: 'authorization_code',
    client_id: walk.clientId,
    redirect_uri: REDIRECT,
    ...code,
  });
}

/** Sign-in, consent, tokens. */
export async function connect(site: Site, walk: Walk): Promise<Connected> {
  const answer = await redeem(site, walk, await codeFor(site, walk));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return {
    issuer: `${site.gatewarden.origin}/resources/${walk.serverId}`,
    clientId: walk.clientId,
    answer,
  };
}

export async function refresh(
  { issuer, clientId, answer }: Connected,
  at = issuer,
): Promise<TokenAnswer> {
  return await token(at, {
    grant_type: 'refresh_token',
    client_id: clientId,
    refresh_token: String(answer.body['refresh_token']),
  });
}

/** What the server says about an access token. Changes reach it by notification, so a moment is granted. */
export async function isActive(
  site: Site,
  accessToken: unknown,
  expected: boolean,
): Promise<boolean> {
  const { origin, client } = site.gatewarden;
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(`${origin}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${client.id}:${client.secret}`)}` },
      body: new URLSearchParams({ token: String(accessToken) }),
    });
    const { active } = (await response.json()) as { active: boolean };
    if (active === expected || attempt === 20) return active;
    await new Promise((done) => setTimeout(done, 100));
  }
}

export async function assertEnded(site: Site, connected: Connected, what: string): Promise<void> {
  assert.equal(await isActive(site, connected.answer.body['access_token'], false), false, what);
  const refused = await refresh(connected);
  assert.deepEqual([refused.status, refused.body['error']], [400, 'invalid_grant'], what);
}

export async function assertLives(
  site: Site,
  connected: Connected,
  what: string,
): Promise<Connected> {
  const renewed = await refresh(connected);
  assert.equal(renewed.status, 200, `${what}: ${JSON.stringify(renewed.body)}`);
  assert.equal(await isActive(site, renewed.body['access_token'], true), true, what);
  return { ...connected, answer: renewed };
}

export async function revocations(site: Site, serverId: string, kind: string): Promise<string[]> {
  const rows = await site.gatewarden.database.rows<{ value: string }>(
    sql`select value from revocations where mcp_server_id = ${serverId} and kind = ${kind} order by seq`,
  );
  return rows.map(({ value }) => value);
}

export async function events(
  site: Site,
  type: string,
): Promise<{ data: Record<string, unknown> }[]> {
  return await site.gatewarden.database.rows(
    sql`select data from events where type = ${type} order by id`,
  );
}

export function subjectOf({ answer }: Connected): string {
  const [, payload = ''] = String(answer.body['access_token']).split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).sub;
}

export function kidOf({ answer }: Connected): string {
  const [header = ''] = String(answer.body['access_token']).split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()).kid;
}

export async function kidsOf(site: Site): Promise<string[]> {
  const { keys } = (await (await fetch(`${site.gatewarden.origin}/keys`)).json()) as {
    keys: { kid: string }[];
  };
  return keys.map(({ kid }) => kid).sort();
}

export function statesOf(listed: Record<string, unknown>): Record<string, number> {
  const states: Record<string, number> = {};
  for (const { state } of listed['keys'] as { state: string }[])
    states[state] = (states[state] ?? 0) + 1;
  return states;
}

/** Every column that holds ciphertexts. */
export const SEALED = [
  'client_secrets.readable',
  'deployment.operator_key_check',
  'login_requests.code_sealed',
  'mails.code',
  'mails.html_body',
  'mails.link',
  'mails.subject',
  'mails.text_body',
  'sign_in_codes.pairing_code_sealed',
  'signing_keys.private_key',
];

/** Every column of the database in which something begins like a ciphertext of the site's key, by looking at all bytes. */
export async function sealedColumns(site: Site): Promise<string[]> {
  const { database, app } = site.gatewarden;
  const prefix = `01${app.secrets.keyId}`;
  const columns = await database.rows<{ name: string; found: boolean }>(sql`
    select c.table_name || '.' || c.column_name as name,
      (xpath('/row/found/text()', query_to_xml(format('select exists (select 1 from %I where encode(substring(%I from 1 for 9), ''hex'') = %L) as found',
        c.table_name, c.column_name, ${prefix}::text), false, true, '')))[1]::text::boolean as found
      from information_schema.columns c where c.table_schema = 'public' and c.data_type = 'bytea' order by 1`);
  return columns.filter(({ found }) => found).map(({ name }) => name);
}
