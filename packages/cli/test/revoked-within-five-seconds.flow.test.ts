import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuardRequest, type McpGuard, protectMcp } from '@gatewarden/resource-server';
import {
  type Ctx,
  openOperations,
  operatorConfig,
  revokeIssuedBefore,
  withdrawSigningKeys,
} from '@gatewarden/server';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  disablePerson,
  pkce,
  register,
  testPostgres,
  token,
} from '@gatewarden/server/testing';
import { decodeJwt } from 'jose';
import { freePort, type Spawned, spawnDev } from './spawn-dev.ts';

// Two authorization server processes on one PostgreSQL, and 50 resource servers that follow their feeds.

const REDIRECT = 'http://127.0.0.1:7777/cb';
const LIMIT_MS = 5_000;
const GUARDS_EACH = 25;

let one: Spawned;
let secondOrigin: string;
let resourceId: string;
let operator: Ctx;
let folder: string;
let guards: readonly McpGuard[];
const cleanups: (() => Promise<void> | void)[] = [];
const later = { after: (work: () => Promise<void> | void) => void cleanups.push(work) };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewarden-revoked-'));
  const { url, database } = await testPostgres(later);
  const secret = randomBytes(32);
  const env = { DATABASE_URL: url, GATEWARDEN_SECRET_KEY: secret.toString('base64') };
  one = await spawnDev(later, {
    cwd: folder,
    env,
    flags: ['--port', '0', '--demo', '--demo-port', '0'],
  });
  const port = await freePort();
  await spawnDev(later, {
    cwd: folder,
    env: { ...env, GATEWARDEN_URL: one.ready.environmentUrl },
    flags: ['--port', String(port)],
  });
  secondOrigin = `http://127.0.0.1:${port}`;
  resourceId = one.ready.demo?.resourceId ?? '';
  const storage = { kind: 'postgres' as const, url };
  const config = operatorConfig({ storage, secretKeys: [new Uint8Array(secret)] });
  const { environments, contextOf } = await openOperations(config, database);
  assert.ok(environments[0]);
  operator = contextOf(environments[0]);
  guards = [one.ready.environmentUrl, secondOrigin].flatMap(guardsOf);
  later.after(() => {
    for (const guard of guards) guard.close();
  });
});

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

function guardsOf(origin: string): McpGuard[] {
  return Array.from({ length: GUARDS_EACH }, () =>
    protectMcp({
      environmentUrl: one.ready.environmentUrl,
      resourceId,
      serverUrl: 'https://todo.example.com/mcp',
      jwksUri: `${origin}/keys`,
      revocation: { feedUrl: `${origin}/resources/${resourceId}/revocations` },
    }),
  );
}

async function admits(guard: McpGuard, accessToken: string): Promise<boolean> {
  const headers: Record<string, string> = {
    host: 'todo.example.com',
    authorization: `Bearer ${accessToken}`,
  };
  const request: GuardRequest = {
    method: 'GET',
    target: '/mcp',
    header: (name) => (headers[name] === undefined ? [] : [headers[name]]),
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  };
  const decision = await guard.decide(request);
  assert.ok(decision.kind === 'allow' || (decision.kind === 'respond' && decision.status === 401));
  return decision.kind === 'allow';
}

type Connected = { readonly client: string; readonly access: string; readonly refresh: string };

async function connect(): Promise<Connected> {
  const { body } = await register(one.ready.environmentUrl, resourceId, {
    client_name: 'Five seconds',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const client = String(body['client_id']);
  const { verifier, challenge } = pkce();
  const issuer = `${one.ready.environmentUrl}/resources/${resourceId}`;
  const landing = await authorizeWith(
    cookieBrowser(one.ready.environmentUrl),
    authorizeUrl(issuer, { client_id: client, redirect_uri: REDIRECT, code_challenge: challenge }),
    `p${randomBytes(4).toString('hex')}+sktest@example.com`,
  );
  const answer = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: client,
    code: landing.params.get('code') ?? '',
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  const { access_token: access, refresh_token: refresh } = answer.body;
  return { client, access: String(access), refresh: String(refresh) };
}

/** Milliseconds from the begin of a revocation until each of the guards refuses. */
async function untilRefused(accessToken: string, revoke: () => Promise<void>): Promise<number[]> {
  for (const guard of guards) assert.equal(await admits(guard, accessToken), true);
  await sleep(300);
  const began = performance.now();
  const all = guards.map(async (guard) => {
    while (await admits(guard, accessToken)) {
      assert.ok(performance.now() - began < LIMIT_MS, 'still accepted after 5 seconds');
      await sleep(20);
    }
    return performance.now() - began;
  });
  await Promise.all([revoke(), ...all]);
  return (await Promise.all(all)).sort((a, b) => a - b);
}

const at = (origin: string, path: string): string => `${origin}/resources/${resourceId}${path}`;

async function revokeAt(origin: string, client: string, revoked: string): Promise<void> {
  const response = await fetch(at(origin, '/oauth/revoke'), {
    method: 'POST',
    body: new URLSearchParams({ token: revoked, client_id: client }),
  });
  assert.equal(response.status, 200);
}

async function managed(origin: string, method: string, path: string): Promise<unknown> {
  const { body } = await token(one.ready.environmentUrl, {
    grant_type: 'client_credentials',
    client_id: one.ready.clientId,
    client_secret: one.ready.clientSecret,
  });
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${String(body['access_token'])}` },
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text);
}

async function consentOf(client: string): Promise<string> {
  const path = `/api/v1/resources/${resourceId}/clients/${client}`;
  const found = JSON.stringify(await managed(one.ready.environmentUrl, 'GET', path));
  const [id] = /usrcnst_\d+/.exec(found) ?? [];
  assert.ok(id, found);
  return id;
}

const subjectOf = ({ access }: Connected): string => String(decodeJwt(access).sub);

/** What ends a token before its time, and how it is done. The last one ends every token there is. */
const revocations: Record<string, (connected: Connected) => Promise<() => Promise<unknown>>> = {
  'the refresh token was revoked at the first process':
    async ({ client, refresh }) =>
    () =>
      revokeAt(one.ready.environmentUrl, client, refresh),
  'the access token was revoked at the second process':
    async ({ client, access }) =>
    () =>
      revokeAt(secondOrigin, client, access),
  'the person was disabled': async (connected) => () =>
    disablePerson(operator, subjectOf(connected)),
  'the client was deleted':
    async ({ client }) =>
    () =>
      managed(secondOrigin, 'DELETE', `/api/v1/resources/${resourceId}/clients/${client}`),
  'the consent was withdrawn': async ({ client }) => {
    const consent = await consentOf(client);
    return () =>
      managed(one.ready.environmentUrl, 'DELETE', `/api/v1/clients/${client}/consents/${consent}`);
  },
  'an operator ended everything of the person': async (connected) => () =>
    revokeIssuedBefore(operator, {
      before: operator.now(),
      mcpServerId: undefined,
      clientId: undefined,
      userId: subjectOf(connected),
    }),
  'the signing keys were withdrawn': async () => () => withdrawSigningKeys(operator),
};

for (const [what, prepare] of Object.entries(revocations)) {
  test(`50 resource servers refuse a token in use within 5 seconds after ${what} (RS-58, RS-25, AS-124, AS-18, AS-134)`, async (t) => {
    const connected = await connect();
    const revoke = await prepare(connected);
    const times = await untilRefused(connected.access, async () => {
      await revoke();
    });
    const slowest = times.at(-1) ?? Number.POSITIVE_INFINITY;
    t.diagnostic(
      `${times.length} refused; p50 ${times[times.length >> 1]?.toFixed(0)} ms, slowest ${slowest.toFixed(0)} ms`,
    );
    assert.equal(times.length, 2 * GUARDS_EACH);
    assert.ok(slowest < LIMIT_MS);
  });
}
