import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ctx } from '../runtime/context.ts';
import { managedClient, replaceClient } from './client-management.ts';
import { findClientRecord } from './clients.store.ts';
import { resolveClient } from './clients.ts';
import { updateClient } from './manage-clients.ts';
import { reapClients } from './reap-clients.job.ts';
import { registerClient } from './registration.ts';
import { documentSite, testClients } from './test-clients.ts';
import { AUTHORIZE, documentOf } from './test-documents.ts';
import { SHAPES } from './test-registration.ts';

/** The same context, stopped once before its next transaction while something else runs to its end. */
function stopped(ctx: Ctx, meanwhile: () => Promise<unknown>): Ctx {
  let waiting = true;
  return {
    ...ctx,
    db: {
      ...ctx.db,
      async transaction(work) {
        if (waiting) {
          waiting = false;
          await meanwhile();
        }
        return await ctx.db.transaction(work);
      },
    },
  };
}

test('an administrator’s block of a document outlives the expiry of unused clients (AS-67, AS-80)', async (t) => {
  const clients = await testClients();
  const { ctx } = clients;
  const site = await documentSite(t);
  const url = site.answer('/id', { body: documentOf(`${site.origin}/id`) });
  await resolveClient(ctx, url, AUTHORIZE);
  await updateClient(ctx, url, { enabled: false });
  for (const days of [8, 181]) {
    clients.advance({ days });
    await reapClients(ctx);
    assert.equal((await resolveClient(ctx, url, AUTHORIZE)).kind, 'unknown');
  }
});

test('an administrator’s block of a shared registration outlives the expiry of unused clients (AS-66, AS-67)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const first = (await registerClient(ctx, server, { ...SHAPES.claudePublic })).record.client;
  await updateClient(ctx, first.id, { enabled: false });
  clients.advance({ days: 8 });
  await reapClients(ctx);
  const again = (await registerClient(ctx, server, { ...SHAPES.claudePublic })).record.client;
  assert.deepEqual([again.id, again.enabled], [first.id, false]);
});

test('a client cannot switch itself on again by an update that was under way when it was blocked (AS-68, race)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const server = await clients.mcpServer({ settings: { dcrManagement: true } });
  const made = await registerClient(ctx, server, { ...SHAPES.claudePublic });
  const { id } = made.record.client;
  const bearer = `Bearer ${made.accessToken}`;
  const current = await managedClient(ctx, server, id, bearer);
  const racing = stopped(ctx, () =>
    updateClient(ctx, id, { enabled: false, settings: { accessTokenLifetime: 60 } }),
  );
  await assert.rejects(
    replaceClient(racing, server, current, { ...SHAPES.claudePublic, client_id: id }),
    { code: 'invalid_token' },
  );
  const after = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  assert.deepEqual(
    [after?.client.enabled, after?.client.settings],
    [false, { accessTokenLifetime: 60 }],
  );
});

test('an update keeps what an administrator set while it was under way (AS-68, race)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const server = await clients.mcpServer({ settings: { dcrManagement: true } });
  const made = await registerClient(ctx, server, { ...SHAPES.claudePublic });
  const { id } = made.record.client;
  const current = await managedClient(ctx, server, id, `Bearer ${made.accessToken}`);
  const racing = stopped(ctx, () =>
    updateClient(ctx, id, { settings: { accessTokenLifetime: 60 }, description: 'watched' }),
  );
  await replaceClient(racing, server, current, {
    ...SHAPES.claudePublic,
    client_name: 'Renamed',
    client_id: id,
  });
  const after = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  assert.deepEqual(
    [after?.client.name, after?.client.description, after?.client.settings],
    ['Renamed', 'watched', { accessTokenLifetime: 60 }],
  );
});

test('of two changes by administrators neither undoes the other: a rename leaves a block in place (AS-97, race)', async () => {
  const clients = await testClients();
  const { ctx } = clients;
  const server = await clients.mcpServer();
  const { id } = (await registerClient(ctx, server, { ...SHAPES.claudePublic })).record.client;
  await updateClient(
    stopped(ctx, () => updateClient(ctx, id, { enabled: false })),
    id,
    { name: 'Renamed' },
  );
  const after = await findClientRecord(ctx.db, { environmentId: ctx.environmentId, id });
  assert.deepEqual([after?.client.name, after?.client.enabled], ['Renamed', false]);
});
