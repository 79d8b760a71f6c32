import assert from 'node:assert/strict';
import { test } from 'node:test';
import { environmentOf } from '../environments/environments.ts';
import { sql } from '../storage/db.ts';
import { testPostgres } from '../testing/databases.ts';
import { authenticateClient } from './client-authentication.ts';
import type { NewClient } from './client-input.ts';
import { listClientRecords } from './clients.store.ts';
import { resolveClient } from './clients.ts';
import {
  createClient,
  deleteClient,
  ensureEnvironmentClient,
  updateClient,
} from './manage-clients.ts';
import { at, made, outcome, post } from './test-authentication.ts';
import { remembering, signer, testClients } from './test-clients.ts';

test('ids and secrets say what they are: skc_, m2m_, m2morg_, and test_ or gws_ with 256 random bits (contract section 7)', async () => {
  const development = await testClients();
  const production = await testClients({ kind: 'PRODUCTION' });
  const machine = await made(development.ctx, {
    kind: 'mcp',
    mcpServerId: 'res_1',
    name: 'Machine',
  });
  assert.match(machine.id, /^m2m_[0-9]{15,19}$/);
  assert.match(machine.secret, /^test_[A-Za-z0-9_-]{43}$/);
  const api = await made(production.ctx, { kind: 'environment', name: 'Api' });
  assert.match(api.id, /^skc_[0-9]{15,19}$/);
  assert.match(api.secret, /^gws_[A-Za-z0-9_-]{43}$/);
  const { db, environmentId } = production.ctx;
  await db.rows(
    sql`insert into organizations (environment_id, id, display_name, created_at, updated_at) values (${environmentId}, 'org_1', 'Acme', now(), now())`,
  );
  const organization = await made(production.ctx, {
    kind: 'organization',
    organizationId: 'org_1',
    name: 'Customer',
  });
  assert.match(organization.id, /^m2morg_[0-9]{15,19}$/);
  assert.notEqual(machine.secret.slice(5), api.secret.slice(4));
});

test('an administrator’s client follows the same rules for redirect URIs, keys and grants (AS-53, AS-62, AS-98)', async () => {
  const { ctx } = await testClients();
  const key = await signer();
  const base: NewClient = { kind: 'mcp', mcpServerId: 'res_1', name: 'Client' };
  const bad: [Partial<NewClient>, string][] = [
    [{ redirectUris: ['https://client.example/cb', 'javascript:x'] }, 'redirect_uris[1]'],
    [{ redirectUris: ['http://client.example/cb'] }, 'redirect_uris[0]'],
    [{ grantTypes: ['implicit'] }, 'grant_types'],
    [{ tokenEndpointAuthMethod: 'none', grantTypes: ['client_credentials'] }, 'grant_types'],
    [{ tokenEndpointAuthMethod: 'private_key_jwt' }, 'jwks'],
    [{ jwks: { keys: [{ ...key.jwk, d: 'x' }] } }, 'jwks'],
    [{ jwks: { keys: [{ ...key.jwk }] }, jwksUri: 'https://client.example/jwks' }, 'jwks'],
    [{ jwksUri: 'https://169.254.169.254/jwks' }, 'jwks_uri'],
  ];
  for (const [extra, field] of bad) {
    const created = await createClient(ctx, { ...base, ...extra });
    assert.equal(created.kind === 'invalid' && created.field, field, JSON.stringify(extra));
  }
  const scheme = await createClient(ctx, {
    ...base,
    redirectUris: ['acmechat://cb'],
    tokenEndpointAuthMethod: 'none',
  });
  assert.equal(
    scheme.kind,
    'created',
    'an administrator may register any scheme that is not denied',
  );
  assert.equal(
    (await listClientRecords(ctx.db, { environmentId: ctx.environmentId, limit: 10 })).length,
    1,
  );
});

test('a change is seen at once, also by what was remembered; one that is refused changes nothing (AS-97)', async () => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const { id } = await made(ctx, {
    kind: 'mcp',
    mcpServerId: server.id,
    name: 'Client',
    redirectUris: ['https://client.example/cb'],
  });
  const redirects = async (): Promise<unknown> => {
    const found = await resolveClient(ctx, id, { mcpServer: server, purpose: 'authorize' });
    return found.kind === 'found' ? found.client.redirectUris : found.kind;
  };
  assert.deepEqual(await redirects(), ['https://client.example/cb']);
  await updateClient(ctx, id, { redirectUris: ['https://client.example/new'] });
  assert.deepEqual(await redirects(), ['https://client.example/new']);
  assert.equal((await updateClient(ctx, id, { redirectUris: ['javascript:x'] }))?.kind, 'invalid');
  assert.deepEqual(await redirects(), ['https://client.example/new']);
  await deleteClient(ctx, id);
  assert.equal(await redirects(), 'unknown');
  assert.equal(await updateClient(ctx, id, { name: 'x' }), undefined);
  assert.equal(await deleteClient(ctx, id), false);
});

test('clients of one environment are invisible in another (section E of the threat model, tenant isolation)', async () => {
  const [one, two] = [await testClients(), await testClients()];
  const { id } = await made(one.ctx, { kind: 'environment', name: 'Api' });
  assert.equal((await resolveClient(two.ctx, id, { purpose: 'token' })).kind, 'unknown');
  assert.equal(await updateClient(two.ctx, id, { enabled: false }), undefined);
  assert.equal(await deleteClient(two.ctx, id), false);
  assert.deepEqual(
    await listClientRecords(two.ctx.db, { environmentId: two.ctx.environmentId, limit: 10 }),
    [],
  );
  assert.equal((await resolveClient(one.ctx, id, { purpose: 'token' })).kind, 'found');
});

test('in development the environment client and its secret survive a restart, stored encrypted', async () => {
  const { ctx } = await testClients();
  const environment = await environmentOf(ctx);
  const [first, second] = [
    await ensureEnvironmentClient(ctx, environment),
    await ensureEnvironmentClient(ctx, environment),
  ];
  assert.deepEqual(first, second);
  assert.equal(
    await outcome(
      authenticateClient(
        ctx,
        post({ client_id: first.id, client_secret: first.secret ?? '' }),
        at(ctx),
      ),
    ),
    'secret',
  );
  const rows = await ctx.db.rows<{ row: unknown }>(
    sql`select to_jsonb(s) as row from client_secrets s where environment_id = ${ctx.environmentId}`,
  );
  const plain = first.secret ?? '';
  assert.equal(rows.length, 1);
  assert.equal(
    [plain, Buffer.from(plain).toString('hex')].some((text) => JSON.stringify(rows).includes(text)),
    false,
  );
});

test('in production the secret is readable once', async () => {
  const { ctx } = await testClients({ kind: 'PRODUCTION' });
  const environment = await environmentOf(ctx);
  const first = await ensureEnvironmentClient(ctx, environment);
  assert.match(first.secret ?? '', /^gws_/);
  assert.deepEqual(await ensureEnvironmentClient(ctx, environment), {
    id: first.id,
    secret: undefined,
  });
});

test('processes that start at once end with one environment client (AS-142, race)', async (t) => {
  const postgres = await testPostgres(t);
  const { ctx } = await testClients({ database: await remembering(postgres.database) });
  const environment = await environmentOf(ctx);
  const other = { ...ctx, db: await postgres.open() };
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      ensureEnvironmentClient(index % 2 === 0 ? ctx : other, environment),
    ),
  );
  assert.equal(new Set(made.map((client) => `${client.id} ${client.secret}`)).size, 1);
});

test('a configured client exists after the start; a new configured secret ends the one before (AS-69)', async () => {
  const id = 'skc_123456789012345';
  const clients = await testClients({ kind: 'PRODUCTION' });
  const environment = await environmentOf(clients.ctx);
  const configured = (secret: string) => ({
    ...clients.ctx,
    config: { ...clients.ctx.config, client: { id, secret } },
  });
  const [old, fresh] = [`old-${'x'.repeat(32)}`, `new-${'x'.repeat(32)}`];
  const works = (secret: string): Promise<string> =>
    outcome(
      authenticateClient(
        clients.ctx,
        post({ client_id: id, client_secret: secret }),
        at(clients.ctx),
      ),
    );
  await ensureEnvironmentClient(configured(old), environment);
  await ensureEnvironmentClient(configured(old), environment);
  assert.deepEqual([await works(old), await works(fresh)], ['secret', '401 invalid_client']);
  await ensureEnvironmentClient(configured(fresh), environment);
  assert.deepEqual([await works(old), await works(fresh)], ['401 invalid_client', 'secret']);
});
