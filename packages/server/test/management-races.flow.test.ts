import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Api, managementApi, member, members, ok, steps } from './management-api.ts';

// Only PostgreSQL has a second connection, so only there calls really meet.
let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

const MEETINGS = 5;
const codesOf = (answers: readonly { code: number }[]): number[] =>
  answers.map(({ code }) => code).sort((a, b) => a - b);

async function permission(api: Api, name: string): Promise<void> {
  ok(await api(steps.createPermission({ name })));
}

test('of twenty calls at once that register one Server URL in several spellings, one succeeds (AS-148)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const spellings = [
    'https://race.example.com/mcp',
    'https://race.example.com/mcp/',
    'https://RACE.example.com:443/mcp',
  ];
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      api(
        steps.createResource({
          name: 'Race',
          resource_uri: spellings[index % 3] ?? '',
          scopes: ['race:read'],
        }),
      ),
    ),
  );
  assert.deepEqual(codesOf(answers), [0, ...Array.from({ length: 19 }, () => 3)]);
});

test('of ten calls at once that create, or delete, one thing, one succeeds', async (t) => {
  const api = await managementApi(t, gatewarden);
  const ten = <T>(make: () => T): T[] => Array.from({ length: 10 }, make);
  const created = await Promise.all(ten(() => api(steps.createPermission({ name: 'once' }))));
  assert.deepEqual(codesOf(created), [0, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
  const deleted = await Promise.all(ten(() => api(steps.deletePermission('once'))));
  assert.deepEqual(codesOf(deleted), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
  const { id } = await gatewarden.mcpServer();
  const machine = await gatewarden.machine(id);
  const clients = await Promise.all(ten(() => api(steps.deleteClient(id, machine.id))));
  assert.deepEqual(codesOf(clients), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
  const servers = await Promise.all(ten(() => api(steps.deleteResource(id))));
  assert.deepEqual(codesOf(servers), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
});

test('a permission that is deleted while an MCP server takes it as a scope is either kept or made anew: a scope without a permission never exists', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const name = `meeting:${meeting}`;
    await permission(api, name);
    const { id } = await gatewarden.mcpServer({ scopes: [] });
    const [updated, deleted] = await Promise.all([
      api(steps.updateResource(id, { scopes: [name] })),
      api(steps.deletePermission(name)),
    ]);
    assert.equal(updated.code, 0, updated.message);
    assert.ok(deleted.code === 0 || deleted.code === 9, deleted.message);
    ok(await api(steps.getPermission(name)));
    const scopes = members(member(ok(await api(steps.getResource(id))), 'resource'), 'scopes');
    assert.deepEqual(
      scopes.map((scope) => scope['name']),
      [name],
    );
  }
});

test('two changes of different members at once both hold', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const { id } = await gatewarden.mcpServer();
    const answers = await Promise.all([
      api(steps.updateResource(id, { name: 'Diary' })),
      api(steps.updateResource(id, { description: 'Dates' })),
      api(steps.updateSettings(id, { code_lifetime: 30 })),
      api(steps.updateSettings(id, { refresh_grace: 10 })),
    ]);
    assert.deepEqual(codesOf(answers), [0, 0, 0, 0]);
    const resource = member(ok(await api(steps.getResource(id))), 'resource');
    const settings = member(ok(await api(steps.getSettings(id))), 'settings');
    assert.deepEqual(
      [
        resource['name'],
        resource['description'],
        settings['code_lifetime'],
        settings['refresh_grace'],
      ],
      ['Diary', 'Dates', 30, 10],
    );
  }
});

test('the last two secrets of a client, deleted at once: one stays (AS-69)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { id } = await gatewarden.mcpServer();
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const client = member(ok(await api(steps.createClient(id, { name: 'Robot' }))), 'client');
    const clientId = String(client['client_id']);
    const second = member(ok(await api(steps.createSecret(clientId))), 'secret')['id'];
    const ids = [members(client, 'secrets')[0]?.['id'], second].map(String);
    const answers = await Promise.all(
      ids.map((secret) => api(steps.deleteSecret(clientId, secret))),
    );
    assert.deepEqual(codesOf(answers), [0, 9]);
  }
});
