import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../environments/environments.ts';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { Ctx } from '../runtime/context.ts';
import { sql } from '../storage/db.ts';
import { JWT_BEARER } from './client-assertion.ts';
import {
  type AuthenticationRequest,
  authenticateClient,
  requireMethod,
} from './client-authentication.ts';
import { addSecret, removeSecret, setSecretStatus } from './client-secrets.ts';
import { deleteClient, ensureEnvironmentClient, updateClient } from './manage-clients.ts';
import { at, basic, made, outcome, PUBLIC, post } from './test-authentication.ts';
import { testClients } from './test-clients.ts';

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

test("a bearer token beside the credentials of the body is no second method: the vendor's Python SDK sends its own along (AS-86)", async () => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const { id, secret } = await made(ctx, { kind: 'mcp', mcpServerId: server.id, name: 'Machine' });
  const authenticate = (request: AuthenticationRequest): Promise<string> =>
    outcome(authenticateClient(ctx, request, at(ctx, server)));
  const body = { client_id: id, client_secret: secret };

  for (const authorization of ['Bearer eyJhbGciOiJSUzI1NiJ9.e30.AA', 'bearer  x'])
    assert.equal(await authenticate({ form: body, authorization }), 'secret');

  const wrong = { ...body, client_secret: `${secret}x` };
  for (const form of [wrong, { client_id: id }])
    assert.equal(await authenticate({ form, authorization: 'Bearer x' }), '401 invalid_client');
  for (const authorization of ['Bearerx', 'DPoP x', 'Digest x'])
    assert.equal(await authenticate({ form: body, authorization }), '400 invalid_request');
});

test('a secret with characters that need encoding works both ways: the raw reading is tried after the encoded one (AS-86)', async () => {
  const clients = await testClients({
    config: {
      client: { id: 'skc_123456789012345', secret: '%41 plus+and:colon/with=32 characters' },
    },
  });
  const { ctx } = clients;
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

test('unknown, deleted and foreign clients are 401 invalid_client, never 400 or 403 (AS-7, AS-64, AS-87)', async () => {
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
  // A switched-off client proves who it is; what it may not have is refused by the grant (AS-97).
  await updateClient(ctx, environmentClient.id, { enabled: false });
  assert.equal(await outcome(authenticateClient(ctx, api, at(ctx))), 'secret');
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
  const { id, secret: first } = await made(ctx, {
    kind: 'mcp',
    mcpServerId: 'res_1',
    name: 'Api',
  });
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
  const { ctx, from, advance, events } = await testClients();
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
  assert.equal((await events('client.authentication_failed')).length, 10, 'the rest is counted');
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
