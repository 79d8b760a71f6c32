import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { findMcpServer } from '../src/mcp/mcp-servers.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { managementApi, member, members, ok, steps } from './management-api.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

test('lists have pages in both directions, and a token of another list, filter or environment, or a changed one, is refused', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  for (let index = 0; index < 5; index += 1)
    ok(await api(steps.createPermission({ name: `p:${index}` })));
  const page = async (
    params: JsonObject,
  ): Promise<{ names: unknown[]; next: string; prev: string; total: unknown }> => {
    const body = ok(await api(steps.listPermissions({ type: 'ENVIRONMENT', ...params })));
    return {
      names: members(body, 'permissions').map(({ name }) => name),
      next: String(body['next_page_token'] ?? ''),
      prev: String(body['prev_page_token'] ?? ''),
      total: body['total_size'],
    };
  };
  const first = await page({ page_size: 2 });
  assert.deepEqual([first.names, first.prev, first.total], [['p:4', 'p:3'], '', 5]);
  const second = await page({ page_size: 2, page_token: first.next });
  assert.deepEqual(second.names, ['p:2', 'p:1']);
  const last = await page({ page_size: 2, page_token: second.next });
  assert.deepEqual([last.names, last.next], [['p:0'], '']);
  const back = await page({ page_size: 2, page_token: last.prev });
  assert.deepEqual([back.names, back.next], [['p:2', 'p:1'], second.next]);
  assert.deepEqual((await page({ page_size: 2, page_token: back.prev })).names, ['p:4', 'p:3']);

  const one = await own.mcpServer();
  await own.mcpServer();
  const resources = String(ok(await api(steps.listResources({ page_size: 1 })))['next_page_token']);
  assert.match(resources, /^>:/);
  const flipped = `${first.next.slice(0, -2)}${first.next.endsWith('AA') ? 'BB' : 'AA'}`;
  const forged = [
    [steps.listPermissions, resources],
    [steps.listResources, first.next],
    [steps.listPermissions, flipped],
    [steps.listPermissions, `<${first.next.slice(1)}`],
    [steps.listPermissions, `${first.next}=`],
    [steps.listPermissions, '>:'],
    [steps.listPermissions, 'x'],
    [steps.listPermissions, `>:${Buffer.from('perm_1.x').toString('base64url')}`],
    [steps.listPermissions, 'a'.repeat(5000)],
    [steps.listPermissions, `>:${Buffer.from("perm_1' or true --").toString('base64url')}`],
  ] as const;
  for (const [list, pageToken] of forged) {
    const answer = await api(list({ page_token: pageToken }));
    assert.deepEqual(
      [answer.code, answer.errorCode],
      [3, 'INVALID_PAGE_TOKEN'],
      pageToken.slice(0, 100),
    );
  }
  assert.equal((await api(steps.listConsents(one.id, { page_token: resources }))).code, 3);
  const elsewhere = await managementApi(t, gatewarden);
  assert.equal(
    (await elsewhere(steps.listPermissions({ page_token: first.next }))).code,
    3,
    'of another environment',
  );
});

test('a scope is a permission: unknown ones are made, one in use cannot be deleted, and its words stand in for missing ones (AS-44)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const created = member(
    ok(await api(steps.createResource({ name: 'Notes', scopes: ['notes:list', 'notes:send'] }))),
    'resource',
  );
  const id = String(created['id']);
  assert.equal(
    member(ok(await api(steps.getPermission('notes:list'))), 'permission')['id'],
    members(created, 'scopes')[0]?.['id'],
  );
  const refused = await api(steps.deletePermission('notes:list'));
  assert.deepEqual([refused.code, refused.errorCode], [9, 'PERMISSION_IN_USE']);
  assert.match(refused.message, new RegExp(`Notes \\(${id}\\)`));

  // What the consent page reads: a row that each process remembers.
  const shown = async (): Promise<unknown[]> => {
    return ((await findMcpServer(gatewarden.context(), id))?.scopes ?? []).map(
      ({ description }) => description,
    );
  };
  assert.deepEqual(await shown(), ['', '']);
  ok(
    await api(
      steps.updateSettings(id, {
        scopes: [{ name: 'notes:send', description: 'Send notes for you' }],
      }),
    ),
  );
  for (const name of ['notes:list', 'notes:send'])
    ok(await api(steps.updatePermission(name, { name, description: `May ${name}` })));
  const deadline = Date.now() + 5000;
  while ((await shown())[0] !== 'May notes:list' && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(await shown(), ['May notes:list', 'Send notes for you']);
  // A list of scopes sent again keeps what was said about each.
  ok(await api(steps.updateResource(id, { scopes: ['notes:send', 'notes:list'] })));
  assert.deepEqual(
    members(member(ok(await api(steps.getSettings(id))), 'settings'), 'scopes').map(
      ({ name, description }) => [name, description],
    ),
    [
      ['notes:send', 'Send notes for you'],
      ['notes:list', ''],
    ],
  );
  ok(await api(steps.deleteResource(id)));
  ok(await api(steps.deletePermission('notes:list')));
});

test('every change is an event, without a secret in it, and a refused one is none', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const events = async (): Promise<string[]> =>
    (
      await own.database.rows<{ type: string }>(
        sql`select type from events where type ~ '^(mcp_server|permission|client|grants|consent)[.]' order by id`,
      )
    ).map(({ type }) => type);
  const before_ = await events();
  const id = String(
    member(
      ok(await api(steps.createResource({ name: 'Calendar', scopes: ['a:read'] }))),
      'resource',
    )['id'],
  );
  ok(await api(steps.updateResource(id, { name: 'Diary' })));
  await api(steps.updateResource(id, { name: '' }));
  await api(steps.createResource({ name: 'x', resource_uri: 'bad' }));
  const made = ok(await api(steps.createClient(id, { name: 'Machine', scopes: ['a:read'] })));
  const secret = String(made['plain_secret']);
  ok(await api(steps.deleteClient(id, String(member(made, 'client')['client_id']))));
  ok(await api(steps.createPermission({ name: 'b:read' })));
  await api(steps.createPermission({ name: 'b:read' }));
  ok(await api(steps.deleteResource(id)));
  assert.deepEqual((await events()).slice(before_.length), [
    'mcp_server.created',
    'mcp_server.updated',
    'client.created',
    'grants.ended',
    'client.deleted',
    'permission.created',
    'grants.ended',
    'mcp_server.deleted',
  ]);
  const all = JSON.stringify(await own.database.rows(sql`select data::text from events`));
  assert.ok(secret.length > 30 && !all.includes(secret));
});
