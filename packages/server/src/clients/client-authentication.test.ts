import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';
import { JWT_BEARER } from './client-assertion.ts';
import {
  type AuthenticationRequest,
  authenticateClient,
  requireMethod,
} from './client-authentication.ts';
import type { NewClient } from './client-input.ts';
import { addSecret, removeSecret, setSecretStatus } from './client-secrets.ts';
import { forgetAsserted } from './clients.store.ts';
import { createClient, deleteClient, updateClient } from './manage-clients.ts';
import { documentSite, signer, testClients } from './test-clients.ts';

function at(ctx: Ctx, mcpServer?: McpServer) {
  const issuer = mcpServer ? `${ctx.issuer}/resources/${mcpServer.id}` : ctx.issuer;
  return { issuer, mcpServer, endpoint: `${issuer}/oauth/token` };
}

function basic(
  id: string,
  secret: string,
  encode: (text: string) => string = encodeURIComponent,
): AuthenticationRequest {
  return {
    form: {},
    authorization: `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`,
  };
}

const post = (form: Record<string, string>): AuthenticationRequest => ({
  form,
  authorization: undefined,
});

/** How an authentication ends: the method, or the error's status and code. */
async function outcome(work: Promise<{ method: string }>): Promise<string> {
  try {
    return (await work).method;
  } catch (error) {
    if (error instanceof OAuthError) return `${error.status} ${error.code}`;
    throw error;
  }
}

async function made(ctx: Ctx, input: NewClient): Promise<{ id: string; secret: string }> {
  const created = await createClient(ctx, input);
  assert.equal(created.kind, 'created', JSON.stringify(created));
  if (created.kind !== 'created') throw new Error('unreachable');
  return { id: created.client.id, secret: created.secret?.plain ?? '' };
}

const PUBLIC = {
  kind: 'mcp',
  name: 'Public',
  tokenEndpointAuthMethod: 'none',
  redirectUris: ['http://localhost/cb'],
} as const;

test('Basic, encoded or raw, and post are one method; wrong, missing and doubled credentials are refused (AS-86)', async () => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const { id, secret } = await made(ctx, { kind: 'mcp', mcpServerId: server.id, name: 'Machine' });
  const authenticate = (request: AuthenticationRequest): Promise<string> =>
    outcome(authenticateClient(ctx, request, at(ctx, server)));

  assert.equal(await authenticate(basic(id, secret)), 'secret');
  assert.equal(await authenticate(basic(id, secret, (text) => text)), 'secret');
  assert.equal(await authenticate(post({ client_id: id, client_secret: secret })), 'secret');
  assert.equal(await authenticate({ ...basic(id, secret), form: { client_id: id } }), 'secret');

  assert.equal(
    await authenticate(post({ client_id: id, client_secret: `${secret}x` })),
    '401 invalid_client',
  );
  assert.equal(
    await authenticate(post({ client_id: id, client_secret: secret.slice(0, -1) })),
    '401 invalid_client',
  );
  assert.equal(await authenticate(post({ client_id: id })), '401 invalid_client');
  assert.equal(await authenticate(basic(id, '')), '401 invalid_client');
  assert.equal(await authenticate(post({ client_secret: secret })), '401 invalid_client');
  assert.equal(await authenticate(post({})), '401 invalid_client');
  assert.equal(
    await authenticate({ ...basic(id, secret), form: { client_id: 'm2m_1' } }),
    '401 invalid_client',
  );
  assert.equal(
    await authenticate({ ...basic(id, secret), form: { client_id: id, client_secret: secret } }),
    '400 invalid_request',
  );
  assert.equal(
    await authenticate({ ...basic(id, secret), form: { client_assertion: 'x' } }),
    '400 invalid_request',
  );
  assert.equal(
    await authenticate(
      post({
        client_id: id,
        client_secret: secret,
        client_assertion: 'x',
        client_assertion_type: JWT_BEARER,
      }),
    ),
    '400 invalid_request',
  );
  for (const authorization of [
    'Bearer abc',
    'Basic',
    'Basic !!!',
    `Basic ${Buffer.from('nocolon').toString('base64')}`,
  ]) {
    assert.equal(
      await authenticate({ form: { client_id: id }, authorization }),
      '401 invalid_client',
      authorization,
    );
  }
});

test('a secret with characters that need encoding works both ways: the raw reading is tried after the encoded one (AS-86)', async () => {
  const clients = await testClients({
    config: {
      client: { id: 'skc_123456789012345', secret: '%41 plus+and:colon/with=32 characters' },
    },
  });
  const { ctx } = clients;
  const { ensureEnvironmentClient } = await import('./manage-clients.ts');
  const { environmentOf } = await import('../environments/environments.ts');
  const { id, secret = '' } = await ensureEnvironmentClient(ctx, await environmentOf(ctx));
  for (const request of [
    basic(id, secret),
    basic(id, secret, (text) => text),
    post({ client_id: id, client_secret: secret }),
  ]) {
    assert.equal(await outcome(authenticateClient(ctx, request, at(ctx))), 'secret');
  }
});

test('a 401 has a Basic challenge when, and only when, the Authorization header was used (AS-86, RFC 6749 §5.2)', async () => {
  const { ctx } = await testClients();
  const challengeOf = async (request: AuthenticationRequest): Promise<string | undefined> => {
    const error: unknown = await authenticateClient(ctx, request, at(ctx)).catch(
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof OAuthError);
    return error.headers['www-authenticate'];
  };
  assert.equal(await challengeOf(basic('skc_1', 'x')), 'Basic realm="OAuth"');
  assert.equal(await challengeOf({ form: {}, authorization: 'Bearer x' }), 'Basic realm="OAuth"');
  assert.equal(await challengeOf(post({ client_id: 'skc_1', client_secret: 'x' })), undefined);
});

test('a public client needs no credentials; what it sends as a secret is ignored at R and refused for applications at E (AS-86)', async () => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const { id } = await made(ctx, { ...PUBLIC, mcpServerId: server.id });
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: id }), at(ctx, server))),
    'none',
  );
  assert.equal(
    await outcome(
      authenticateClient(ctx, post({ client_id: id, client_secret: 'whatever' }), at(ctx, server)),
    ),
    'none',
  );
  assert.equal(await outcome(authenticateClient(ctx, basic(id, ''), at(ctx, server))), 'none');
  const application = await made(ctx, { ...PUBLIC, kind: 'application' });
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: application.id }), at(ctx))),
    'none',
  );
  assert.equal(
    await outcome(
      authenticateClient(ctx, post({ client_id: application.id, client_secret: 'x' }), at(ctx)),
    ),
    '401 invalid_client',
  );
});

test('unknown, deleted, disabled and foreign clients are 401 invalid_client, never 400 or 403 (AS-7, AS-64, AS-87)', async () => {
  const { ctx, mcpServer } = await testClients();
  const [one, two] = [await mcpServer(), await mcpServer({ name: 'Other' })];
  const other = await testClients();
  const machine = await made(ctx, { kind: 'mcp', mcpServerId: one.id, name: 'Machine' });
  const environmentClient = await made(ctx, {
    kind: 'environment',
    name: 'Api',
    managementApi: true,
  });
  const credentials = post({ client_id: machine.id, client_secret: machine.secret });
  assert.equal(await outcome(authenticateClient(ctx, credentials, at(ctx, one))), 'secret');
  assert.equal(await outcome(authenticateClient(ctx, credentials, at(ctx))), 'secret');
  assert.equal(
    await outcome(authenticateClient(ctx, credentials, at(ctx, two))),
    '401 invalid_client',
  );
  assert.equal(
    await outcome(authenticateClient(other.ctx, credentials, at(other.ctx))),
    '401 invalid_client',
  );
  const api = post({ client_id: environmentClient.id, client_secret: environmentClient.secret });
  assert.equal(await outcome(authenticateClient(ctx, api, at(ctx))), 'secret');
  assert.equal(await outcome(authenticateClient(ctx, api, at(ctx, one))), '401 invalid_client');
  assert.equal(
    await outcome(authenticateClient(ctx, api, { ...at(ctx, one), environmentClients: true })),
    'secret',
  );

  for (const id of [
    'm2m_1',
    'nonsense',
    'm2m_',
    `m2m_${'9'.repeat(300)}`,
    "m2m_1' or 1=1",
    '\u0000',
  ]) {
    assert.equal(
      await outcome(
        authenticateClient(ctx, post({ client_id: id, client_secret: 'x' }), at(ctx, one)),
      ),
      '401 invalid_client',
      id,
    );
  }
  await updateClient(ctx, environmentClient.id, { enabled: false });
  assert.equal(await outcome(authenticateClient(ctx, api, at(ctx))), '401 invalid_client');
  await deleteClient(ctx, machine.id);
  const error: unknown = await authenticateClient(ctx, credentials, at(ctx, one)).catch(
    (reason: unknown) => reason,
  );
  assert.ok(
    error instanceof OAuthError && error.status === 401 && /expired/.test(error.description),
  );
});

test('several secrets work side by side until one expires, is switched off or taken away, and then at once (AS-69, AS-86)', async () => {
  const { ctx, advance } = await testClients();
  const { id, secret: first } = await made(ctx, { kind: 'environment', name: 'Api' });
  const second = await addSecret(ctx, id);
  const third = await addSecret(ctx, id, { expiresAt: new Date(ctx.now().getTime() + 60_000) });
  assert.ok(second && third);
  const works = (secret: string): Promise<string> =>
    outcome(authenticateClient(ctx, post({ client_id: id, client_secret: secret }), at(ctx)));
  assert.deepEqual(
    [await works(first), await works(second.plain), await works(third.plain)],
    ['secret', 'secret', 'secret'],
  );
  advance({ seconds: 61 });
  assert.deepEqual(
    [await works(first), await works(second.plain), await works(third.plain)],
    ['secret', 'secret', '401 invalid_client'],
  );
  assert.equal(await setSecretStatus(ctx, id, second.id, false), true);
  assert.equal(await works(second.plain), '401 invalid_client');
  assert.equal(await setSecretStatus(ctx, id, second.id, true), true);
  assert.equal(await works(second.plain), 'secret');
  assert.equal(await removeSecret(ctx, id, second.id), true);
  assert.equal(await works(second.plain), '401 invalid_client');
  assert.equal(await removeSecret(ctx, 'skc_999999999999999', third.id), false);
});

test('failed guesses run into 429 from that address, while the right secret passes from another (AS-91, brute force)', async () => {
  const { ctx, from, advance } = await testClients();
  const { id, secret } = await made(ctx, { kind: 'environment', name: 'Api' });
  const guess = (caller: Ctx, value: string): Promise<string> =>
    outcome(authenticateClient(caller, post({ client_id: id, client_secret: value }), at(ctx)));
  const seen = [];
  for (let count = 0; count < 12; count += 1) seen.push(await guess(ctx, `guess ${count}`));
  assert.deepEqual(seen, [
    ...Array(10).fill('401 invalid_client'),
    '429 temporarily_unavailable',
    '429 temporarily_unavailable',
  ]);
  assert.equal(await guess(ctx, secret), '429 temporarily_unavailable');
  assert.equal(await guess(from('198.51.100.9'), secret), 'secret');
  assert.equal(await guess(from('198.51.100.9'), 'wrong'), '401 invalid_client');
  advance({ seconds: 61 });
  assert.equal(await guess(ctx, secret), 'secret');
});

test('guesses in parallel are counted one by one (AS-91, race)', async () => {
  const { ctx } = await testClients();
  const { id } = await made(ctx, { kind: 'environment', name: 'Api' });
  const outcomes = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      outcome(authenticateClient(ctx, post({ client_id: id, client_secret: `${index}` }), at(ctx))),
    ),
  );
  assert.equal(outcomes.filter((result) => result === '401 invalid_client').length, 10);
});

test('unknown and shared clients are counted per address only, so nobody locks others out of a client (AS-91)', async () => {
  const { ctx, from } = await testClients();
  const { id } = await made(ctx, { kind: 'environment', name: 'Api' });
  const seen = [];
  for (let count = 0; count < 61; count += 1)
    seen.push(
      await outcome(
        authenticateClient(ctx, post({ client_id: `m2m_${count}`, client_secret: 'x' }), at(ctx)),
      ),
    );
  assert.deepEqual(seen.slice(-2), ['401 invalid_client', '429 temporarily_unavailable']);
  assert.equal(
    await outcome(authenticateClient(from('198.51.100.9'), post({ client_id: 'm2m_1' }), at(ctx))),
    '401 invalid_client',
  );
  assert.equal(
    await outcome(authenticateClient(ctx, post({ client_id: id, client_secret: 'x' }), at(ctx))),
    '401 invalid_client',
  );
});

async function assertionClient(
  clients: Awaited<ReturnType<typeof testClients>>,
  extra: Partial<NewClient> = {},
) {
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
  const { SignJWT } = await import('jose');
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

test('a grant keeps the method it began with or a stronger one (AS-76)', () => {
  const methods = ['none', 'secret', 'assertion'] as const;
  for (const [stored, began] of methods.entries()) {
    for (const [used, method] of methods.entries()) {
      const check = (): void => requireMethod({ id: 'm2m_1' }, began, method);
      if (used >= stored) assert.doesNotThrow(check, `${began} ${method}`);
      else
        assert.throws(
          check,
          (error) =>
            error instanceof OAuthError && error.status === 401 && error.code === 'invalid_client',
        );
    }
  }
});

test('secrets are stored only as hashes, and no failure repeats what was sent (AS-69, AS-121)', async () => {
  const { ctx, events } = await testClients();
  const { id, secret } = await made(ctx, { kind: 'environment', name: 'Api' });
  const error: unknown = await authenticateClient(
    ctx,
    post({ client_id: id, client_secret: `${secret}x` }),
    at(ctx),
  ).catch((reason: unknown) => reason);
  assert.ok(error instanceof OAuthError);
  const { sql } = await import('../storage/db.ts');
  const rows = await ctx.db.rows<{ row: unknown }>(
    sql`select to_jsonb(s) as row from client_secrets s where environment_id = ${ctx.environmentId}`,
  );
  const everything = JSON.stringify([
    error.description,
    error.detail,
    await events('client.authentication_failed'),
    await events('client.created'),
    rows,
  ]);
  assert.equal(everything.includes(secret), false);
});
