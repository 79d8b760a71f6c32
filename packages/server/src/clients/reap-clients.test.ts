import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import { markCompleted, markUsed } from './clients.store.ts';
import { resolveClient } from './clients.ts';
import { createClient } from './manage-clients.ts';
import { reapClients } from './reap-clients.job.ts';
import { registerClient } from './registration.ts';
import { remembering, type TestClients, testClients } from './test-clients.ts';
import { SHAPES } from './test-registration.ts';

async function liveRefreshToken(
  db: Db,
  by: { environmentId: string; clientId: string; now: Date; expiresAt: Date },
): Promise<void> {
  await db.rows(sql`
    insert into grants (environment_id, id, flow_id, user_id, client_id, session_id, browser_hash, issuer, redirect_uri, scopes, auth_method, authenticated_at, revocation_handle, created_at, absolute_expires_at, last_used_at)
    values (${by.environmentId}, 'grt_1', 'flw_1', 'usr_1', ${by.clientId}, 'ses_1', ${new Uint8Array(1)}, 'https://e.example', 'https://client.example/cb', '{}', 'none', ${by.now}, 'h', ${by.now}, ${by.expiresAt}, ${by.now})`);
  await db.rows(sql`
    insert into refresh_tokens (environment_id, id, grant_id, client_id, generation, token_hash, created_at, idle_expires_at)
    values (${by.environmentId}, 'rt_1', 'grt_1', ${by.clientId}, 1, ${new Uint8Array(32)}, ${by.now}, ${by.expiresAt})`);
}

for (const engine of engines) {
  test(`clients expire after 7 days unused and 180 days idle, never with a live refresh token; tombstones last a year (AS-67, ${engine})`, async (t) => {
    const clients: TestClients = await testClients({
      database: await remembering(await openTestDatabase(t, engine)),
    });
    const { ctx } = clients;
    const server = await clients.mcpServer();
    const registered = async (name: string): Promise<string> =>
      (await registerClient(ctx, server, { ...SHAPES.lmStudio, client_name: name })).record.client
        .id;
    const [unused, idle, used, alive] = [
      await registered('unused'),
      await registered('idle'),
      await registered('used'),
      await registered('alive'),
    ];
    const admin = await createClient(ctx, { kind: 'mcp', mcpServerId: server.id, name: 'Machine' });
    assert.ok(admin.kind === 'created');
    const { environmentId } = ctx;
    for (const id of [idle, used, alive])
      await markCompleted(ctx.db, { environmentId, id, now: ctx.now() });
    await liveRefreshToken(ctx.db, {
      environmentId,
      clientId: alive,
      now: ctx.now(),
      expiresAt: new Date(ctx.now().getTime() + 365 * 86_400_000),
    });
    const kinds = async (): Promise<string[]> =>
      Promise.all(
        [unused, idle, used, alive, admin.client.id].map(
          async (id) =>
            (await resolveClient(ctx, id, { mcpServer: server, purpose: 'token' })).kind,
        ),
      );

    clients.advance({ days: 6 });
    await reapClients(ctx);
    assert.deepEqual(await kinds(), ['found', 'found', 'found', 'found', 'found']);
    clients.advance({ days: 1, minutes: 1 });
    await reapClients(ctx);
    assert.deepEqual(await kinds(), ['unknown', 'found', 'found', 'found', 'found']);
    clients.advance({ days: 100 });
    await markUsed(ctx.db, { environmentId, id: used, now: ctx.now() });
    clients.advance({ days: 80 });
    await reapClients(ctx);
    assert.deepEqual(await kinds(), ['unknown', 'unknown', 'found', 'found', 'found']);
    clients.advance({ days: 101 });
    await reapClients(ctx);
    assert.deepEqual(await kinds(), ['unknown', 'unknown', 'unknown', 'found', 'found']);

    const tombstone = await resolveClient(ctx, idle, { mcpServer: server, purpose: 'authorize' });
    assert.ok(tombstone.kind === 'unknown' && tombstone.tombstoneAt instanceof Date);
    assert.equal((await clients.events('client.expired')).length, 3);
    clients.advance({ days: 300 });
    await reapClients(ctx);
    const forgotten = await resolveClient(ctx, idle, { mcpServer: server, purpose: 'authorize' });
    assert.deepEqual(forgotten, { kind: 'unknown' });
  });
}

test('the shape of an expired client registers anew under another id (AS-66, AS-67)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const first = await registerClient(ctx, server, { ...SHAPES.cursor });
  clients.advance({ days: 8 });
  await reapClients(ctx);
  const second = await registerClient(ctx, server, { ...SHAPES.cursor });
  assert.notEqual(first.record.client.id, second.record.client.id);
});

test('used assertions are forgotten after they expired, and not before (AS-92)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const row = (jti: number, seconds: number) => sql`
    insert into used_assertions (environment_id, issuer, jti_hash, expires_at) values (${ctx.environmentId}, 'm2m_1', ${new Uint8Array([jti])}, ${new Date(ctx.now().getTime() + seconds * 1000)})`;
  await ctx.db.rows(row(1, 10));
  await ctx.db.rows(row(2, 1000));
  // Expired by our clock; another process may be behind.
  await ctx.db.rows(row(3, 100));
  // More than one statement removes.
  await ctx.db.rows(sql`
    insert into used_assertions (environment_id, issuer, jti_hash, expires_at)
    select ${ctx.environmentId}, 'm2m_2', decode(lpad(to_hex(n), 8, '0'), 'hex'), ${ctx.now()} from generate_series(1, 5500) n`);
  clients.advance({ seconds: 350 });
  await reapClients(ctx);
  const left = await ctx.db.rows<{ jti_hash: Uint8Array }>(
    sql`select jti_hash from used_assertions where environment_id = ${ctx.environmentId}`,
  );
  assert.deepEqual(left.map((entry) => entry.jti_hash[0]).sort(), [2, 3]);
});
