import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';
import { JWT_BEARER } from './client-assertion.ts';
import { authenticateClient } from './client-authentication.ts';
import type { NewClient } from './client-input.ts';
import { addSecret } from './client-secrets.ts';
import { forgetAsserted } from './clients.store.ts';
import { updateClient } from './manage-clients.ts';
import { at, basic, made, outcome, PUBLIC, post } from './test-authentication.ts';
import { documentSite, signer, type TestClients, testClients } from './test-clients.ts';

async function assertionClient(clients: TestClients, extra: Partial<NewClient> = {}) {
  const { ctx } = clients;
  const key = await signer();
  const server = await clients.mcpServer();
  const { id } = await made(ctx, {
    kind: 'mcp',
    mcpServerId: server.id,
    name: 'Signer',
    tokenEndpointAuthMethod: 'private_key_jwt',
    jwks: { keys: [{ ...key.jwk }] },
    ...extra,
  });
  const now = Math.floor(ctx.now().getTime() / 1000);
  const claims = () => ({
    iss: id,
    sub: id,
    aud: `${ctx.issuer}/resources/${server.id}`,
    exp: now + 60,
    iat: now,
    jti: randomUUID(),
  });
  const present = (
    assertion: string,
    form: Record<string, string> = {},
    place = at(ctx, server),
  ): Promise<string> =>
    outcome(
      authenticateClient(
        ctx,
        post({ client_assertion_type: JWT_BEARER, client_assertion: assertion, ...form }),
        place,
      ),
    );
  return { key, server, id, claims, present, now };
}

test('an assertion passes once; its replay, here or at another issuer of the environment, does not (AS-92)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const { key, server, id, claims, present } = await assertionClient(clients);
  const assertion = await key.sign(claims());
  assert.equal(await present(assertion), 'assertion');
  assert.equal(await present(assertion), '401 invalid_client');
  const atEnvironment = await key.sign({ ...claims(), aud: ctx.issuer });
  assert.equal(await present(atEnvironment, { client_id: id }), 'assertion');
  assert.equal(await present(atEnvironment, {}, at(ctx)), '401 invalid_client');
  const contested = await key.sign(claims());
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, () => present(contested, {}, at(ctx, server))),
  );
  assert.equal(outcomes.filter((result) => result === 'assertion').length, 1);
});

test('each violation of an assertion is 401 invalid_client (AS-92, RFC 7523 §3)', async () => {
  const clients = await testClients();
  await clients.settings({ limits: { failedAuthenticationPerMinute: 1000 } });
  const { key, id, claims, present, now } = await assertionClient(clients);
  const stranger = await signer();
  const bad: Record<string, Promise<string> | string> = {
    'other key': stranger.sign(claims()),
    'unknown kid': stranger.sign(claims(), { kid: 'other' }),
    'iss of another': key.sign({ ...claims(), iss: 'm2m_1' }),
    'sub of another': key.sign({ ...claims(), sub: 'm2m_1' }),
    'no iss': key.sign({ ...claims(), iss: undefined }),
    'no exp': key.sign({ ...claims(), exp: undefined }),
    expired: key.sign({ ...claims(), exp: now - 31 }),
    'too long': key.sign({ ...claims(), exp: now + 700 }),
    'not yet valid': key.sign({ ...claims(), nbf: now + 60 }),
    'from the future': key.sign({ ...claims(), iat: now + 60 }),
    'no jti': key.sign({ ...claims(), jti: undefined }),
    'empty jti': key.sign({ ...claims(), jti: '' }),
    'long jti': key.sign({ ...claims(), jti: 'x'.repeat(513) }),
    'an access token': key.sign(claims(), { typ: 'at+jwt' }),
    unsigned: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims())).toString('base64url')}.`,
    garbage: 'abc',
    huge: 'a.'.repeat(20_000),
  };
  for (const [what, assertion] of Object.entries(bad))
    assert.equal(await present(await assertion, { client_id: id }), '401 invalid_client', what);
  assert.equal(
    await present(await key.sign(claims()), { client_id: 'm2m_1' }),
    '401 invalid_client',
  );
  assert.equal(
    await present(await key.sign(claims()), {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    }),
    '401 invalid_client',
  );
  assert.equal(await present(await key.sign({ ...claims(), exp: now - 20 })), 'assertion');
  assert.equal(
    await present(await key.sign(claims(), { typ: 'client-authentication+jwt' })),
    'assertion',
  );
});

test('a symmetric algorithm with the public key as its secret is refused (AS-92, algorithm confusion)', async () => {
  const clients = await testClients();
  const { id, claims, present, key } = await assertionClient(clients);
  const forged = await new SignJWT(claims())
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(Buffer.from(JSON.stringify(key.jwk)));
  assert.equal(await present(forged, { client_id: id }), '401 invalid_client');
});

test('the audience is exactly the issuer of the endpoint, or E at R; token endpoint URLs only where an administrator said so (AS-93, audience injection)', async () => {
  const clients = await testClients();
  await clients.settings({ limits: { failedAuthenticationPerMinute: 1000 } });
  const { ctx } = clients;
  const { key, server, id, claims, present } = await assertionClient(clients);
  const other = await clients.mcpServer({ name: 'Other' });
  const issuer = `${ctx.issuer}/resources/${server.id}`;
  const tryAudience = async (aud: string | string[], place = at(ctx, server)): Promise<string> =>
    present(await key.sign({ ...claims(), aud }), { client_id: id }, place);
  assert.equal(await tryAudience(issuer), 'assertion');
  assert.equal(await tryAudience(ctx.issuer), 'assertion');
  for (const aud of [
    `${issuer}/`,
    `${ctx.issuer}/`,
    `${issuer}/oauth/token`,
    `${issuer}/oauth/par`,
    `${ctx.issuer}/oauth/token`,
    `${ctx.issuer}/resources/${other.id}`,
    issuer.toUpperCase(),
    [issuer, ctx.issuer],
    [issuer, 'https://evil.example'],
    [],
  ]) {
    assert.equal(await tryAudience(aud), '401 invalid_client', String(aud));
  }
  assert.equal(await tryAudience(issuer, at(ctx)), '401 invalid_client');
  await updateClient(ctx, id, { settings: { assertionAudienceEndpoint: true } });
  assert.equal(await tryAudience(`${issuer}/oauth/token`), 'assertion');
  assert.equal(await tryAudience(`${ctx.issuer}/oauth/token`), '401 invalid_client');
});

test('keys behind jwks_uri are fetched, remembered, and fetched once more for an unknown key id (AS-92)', async (t) => {
  const clients = await testClients();
  await clients.settings({ limits: { failedAuthenticationPerMinute: 1000 } });
  const site = await documentSite(t);
  const [old, fresh, stranger] = [
    await signer('old'),
    await signer('fresh'),
    await signer('stranger'),
  ];
  const jwksUri = site.answer('/jwks', { body: { keys: [old.jwk] } });
  const { claims, present } = await assertionClient(clients, { jwks: undefined, jwksUri });
  assert.equal(await present(await old.sign(claims())), 'assertion');
  assert.equal(await present(await old.sign(claims())), 'assertion');
  assert.equal(site.requests.length, 1);
  site.answer('/jwks', { body: { keys: [old.jwk, fresh.jwk] } });
  clients.advance({ seconds: 31 });
  assert.equal(await present(await fresh.sign(claims())), 'assertion');
  assert.equal(site.requests.length, 2);
  for (let count = 0; count < 5; count += 1)
    assert.equal(await present(await stranger.sign(claims())), '401 invalid_client');
  assert.equal(site.requests.length, 2);
});

test('assertions that arrive together share one fetch of the key set, and later ones cost none (AS-74, AS-92)', async (t) => {
  const clients = await testClients();
  const site = await documentSite(t);
  const key = await signer();
  const jwksUri = site.answer('/jwks', { body: { keys: [key.jwk] }, delayMs: 50 });
  const { claims, present } = await assertionClient(clients, { jwks: undefined, jwksUri });
  const together = async () =>
    await Promise.all(
      Array.from({ length: 20 }, async () => await present(await key.sign(claims()))),
    );
  assert.deepEqual([...new Set(await together())], ['assertion']);
  assert.deepEqual([...new Set(await together())], ['assertion']);
  assert.equal(site.requests.length, 1);
});

test('keys that cannot be fetched are 503 and not the client’s fault; a key set that was valid within a day still counts (AS-79, AS-92)', async (t) => {
  const clients = await testClients();
  const site = await documentSite(t);
  const key = await signer();
  const jwksUri = site.answer('/jwks', { body: { keys: [key.jwk] } });
  const { claims, present, now } = await assertionClient(clients, { jwks: undefined, jwksUri });
  site.down();
  assert.equal(await present(await key.sign(claims())), '503 temporarily_unavailable');
  site.up();
  assert.equal(await present(await key.sign(claims())), 'assertion');
  site.down();
  clients.advance({ minutes: 60 });
  assert.equal(
    await present(await key.sign({ ...claims(), exp: now + 3660, iat: now + 3600 })),
    'assertion',
  );
});

test('a client that ever authenticated by assertion is never again accepted with less, until an administrator resets it (AS-76)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const key = await signer();
  const server = await clients.mcpServer();
  const { id } = await made(ctx, {
    ...PUBLIC,
    mcpServerId: server.id,
    jwks: { keys: [{ ...key.jwk }] },
  });
  const none = (): Promise<string> =>
    outcome(authenticateClient(ctx, post({ client_id: id }), at(ctx, server)));
  assert.equal(await none(), 'none');
  const now = Math.floor(ctx.now().getTime() / 1000);
  const assertion = await key.sign({ iss: id, sub: id, aud: ctx.issuer, exp: now + 60, jti: 'a' });
  assert.equal(
    await outcome(
      authenticateClient(
        ctx,
        post({ client_assertion: assertion, client_assertion_type: JWT_BEARER }),
        at(ctx, server),
      ),
    ),
    'assertion',
  );
  assert.equal(await none(), '401 invalid_client');
  assert.equal(
    await outcome(
      authenticateClient(ctx, post({ client_id: id, client_secret: 'x' }), at(ctx, server)),
    ),
    '401 invalid_client',
  );
  await forgetAsserted(ctx.db, { environmentId: ctx.environmentId, id });
  assert.equal(await none(), 'none');
});

test('a client registered for private_key_jwt never authenticates by secret or without anything (AS-76)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const { id, server } = await assertionClient(clients);
  assert.equal(await addSecret(ctx, id), undefined);
  for (const request of [
    post({ client_id: id }),
    post({ client_id: id, client_secret: 'x' }),
    basic(id, 'x'),
  ]) {
    assert.equal(
      await outcome(authenticateClient(ctx, request, at(ctx, server))),
      '401 invalid_client',
    );
  }
});
