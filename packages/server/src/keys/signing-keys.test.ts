import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { after, test } from 'node:test';
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  exportJWK,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose';
import { startGatewarden } from '../gatewarden.ts';
import { ConfigError } from '../runtime/config.ts';
import type { Ctx } from '../runtime/context.ts';
import { json, sql } from '../storage/db.ts';
import { eventually } from '../testing/mcp-site.ts';
import { startTestGatewarden, testPglite, token } from '../testing.ts';
import { verifyOwnJwt } from './own-jwt.ts';
import {
  ensureSigningKeys,
  KeyStoreUnavailable,
  publicKeySet,
  rotateSigningKey,
  signJwt,
} from './signing-keys.ts';

const gatewarden = await startTestGatewarden({ after });
const server = await gatewarden.mcpServer();
const machine = await gatewarden.machine(server.id);

type Served = {
  status: number;
  etag: string | null;
  cacheControl: string | null;
  set: JSONWebKeySet;
};

async function served(): Promise<Served> {
  const response = await fetch(`${gatewarden.url}/keys`);
  return {
    status: response.status,
    etag: response.headers.get('etag'),
    cacheControl: response.headers.get('cache-control'),
    set: (await response.json()) as JSONWebKeySet,
  };
}

async function accessToken(): Promise<string> {
  const answer = await token(`${gatewarden.url}/resources/${server.id}`, {
    grant_type: 'client_credentials',
    client_id: machine.id,
    client_secret: machine.secret,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return String(answer.body['access_token']);
}

async function verifies(jwt: string, set: JSONWebKeySet): Promise<boolean> {
  return await jwtVerify(jwt, createLocalJWKSet(set), { currentDate: gatewarden.clock.now() }).then(
    () => true,
    () => false,
  );
}

test('every token names its key and algorithm, and the key is in the key set (AS-15)', async () => {
  const { set } = await served();
  const header = decodeProtectedHeader(await accessToken());
  assert.equal(header.alg, 'RS256');
  assert.ok(set.keys.some(({ kid, alg }) => kid === header.kid && alg === header.alg));
});

test('a key set captured before a rotation verifies tokens signed after it, and after the next one, too (AS-16)', async () => {
  const captured = (await served()).set;
  assert.equal(captured.keys.length, 3, 'one that signs and two in reserve');
  const old = await accessToken();
  for (const _rotation of ['first', 'second']) {
    const { from, to } = await rotateSigningKey(gatewarden.context());
    assert.notEqual(from, to);
    const jwt = await accessToken();
    assert.equal(decodeProtectedHeader(jwt).kid, to);
    assert.ok(
      captured.keys.some(({ kid }) => kid === to),
      'public since before the rotation',
    );
    assert.ok(await verifies(jwt, captured));
  }
  assert.ok(await verifies(old, (await served()).set), 'the old token still verifies');
});

test('a rotation shows in the key set at once, under another ETag, and the reserve is filled up again (AS-19)', async () => {
  const before = await served();
  assert.equal((await served()).etag, before.etag, 'the same content, the same validator');
  const maxAge = Number(/^public, max-age=(\d+)$/.exec(before.cacheControl ?? '')?.[1]);
  assert.ok(maxAge > 0 && maxAge <= 3600, String(before.cacheControl));
  await rotateSigningKey(gatewarden.context());
  const changed = await served();
  assert.notEqual(changed.etag, before.etag);
  const known = new Set(before.set.keys.map(({ kid }) => kid));
  assert.equal(changed.set.keys.filter(({ kid }) => !known.has(kid)).length, 1);
});

test('an old key stays public for the longest access token and one hour more, then it is gone (AS-17)', async () => {
  const { kid } = decodeProtectedHeader(await accessToken());
  await rotateSigningKey(gatewarden.context());
  const isPublic = async (): Promise<boolean> =>
    (await served()).set.keys.some((key) => key.kid === kid);
  gatewarden.clock.advance({ seconds: 86_400 + 3_600 - 60 });
  assert.equal(await isPublic(), true);
  gatewarden.clock.advance({ seconds: 61 });
  assert.equal(await isPublic(), false);
});

test('two rotations at the same time end with one current key and two in reserve (AS-16, AS-142)', async () => {
  await Promise.all([
    rotateSigningKey(gatewarden.context()),
    rotateSigningKey(gatewarden.context()),
  ]);
  const rows = await gatewarden.database.rows<{ state: string; count: number }>(
    sql`select state, count(*)::int as count from signing_keys where state in ('current', 'future') group by state order by state`,
  );
  assert.deepEqual(rows, [
    { state: 'current', count: 1 },
    { state: 'future', count: 2 },
  ]);
  assert.ok(await verifies(await accessToken(), (await served()).set));
});

test('a key belongs to one environment: another one’s token is not ours, whatever kid it names (AS-150)', async () => {
  const ctx = gatewarden.context();
  const other: Ctx = { ...ctx, environmentId: 'env_other', issuer: 'https://other.example' };
  await ctx.db.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_other', ${other.issuer}, 'Other', 'PRODUCTION', now())`,
  );
  await ensureSigningKeys(gatewarden.app, 'env_other');
  const now = Math.floor(ctx.now().getTime() / 1000);
  const claims = { iss: ctx.issuer, sub: 'usr_1', iat: now, exp: now + 60 };
  const ours = await signJwt(ctx, { typ: 'at+jwt', claims });
  const theirs = await signJwt(other, { typ: 'at+jwt', claims });
  const ourKid = decodeProtectedHeader(ours).kid;
  const header = Buffer.from(JSON.stringify({ alg: 'RS256', kid: ourKid, typ: 'at+jwt' }));
  const renamed = `${header.toString('base64url')}.${theirs.split('.').slice(1).join('.')}`;
  assert.ok(await verifyOwnJwt(ctx, ours, { typ: 'at+jwt' }));
  for (const foreign of [theirs, renamed])
    assert.equal(await verifyOwnJwt(ctx, foreign, { typ: 'at+jwt' }), undefined);
  const kids = (await publicKeySet(other)).keys.map(({ kid }) => kid);
  assert.ok((await publicKeySet(ctx)).keys.every(({ kid }) => !kids.includes(kid)));
});

test('swapped, foreign or changed key rows stop the start, and one that appears later stops the signing (AS-150, AS-20)', async (t) => {
  const database = await testPglite(t);
  const secretKeys = [new Uint8Array(randomBytes(32))];
  const config = { ...gatewarden.app.config, secretKeys, port: 0 };
  const outside = { database, log: gatewarden.app.log };
  const first = await startGatewarden(config, outside);
  await first.close();
  const rows = await database.rows<{ id: string; private_key: Uint8Array; public_jwk: object }>(
    sql`select id, private_key, public_jwk from signing_keys order by position`,
  );
  const [one, two] = rows;
  assert.ok(one && two);
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const foreign = { ...(await exportJWK(publicKey)) };
  const damages = [
    sql`update signing_keys set private_key = case id when ${one.id} then ${two.private_key}::bytea else ${one.private_key}::bytea end where id in (${one.id}, ${two.id})`,
    sql`update signing_keys set public_jwk = ${json(foreign)}::jsonb where id = ${two.id}`,
    sql`update signing_keys set private_key = set_byte(private_key, 40, (get_byte(private_key, 40) + 1) % 256) where id = ${one.id}`,
  ];
  for (const damage of damages) {
    await database.rows(damage);
    await assert.rejects(
      startGatewarden(config, outside),
      (error) => error instanceof ConfigError && /signing key snk_\d+/.test(error.message),
    );
    for (const { id, private_key, public_jwk } of rows)
      await database.rows(
        sql`update signing_keys set private_key = ${private_key}, public_jwk = ${json(public_jwk)}::jsonb where id = ${id}`,
      );
  }
  const again = await startGatewarden(config, outside);
  try {
    await database.rows(damages[1] ?? sql`select 1`);
    const refused = await eventually(
      () => publicKeySet(again.context()).catch((error: unknown) => error),
      (answer) => answer instanceof KeyStoreUnavailable,
    );
    assert.ok(refused instanceof KeyStoreUnavailable);
    await assert.rejects(
      signJwt(again.context(), { typ: 'at+jwt', claims: {} }),
      KeyStoreUnavailable,
    );
  } finally {
    await again.close();
  }
});
