import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
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
  sql,
  type TokenAnswer,
  testPostgres,
  token,
} from '@gatewarden/server/testing';
import { freePort, type Spawned, spawnDev } from './spawn-dev.ts';

const REDIRECT = 'http://127.0.0.1:7777/cb';

let one: Spawned;
let postgres: Awaited<ReturnType<typeof testPostgres>>;
/** Address of the second process; E is the first one's. */
let secondOrigin: string;
let folder: string;
let path: string;
const cleanups: (() => Promise<void> | void)[] = [];
const later = { after: (work: () => Promise<void> | void) => void cleanups.push(work) };

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatewarden-two-'));
  postgres = await testPostgres(later);
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
  await spawnDev(later, {
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

/** Calls alternate between the processes. */
const at = (index: number): string =>
  `${index % 2 === 0 ? one.ready.environmentUrl : secondOrigin}${path}`;

async function newClient(): Promise<string> {
  const { status, body } = await register(
    one.ready.environmentUrl,
    one.ready.demo?.resourceId ?? '',
    {
      client_name: 'Two',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
    },
  );
  assert.equal(status, 201);
  return String(body['client_id']);
}

async function codeFor(client: string, challenge: string, email: string): Promise<string> {
  const landing = await authorizeWith(
    cookieBrowser(one.ready.environmentUrl),
    authorizeUrl(`${one.ready.environmentUrl}${path}`, {
      client_id: client,
      redirect_uri: REDIRECT,
      code_challenge: challenge,
    }),
    email,
  );
  return landing.params.get('code') ?? '';
}

const redeem = (
  index: number,
  client: string,
  code: string,
  verifier: string,
): Promise<TokenAnswer> =>
  token(at(index), {
    grant_type: 'authorization_code',
    client_id: client,
    code,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  });
const refresh = (index: number, client: string, refreshToken: unknown): Promise<TokenAnswer> =>
  token(at(index), {
    grant_type: 'refresh_token',
    client_id: client,
    refresh_token: String(refreshToken),
  });

test('two processes say the same: metadata and keys are byte-equal (AS-1, AS-142)', async () => {
  for (const document of [
    '/.well-known/oauth-authorization-server',
    `${path}/.well-known/openid-configuration`,
    '/keys',
  ]) {
    const [a, b] = await Promise.all([
      fetch(`${one.ready.environmentUrl}${document}`),
      fetch(`${secondOrigin}${document}`),
    ]);
    assert.equal(await a.text(), await b.text(), document);
    assert.equal(a.headers.get('etag'), b.headers.get('etag'), document);
  }
});

test('a code redeemed fifty times over two processes yields one success, whose tokens go on working (AS-95, AS-96, AS-142)', async () => {
  const client = await newClient();
  const { verifier, challenge } = pkce();
  const code = await codeFor(client, challenge, 'codes+sktest@example.com');
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => redeem(index, client, code, verifier)),
  );
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1);
  assert.ok(
    answers.every(
      ({ status, body }) => status === 200 || (status === 400 && body['error'] === 'invalid_grant'),
    ),
  );
  const again = await refresh(1, client, won[0]?.body['refresh_token']);
  assert.equal(again.status, 200, JSON.stringify(again.body));
});

test('twenty parallel refreshes over two processes all get the same successor (AS-108, AS-109, AS-142)', async () => {
  const client = await newClient();
  const { verifier, challenge } = pkce();
  const first = await redeem(
    0,
    client,
    await codeFor(client, challenge, 'refresh+sktest@example.com'),
    verifier,
  );
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => refresh(index, client, first.body['refresh_token'])),
  );
  assert.deepEqual(
    answers.map(({ status }) => status),
    Array.from({ length: 20 }, () => 200),
  );
  assert.equal(new Set(answers.map(({ body }) => body['refresh_token'])).size, 1);
  assert.notEqual(answers[0]?.body['refresh_token'], first.body['refresh_token']);
});

test('a process that stops in the middle of a redemption and comes back later changes nothing (AS-95, AS-142)', async () => {
  const client = await newClient();
  for (const pause of [0, 2, 5, 10]) {
    const { verifier, challenge } = pkce();
    const code = await codeFor(client, challenge, 'paused+sktest@example.com');
    const stopped = Array.from({ length: 5 }, () => redeem(0, client, code, verifier));
    await new Promise((done) => setTimeout(done, pause));
    one.child.kill('SIGSTOP');
    const others = await Promise.all(
      Array.from({ length: 5 }, () => redeem(1, client, code, verifier)),
    );
    await new Promise((done) => setTimeout(done, 100));
    one.child.kill('SIGCONT');
    const answers = [...others, ...(await Promise.all(stopped))];
    const won = answers.filter(({ status }) => status === 200);
    assert.equal(
      won.length,
      1,
      answers.map(({ status, body }) => `${status} ${String(body['error'])}`).join(', '),
    );
    assert.equal((await refresh(1, client, won[0]?.body['refresh_token'])).status, 200);
  }
});

test('a client assertion is accepted once, whichever process sees it first (AS-92, AS-142)', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' };
  const registered = await register(one.ready.environmentUrl, one.ready.demo?.resourceId ?? '', {
    client_name: 'Keys',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [jwk] },
  });
  assert.equal(registered.status, 201, JSON.stringify(registered.body));
  const client = String(registered.body['client_id']);
  const issuer = `${one.ready.environmentUrl}${path}`;
  const now = Math.floor(Date.now() / 1000);
  const input = [
    { alg: 'RS256', kid: 'one', typ: 'JWT' },
    {
      iss: client,
      sub: client,
      aud: issuer,
      iat: now,
      exp: now + 60,
      jti: randomBytes(16).toString('hex'),
    },
  ]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const assertion = `${input}.${sign('sha256', Buffer.from(input), createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))).toString('base64url')}`;
  // The code does not exist: an accepted assertion gets invalid_grant, a refused one invalid_client.
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      token(at(index), {
        grant_type: 'authorization_code',
        code: 'nothing',
        redirect_uri: REDIRECT,
        code_verifier: 'a'.repeat(43),
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: assertion,
      }),
    ),
  );
  assert.deepEqual(
    answers.map(({ body }) => body['error']).sort(),
    ['invalid_client', 'invalid_grant'].flatMap((error) =>
      Array.from({ length: error === 'invalid_grant' ? 1 : 19 }, () => error),
    ),
  );
});

test('a flow that began at one process goes on at the other: replicas hold no state of their own (AS-142)', async () => {
  const client = await newClient();
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(secondOrigin),
    authorizeUrl(`${secondOrigin}${path}`, {
      client_id: client,
      redirect_uri: REDIRECT,
      code_challenge: challenge,
    }),
    'moves+sktest@example.com',
  );
  const answer = await redeem(0, client, landing.params.get('code') ?? '', verifier);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
});

test('failed client authentications are counted across processes (AS-91, AS-142)', async () => {
  // Development spares loopback unless it is told not to; both processes hear of the change by notification.
  await postgres.database.rows(
    sql`update environments set settings = '{"limitsApplyToLoopback": true}', row_version = row_version + 1`,
  );
  await new Promise((done) => setTimeout(done, 300));
  const created = await register(one.ready.environmentUrl, one.ready.demo?.resourceId ?? '', {
    client_name: 'Secret',
    redirect_uris: [REDIRECT],
    token_endpoint_auth_method: 'client_secret_post',
  });
  const client = String(created.body['client_id']);
  const answers = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      token(at(index), {
        grant_type: 'authorization_code',
        client_id: client,
        client_secret: 'wrong',
        code: 'x',
        redirect_uri: REDIRECT,
        code_verifier: 'a'.repeat(43),
      }),
    ),
  );
  const counts = Object.groupBy(answers, ({ status }) => String(status));
  assert.equal(
    counts['401']?.length,
    10,
    JSON.stringify(Object.entries(counts).map(([status, list]) => [status, list?.length])),
  );
  assert.equal(counts['429']?.length, 20);
  assert.ok(counts['429']?.every(({ headers }) => Number(headers.get('retry-after')) > 0));
});
