import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, test } from 'node:test';
import { decodeJwt } from 'jose';
import { updateEnvironmentSettings } from '../../environments/environments.store.ts';
import { signJwt } from '../../keys/signing-keys.ts';
import { forgetAllRows } from '../../storage/row-cache.ts';
import {
  type Answer,
  cleanUpAtTheEnd,
  makeClient,
  makeCode,
  makeServer,
  post,
  redeem,
  type Site,
  startSite,
  type TestClient,
} from './test-site.ts';

// AS-123: whoever may not know about a token learns nothing, not even that there is one.

const atTheEnd = cleanUpAtTheEnd();
let site: Site;
let server: Awaited<ReturnType<typeof makeServer>>;
let asking: TestClient;

const SECRET = { tokenEndpointAuthMethod: 'client_secret_post' } as const;

before(async () => {
  site = await startSite(atTheEnd);
  server = await makeServer(site);
  asking = await makeClient(site, { mcpServerId: server.id, ...SECRET });
});

const introspect = (token: string, who = asking, issuer = server.issuer): Promise<Answer> =>
  post(`${issuer}/oauth/introspect`, {
    token,
    client_id: who.id,
    client_secret: who.secret,
  });

async function tokensOf(at: typeof server, client: TestClient) {
  const code = await makeCode(site, { server: at, client, scopes: ['todo:read', 'openid'] });
  const { body } = await redeem(at.issuer, code, client, { client_secret: client.secret });
  return {
    access: String(body['access_token']),
    refresh: String(body['refresh_token']),
    id: String(body['id_token']),
  };
}

test('every token that is not the caller’s gets one answer, byte for byte, headers too: unknown, another client’s, another server’s, expired, forged, of another kind (AS-123, token scanning)', async () => {
  const own = await tokensOf(server, asking);
  assert.equal((await introspect(own.access)).body['active'], true);
  assert.equal((await introspect(own.refresh)).body['active'], true);
  const neighbour = await makeClient(site, { mcpServerId: server.id, ...SECRET });
  const others = await tokensOf(server, neighbour);
  const elsewhere = await makeServer(site);
  const sibling = await tokensOf(
    elsewhere,
    await makeClient(site, { mcpServerId: elsewhere.id, ...SECRET }),
  );
  const claims = decodeJwt(own.access);
  const abroad = await startSite(atTheEnd, { url: 'https://other.example.com' });
  const samples: Record<string, string> = {
    'nothing at all': 'x',
    'a long text': 'x'.repeat(20_000),
    'the form of a refresh token': `rt_${randomBytes(32).toString('base64url')}`,
    'the form of a JWT': 'a.b.c',
    "another client's access token": others.access,
    "another client's refresh token": others.refresh,
    "another server's access token": sibling.access,
    "another server's refresh token": sibling.refresh,
    'its own ID token': own.id,
    'its own token, expired': await signJwt(site.ctx, {
      typ: 'at+jwt',
      claims: { ...claims, iat: 1_700_000_000, exp: 1_700_003_600 },
    }),
    'its own token, changed': own.access.replace(
      /\.[^.]+$/,
      (signature) => `.${signature.slice(2)}A`,
    ),
    'its own token, of another environment': await signJwt(abroad.ctx, { typ: 'at+jwt', claims }),
    'a code': randomBytes(32).toString('base64url'),
  };
  const shape = ({ status, text, headers }: Answer) => [
    status,
    text,
    [...headers].filter(([name]) => name !== 'date' && name !== 'x-request-id'),
  ];
  const expected = shape(await introspect('unknown'));
  assert.deepEqual(expected.slice(0, 2), [200, '{"active":false}']);
  for (const [what, token] of Object.entries(samples))
    assert.deepEqual(shape(await introspect(token)), expected, what);
});

test('what is answered about a token names its server and scopes, and no secret of its revocation (AS-123, RFC 7662 section 2.2)', async () => {
  const own = await tokensOf(server, asking);
  const { body } = await introspect(own.access);
  assert.deepEqual(Object.keys(body).sort(), [
    'active',
    'aud',
    'auth_time',
    'azp',
    'client_id',
    'exp',
    'iat',
    'iss',
    'jti',
    'scope',
    'sid',
    'sub',
    'token_type',
  ]);
  assert.equal(body['scope'], 'todo:read openid');
});

test('questions are limited per client, in every process together, with 429 and Retry-After (AS-139)', async () => {
  const busy = await makeClient(site, { mcpServerId: server.id, ...SECRET });
  await updateEnvironmentSettings(site.ctx.db, site.ctx.environmentId, {
    limits: { introspectionPerMinute: 3 },
  });
  forgetAllRows(site.ctx.db);
  const statuses = [];
  for (let count = 0; count < 5; count += 1) statuses.push((await introspect('x', busy)).status);
  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
  const refused = await introspect('x', busy);
  assert.deepEqual(
    [refused.body['error'], Number(refused.headers.get('retry-after')) > 0],
    ['temporarily_unavailable', true],
  );
  const other = await makeClient(site, { mcpServerId: server.id, ...SECRET });
  assert.equal((await introspect('x', other)).status, 200, 'another client is not touched');
  site.clock.ahead += 61_000;
  assert.equal((await introspect('x', busy)).status, 200);
});
