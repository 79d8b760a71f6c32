import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  authorizeUrl,
  authorizeWith,
  cookieBrowser,
  pkce,
  register,
  testPostgres,
  token,
} from '@gatewarden/server/testing';
import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import { freePort, type Spawned, spawnDev } from './spawn-dev.ts';

// Two processes on one PostgreSQL: what is revoked at one is told at the other.

const REDIRECT = 'http://127.0.0.1:7777/cb';
/** Requirements allow two seconds from the revocation to the end of a waiting poll. */
const SOON_MS = 2000;

let one: Spawned;
let two: Spawned;
let secondOrigin: string;
let path: string;
let folder: string;
const cleanups: (() => Promise<void> | void)[] = [];
const later = { after: (work: () => Promise<void> | void) => void cleanups.push(work) };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewarden-feed-'));
  const postgres = await testPostgres(later);
  const env = {
    DATABASE_URL: postgres.url,
    GATEWARDEN_SECRET_KEY: randomBytes(32).toString('base64'),
  };
  one = await spawnDev(later, {
    cwd: folder,
    env,
    flags: ['--port', '0', '--demo', '--demo-port', '0'],
  });
  const port = await freePort();
  two = await spawnDev(later, {
    cwd: folder,
    env: { ...env, GATEWARDEN_URL: one.ready.environmentUrl },
    flags: ['--port', String(port)],
  });
  secondOrigin = `http://127.0.0.1:${port}`;
  path = `/resources/${one.ready.demo?.resourceId ?? ''}`;
});

after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  await rm(folder, { recursive: true, force: true });
});

async function connect(
  email: string,
): Promise<{ client: string; access: string; refresh: string }> {
  const { body } = await register(one.ready.environmentUrl, one.ready.demo?.resourceId ?? '', {
    client_name: 'Feed',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
  });
  const client = String(body['client_id']);
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(one.ready.environmentUrl),
    authorizeUrl(`${one.ready.environmentUrl}${path}`, {
      client_id: client,
      redirect_uri: REDIRECT,
      code_challenge: challenge,
    }),
    email,
  );
  const answer = await token(`${one.ready.environmentUrl}${path}`, {
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

async function feedAt(origin: string, query = ''): Promise<JWTPayload> {
  const response = await fetch(`${origin}${path}/revocations${query}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const keys = createRemoteJWKSet(new URL(`${one.ready.environmentUrl}/keys`));
  const { payload } = await jwtVerify(text, keys, {
    typ: 'gatewarden-revocations+jwt',
    issuer: one.ready.environmentUrl,
    audience: `${one.ready.environmentUrl}${path}/revocations`,
  });
  return payload;
}

const cursorOf = ({ epoch, seq }: JWTPayload): string => `${String(epoch)}.${String(seq)}`;
const handlesIn = ({ entries }: JWTPayload): unknown[] =>
  Array.isArray(entries) ? entries.map((entry) => entry.handle) : [];

test('what is revoked at one process ends a poll that waits at the other, within two seconds (AS-124, AS-142)', async () => {
  const { client, access, refresh } = await connect('feed+sktest@example.com');
  const start = await feedAt(secondOrigin);
  const poll = feedAt(secondOrigin, `?after=${cursorOf(start)}&wait=30`);
  await new Promise((done) => setTimeout(done, 500));
  const from = performance.now();
  const revoked = await fetch(`${one.ready.environmentUrl}${path}/oauth/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: refresh, client_id: client }),
  });
  assert.equal(revoked.status, 200);
  const document = await poll;
  assert.ok(performance.now() - from < SOON_MS, String(performance.now() - from));
  const { rvk } = decodeJwt(access);
  assert.ok(Array.isArray(rvk));
  assert.ok(handlesIn(document).some((handle) => rvk.includes(handle)));
});

test('a follower that goes from one process to the other never sees the feed go back (AS-124, AS-142)', async () => {
  let [epoch, seq] = ['', 0];
  for (let round = 0; round < 6; round += 1) {
    const { client, refresh } = await connect(`feed${round}+sktest@example.com`);
    const revoke = fetch(`${secondOrigin}${path}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token: refresh, client_id: client }),
    });
    for (const origin of [secondOrigin, one.ready.environmentUrl, secondOrigin]) {
      const document = await feedAt(origin, epoch === '' ? '' : `?after=${epoch}.${seq}`);
      if (epoch === '') epoch = String(document['epoch']);
      assert.equal(document['epoch'], epoch);
      assert.ok(Number(document['seq']) >= seq, `${String(document['seq'])} after ${seq}`);
      seq = Number(document['seq']);
      if (origin === secondOrigin) await revoke;
    }
  }
  assert.ok(seq >= 6);
});

test('a process that is told to stop ends the polls that wait there, and itself (AS-124, AS-142)', async () => {
  // The last revocation of the test before may still be on its way to this process.
  let start = await feedAt(secondOrigin);
  for (let seq: unknown; seq !== start['seq']; start = await feedAt(secondOrigin)) {
    seq = start['seq'];
    await new Promise((done) => setTimeout(done, 300));
  }
  const poll = feedAt(secondOrigin, `?after=${cursorOf(start)}&wait=30`);
  await new Promise((done) => setTimeout(done, 500));
  const from = performance.now();
  two.child.kill('SIGTERM');
  assert.equal((await poll)['seq'], start['seq']);
  assert.ok(performance.now() - from < SOON_MS);
  assert.equal(await two.ended, 0);
  assert.ok(performance.now() - from < 5000, String(performance.now() - from));
});
