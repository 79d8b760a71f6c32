import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testPostgres } from '../testing/databases.ts';
import { markCompleted } from './clients.store.ts';
import { resolveClient } from './clients.ts';
import { deleteClient, updateClient } from './manage-clients.ts';
import { registerClient } from './registration.ts';
import { remembering, testClients } from './test-clients.ts';
import { registrationSite, SHAPES } from './test-registration.ts';

test('a public client registered twice, from two addresses, gets the same id and no token (AS-66)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  for (const shape of [
    SHAPES.claudePublic,
    SHAPES.cursor,
    SHAPES.vscode,
    SHAPES.chatgpt,
    SHAPES.inspector,
    SHAPES.mcpRemote,
  ]) {
    const [first, second] = [
      await site.register(id, shape, '203.0.113.1'),
      await site.register(id, shape, '198.51.100.1'),
    ];
    assert.equal(first.body['client_id'], second.body['client_id'], shape.client_name);
    assert.deepEqual(first.body, second.body);
    assert.deepEqual(
      ['registration_access_token' in first.body, 'registration_access_token' in second.body],
      [false, false],
    );
    const managed = await site.call(
      'GET',
      `/resources/${id}/oauth/register/${first.body['client_id']}`,
      { headers: { authorization: 'Bearer x' } },
    );
    assert.deepEqual([managed.status, managed.body['error']], [401, 'invalid_token']);
  }
});

test('one member changed, each in turn, is another client; so is any client with a secret or keys, or of another server (AS-66)', async (t) => {
  const clients = await testClients();
  await clients.settings({ limits: { registrationPerHourPerNetwork: 1000 } });
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const base = {
    ...SHAPES.claudePublic,
    'client_name#ja': 'クロード',
    client_uri: 'https://claude.ai',
    software_id: 'a',
    software_version: '1',
    scope: 'openid',
  };
  const changes = [
    {},
    { client_name: 'Claude 2' },
    { 'client_name#ja': 'クロド' },
    { 'client_name#de': 'Claude' },
    { redirect_uris: [...base.redirect_uris, 'http://localhost/cb'] },
    { grant_types: ['authorization_code'] },
    { client_uri: 'https://claude.com' },
    { logo_uri: 'https://claude.ai/logo.png' },
    { tos_uri: 'https://claude.ai/tos' },
    { policy_uri: 'https://claude.ai/privacy' },
    { application_type: 'web' },
    { software_id: 'b' },
    { software_version: '2' },
    { scope: 'openid profile' },
    { contacts: ['a@claude.ai'] },
    { token_endpoint_auth_method: 'client_secret_post' },
    { jwks_uri: 'https://claude.ai/jwks' },
  ];
  const ids = new Set<unknown>();
  for (const change of changes) {
    const { status, body } = await site.register(id, { ...base, ...change });
    assert.equal(status, 201, JSON.stringify(body));
    ids.add(body['client_id']);
  }
  assert.equal(ids.size, changes.length);
  const again = await site.register(id, {
    ...base,
    token_endpoint_auth_method: 'client_secret_post',
  });
  assert.equal(ids.has(again.body['client_id']), false);
  const elsewhere = await site.register((await clients.mcpServer({ name: 'Other' })).id, base);
  assert.equal(ids.has(elsewhere.body['client_id']), false);
});

test('twenty equal registrations at once, in two processes, make one row (AS-66, AS-142, race)', async (t) => {
  const postgres = await testPostgres(t);
  const clients = await testClients({ database: await remembering(postgres.database) });
  const other = { ...clients.ctx, db: await postgres.open() };
  const server = await clients.mcpServer();
  const registrations = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      registerClient(index % 2 === 0 ? clients.ctx : other, server, { ...SHAPES.cursor }),
    ),
  );
  assert.equal(new Set(registrations.map(({ record }) => record.client.id)).size, 1);
  assert.equal((await clients.events('client.registered')).length, 1);
});

test('an administrator’s block of a shared client holds against registering again; a deleted one is made anew (AS-66, AS-67)', async () => {
  const { ctx, mcpServer } = await testClients();
  const server = await mcpServer();
  const { record } = await registerClient(ctx, server, { ...SHAPES.cursor });
  await updateClient(ctx, record.client.id, { enabled: false });
  const blocked = await registerClient(ctx, server, { ...SHAPES.cursor });
  assert.equal(blocked.record.client.id, record.client.id);
  assert.equal(
    (await resolveClient(ctx, record.client.id, { mcpServer: server, purpose: 'authorize' })).kind,
    'unknown',
  );
  await deleteClient(ctx, record.client.id);
  const anew = await registerClient(ctx, server, { ...SHAPES.cursor });
  assert.notEqual(anew.record.client.id, record.client.id);
});

test('twenty registrations an hour from one network; a rotating IPv6 address stays one network; equal ones do not count (AS-65, flooding)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const random = (
    from: string,
  ): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> =>
    site.register(id, { ...SHAPES.lmStudio, client_name: `Random ${Math.random()}` }, from);
  for (let count = 0; count < 25; count += 1)
    assert.equal((await site.register(id, SHAPES.cursor, '203.0.113.7')).status, 201);
  const seen = [];
  for (let count = 0; count < 20; count += 1) seen.push((await random('203.0.113.7')).status);
  assert.deepEqual(seen, [...Array(19).fill(201), 429]);
  const refused = await random('203.0.113.7');
  assert.equal(refused.body['error'], 'temporarily_unavailable');
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await random('203.0.113.8')).status, 201);
  const rotating = [];
  for (let count = 0; count < 21; count += 1)
    rotating.push((await random(`2001:db8:0:1::${count + 1}`)).status);
  assert.deepEqual(rotating.slice(-2), [201, 429]);
  assert.equal((await random('2001:db8:0:2::1')).status, 429);
  assert.equal((await random('2001:db8:1::1')).status, 201);
  clients.advance({ minutes: 61 });
  assert.equal((await random('203.0.113.7')).status, 201);
});

test('when random names have used up a server’s limit, software that people use still registers (AS-65)', async (t) => {
  const clients = await testClients();
  await clients.settings({
    limits: { registrationPerHourPerServer: 40, registrationPerHourPerNetwork: 1000 },
  });
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const acme = (version: string) =>
    site.register(id, {
      client_name: 'Acme Agent',
      redirect_uris: ['https://agent.acme.example/cb'],
      software_version: version,
    });
  const first = await acme('1');
  await markCompleted(clients.ctx.db, {
    environmentId: clients.ctx.environmentId,
    id: String(first.body['client_id']),
    now: clients.ctx.now(),
  });
  const seen = [];
  for (let count = 0; count < 35; count += 1)
    seen.push(
      (
        await site.register(id, {
          client_name: `Random ${count}`,
          redirect_uris: [`https://r${count}.example/cb`],
        })
      ).status,
    );
  assert.deepEqual([seen.indexOf(429), seen.lastIndexOf(201)], [29, 28]);
  assert.equal((await site.register(id, SHAPES.claude)).status, 201);
  assert.equal((await acme('2')).status, 201);
  assert.equal(
    (
      await site.register(id, {
        client_name: 'Acme Agent',
        redirect_uris: ['https://evil.example/cb'],
      })
    ).status,
    429,
  );
  const flood = [];
  for (let count = 0; count < 10; count += 1) flood.push((await acme(`flood ${count}`)).status);
  assert.equal(flood.at(-1), 429, 'the reserve has an end too');
});

test('a network that sends one bad registration after the other is stopped, and its flood is not recorded (AS-139, flooding)', async (t) => {
  const clients = await testClients();
  const site = await registrationSite(t, clients);
  const { id } = await clients.mcpServer();
  const bad = (from: string) => site.register(id, { redirect_uris: [] }, from);
  const seen: number[] = [];
  for (let count = 0; count < 103; count += 1) seen.push((await bad('203.0.113.7')).status);
  assert.deepEqual([seen.indexOf(429), seen.lastIndexOf(400)], [100, 99]);
  assert.equal((await clients.events('client.registration_refused')).length, 100);
  assert.equal((await bad('198.51.100.9')).status, 400, 'others are not touched');
  assert.equal((await site.register(id, SHAPES.cursor, '203.0.113.7')).status, 201);
});
