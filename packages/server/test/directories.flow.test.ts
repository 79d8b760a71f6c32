import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { proveDirectory } from '../src/directory/directory-secrets.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { directorySteps, newDirectory } from './directory-steps.ts';
import { operator } from './every-caller.ts';
import { managementApi, member, members, ok, protocols, type Step } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';

const NOBODY = 'dir_123456789012345678';
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

let gatewarden: TestGatewarden;
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function eventsOf(organizationId: string): Promise<{ type: string; data: JsonObject }[]> {
  return await gatewarden.database.rows(
    sql`select type, data from events where organization_id = ${organizationId} and type ~ '^(directory|organization[.]directory)' order by id`,
  );
}

for (const protocol of protocols)
  test(`a directory is created enabled, found, changed, switched off and on and deleted for good, over ${protocol} (DIR-18, DIR-33)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const organizationId = String((await newOrganization(api))['id']);
    const steps = directorySteps(organizationId);
    assert.deepEqual(members(ok(await api(steps.list())), 'directories'), []);
    const created = member(
      ok(await api(steps.create({ directory_type: 'SCIM', directory_provider: 'OKTA' }))),
      'directory',
    );
    const id = String(created['id']);
    assert.match(id, /^dir_[0-9]{15,19}$/);
    assert.deepEqual(created, {
      id,
      name: 'Okta directory',
      directory_type: 'SCIM',
      directory_provider: 'OKTA',
      organization_id: organizationId,
      enabled: true,
      directory_endpoint: `${gatewarden.url}/directory/${id}/scim/v2`,
      stats: {},
      role_assignments: {},
      attribute_mappings: {},
      status: 'DRAFT',
      groups_tracked: 'ALL',
    });
    assert.deepEqual(member(ok(await api(steps.get(id))), 'directory'), created);
    assert.deepEqual(members(ok(await api(steps.list())), 'directories'), [created]);

    const second = await api(steps.create({ directory_type: 'SCIM' }));
    assert.deepEqual([second.code, second.errorCode], [9, 'DIRECTORY_EXISTS']);
    for (let twice = 0; twice < 2; twice += 1)
      assert.equal(ok(await api(steps.disable(id)))['enabled'] ?? false, false);
    const other = await newDirectory(api, organizationId);
    const refused = await api(steps.enable(id));
    assert.deepEqual([refused.code, refused.errorCode], [9, 'DIRECTORY_EXISTS']);
    const order = members(ok(await api(steps.list())), 'directories').map((found) => found['id']);
    assert.deepEqual(order, [other['id'], id], 'the enabled one is the primary one');
    ok(await api(steps.delete(String(other['id']))));
    for (let twice = 0; twice < 2; twice += 1)
      assert.equal(ok(await api(steps.enable(id)))['enabled'], true);

    const changed = member(
      ok(
        await api(
          steps.update(id, {
            name: 'People',
            directory_provider: 'MICROSOFT_AD',
            status: 'COMPLETED',
            mappings: [{ key: 'dept', map_to: 'department', display_name: 'Department' }],
            groups: [{ external_id: 'g-1', display_name: 'Sales', email: 'sales@acme.example' }],
          }),
        ),
      ),
      'directory',
    );
    assert.deepEqual(
      [changed['name'], changed['directory_provider'], changed['status'], changed['enabled']],
      ['People', 'MICROSOFT_AD', 'COMPLETED', true],
    );
    assert.deepEqual(changed['attribute_mappings'], {
      attributes: [{ key: 'dept', map_to: 'department' }],
    });

    ok(await api(steps.disable(id)));
    assert.deepEqual(ok(await api(steps.delete(id))), {});
    for (const step of everyCall(organizationId, id)) {
      const answer = await api(step);
      assert.deepEqual(
        [answer.code, answer.errorCode],
        [5, 'DIRECTORY_NOT_FOUND'],
        step.method.name,
      );
    }
    const events = await eventsOf(organizationId);
    assert.deepEqual(
      events.map(({ type }) => type.replace('organization.', '')),
      [
        'directory_enabled',
        'directory_disabled',
        'directory_enabled',
        'directory_disabled',
        'directory.deleted',
        'directory_enabled',
        'directory.updated',
        'directory_disabled',
        'directory.deleted',
      ],
      'what changes nothing, or fails, is no event',
    );
    const { updated_at, ...facts } = events[0]?.data ?? {};
    assert.deepEqual(facts, {
      id,
      organization_id: organizationId,
      directory_type: 'SCIM',
      provider: 'OKTA',
      enabled: true,
    });
    assert.match(String(updated_at), /^\d{4}-.*Z$/);
  });

/** Every call that names a directory. */
function everyCall(organizationId: string, id: string): Step[] {
  const steps = directorySteps(organizationId);
  return [
    steps.get(id),
    steps.update(id, { name: 'Any' }),
    steps.enable(id),
    steps.disable(id),
    steps.delete(id),
    steps.users(id),
    steps.groups(id),
    steps.summary(id),
    steps.createSecret(id),
    steps.regenerateSecret(id),
    steps.sync(id),
    steps.assignGroups(id, ['g-1']),
    steps.assignRoles(id, []),
    steps.mapAttributes(id, []),
  ];
}

test('a directory of another organization is like one that does not exist, and leaves as it was', async (t) => {
  const api = await managementApi(t, gatewarden);
  const ours = String((await newOrganization(api))['id']);
  const theirs = String((await newOrganization(api))['id']);
  const directory = await newDirectory(api, theirs);
  const before = await eventsOf(theirs);
  for (const id of [String(directory['id']), NOBODY])
    for (const step of everyCall(ours, id)) {
      const { code, errorCode, message } = await api(step);
      assert.deepEqual(
        [code, errorCode, message],
        [5, 'DIRECTORY_NOT_FOUND', 'there is no such directory'],
        step.method.name,
      );
    }
  assert.deepEqual(await eventsOf(theirs), before);
  const unknown = directorySteps('org_123456789012345678');
  for (const step of [unknown.list(), unknown.create({ directory_type: 'SCIM' })])
    assert.equal((await api(step)).errorCode, 'ORGANIZATION_NOT_FOUND');
  for (const step of everyCall(ours, 'dir_1')) assert.equal((await api(step)).code, 3);
  for (const step of everyCall('org_1', NOBODY)) assert.equal((await api(step)).code, 3);
});

test('what a directory cannot be is refused, field by field, and nothing of the call is kept', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const steps = directorySteps(organizationId);
  const id = String((await newDirectory(api, organizationId))['id']);
  const group = (external_id: string) => ({
    external_id,
    display_name: 'G',
    email: 'g@acme.example',
  });
  const before = await eventsOf(organizationId);
  const refusals: readonly (readonly [Step, string])[] = [
    [steps.create({ directory_type: 'LDAP' }), 'directory.directory_type'],
    [steps.create({}), 'directory.directory_type'],
    [
      steps.create({ directory_type: 'SCIM', directory_provider: 99 }),
      'directory.directory_provider',
    ],
    [steps.update(id, { enabled: true }), 'directory.name'],
    [steps.update(id, { name: 'a\u0000b' }), 'directory.name'],
    [steps.update(id, { name: 'Other', directory_type: 'POLL' }), 'directory.directory_type'],
    [
      steps.update(id, { name: 'Other', mappings: [{ key: 'a', map_to: 'unheard_of' }] }),
      'directory.mappings[0].map_to',
    ],
    [steps.update(id, { name: 'Other', groups: [group('1'), group('1')] }), 'directory.groups'],
    [steps.assignGroups(id, []), 'external_ids'],
    [steps.assignGroups(id, ['']), 'external_ids[0]'],
    [steps.users(id, { page_size: 31 }), 'page_size'],
    [steps.users(id, { page_token: '>:nonsense' }), 'page_token'],
    [steps.users(id, { directory_group_id: 'dirgroup_123456789012345' }), 'directory_group_id'],
    [steps.groups(id, { page_size: 31 }), 'page_size'],
  ];
  for (const [step, field] of refusals) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.input));
  }
  assert.equal((await api(steps.users(id, { updated_after: 'yesterday' }))).code, 3);
  assert.deepEqual(await eventsOf(organizationId), before);
  assert.equal(member(ok(await api(steps.get(id))), 'directory')['name'], 'Directory');
});

test('secrets of a directory show once, two are valid at most, and a leaked one ends at once (DIR-2)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const steps = directorySteps(organizationId);
  const id = String((await newDirectory(api, organizationId))['id']);
  const ctx = gatewarden.context();
  const key = { environmentId: ctx.environmentId, organizationId, id };
  const plainOf = (body: JsonObject): string => String(body['plain_secret']);
  const speaks = async (plain: string, of = id): Promise<boolean> =>
    (await proveDirectory(gatewarden.context(), of, plain)) !== undefined;

  const first = ok(await api(steps.createSecret(id)));
  const secret = member(first, 'secret');
  assert.match(plainOf(first), /^scim_[A-Za-z0-9_-]{43}$/);
  assert.equal(secret['secret_suffix'], plainOf(first).slice(-4));
  assert.equal(
    Date.parse(String(secret['expire_time'])) - Date.parse(String(secret['create_time'])),
    YEAR_MS,
  );
  assert.deepEqual(await proveDirectory(ctx, id, plainOf(first)), key);
  const wrong = [plainOf(first).slice(0, -1), '', 'x'.repeat(10_000)];
  for (const guess of wrong) assert.equal(await speaks(guess), false);
  const other = await newDirectory(api, String((await newOrganization(api))['id']));
  assert.equal(await speaks(plainOf(first), String(other['id'])), false);

  const second = ok(await api(steps.createSecret(id)));
  const third = await api(steps.createSecret(id));
  assert.deepEqual([third.code, third.errorCode], [9, 'TOO_MANY_SECRETS']);
  assert.deepEqual([await speaks(plainOf(first)), await speaks(plainOf(second))], [true, true]);
  const shown = member(ok(await api(steps.get(id))), 'directory');
  assert.equal(shown['status'], 'IN_PROGRESS');
  assert.equal(members(shown, 'secrets').length, 2);
  assert.ok(members(shown, 'secrets').every((entry) => entry['last_used_time'] !== undefined));
  assert.equal(JSON.stringify(shown).includes(plainOf(first)), false);

  const next = ok(await api(steps.createSecret(id)));
  assert.deepEqual(
    [await speaks(plainOf(first)), await speaks(plainOf(second)), await speaks(plainOf(next))],
    [false, true, true],
    'the newer one was in use: the older one gave way',
  );
  const alone = ok(await api(steps.regenerateSecret(id)));
  assert.deepEqual(
    [await speaks(plainOf(second)), await speaks(plainOf(next)), await speaks(plainOf(alone))],
    [false, false, true],
  );
  const all = members(member(ok(await api(steps.get(id))), 'directory'), 'secrets');
  assert.deepEqual(
    all.map(({ status }) => status ?? 'ACTIVE'),
    ['ACTIVE', 'INACTIVE', 'INACTIVE', 'INACTIVE'],
  );
  gatewarden.clock.advance({ seconds: YEAR_MS / 1000 });
  assert.equal(await speaks(plainOf(alone)), false, 'after a year');
  const rows = await gatewarden.database.rows<{ text: string }>(
    sql`select (select string_agg(s::text, '') from directory_secrets s) || (select string_agg(e.data::text, '') from events e) as text`,
  );
  for (const body of [first, second, next, alone])
    assert.equal(rows[0]?.text.includes(plainOf(body)), false, 'no secret is stored');
});

test('a directory that is fetched has no secrets, and nothing to fetch from until it is connected (DIR-18)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const poll = directorySteps(String((await newOrganization(api))['id']));
  const polled = member(ok(await api(poll.create({ directory_type: 'POLL' }))), 'directory');
  assert.equal(polled['directory_endpoint'], undefined);
  for (const [step, errorCode] of [
    [poll.createSecret(String(polled['id'])), 'DIRECTORY_HAS_NO_SECRETS'],
    [poll.sync(String(polled['id'])), 'DIRECTORY_NOT_CONNECTED'],
  ] as const)
    assert.deepEqual([(await api(step)).code, (await api(step)).errorCode], [9, errorCode]);
});

test('a synchronisation is asked for by clients of the environment, and by nobody whose browser could be made to ask', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const steps = directorySteps(organizationId);
  const id = String((await newDirectory(api, organizationId))['id']);
  assert.deepEqual(ok(await api(steps.sync(id))), {});
  ok(await api(steps.disable(id)));
  const off = await api(steps.sync(id));
  assert.deepEqual([off.code, off.errorCode], [9, 'DIRECTORY_DISABLED']);
  assert.equal((await api(steps.sync(id), undefined)).code, 16);
  const { headers } = await operator(gatewarden, 'admin');
  const [, path] = steps.sync(id).rest;
  const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, { headers });
  assert.equal(answer.status, 403);
});

test('notes of the set-up are kept for the pages that wrote them, and are not for clients of the environment', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const steps = directorySteps(organizationId);
  const id = String((await newDirectory(api, organizationId))['id']);
  assert.equal((await api(steps.getContext(id))).code, 7);
  const { headers } = await operator(gatewarden, 'owner');
  const call = async (method: 'GET' | 'PUT', of: string, body?: unknown) => {
    const [, path] = steps.getContext(of).rest;
    const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as JsonObject };
  };
  assert.deepEqual(await call('GET', id), { status: 200, body: { context: {} } });
  const notes = { step: 2, seen: ['okta'], deep: { done: true } };
  assert.deepEqual(await call('PUT', id, notes), { status: 200, body: {} });
  assert.deepEqual((await call('GET', id)).body, { context: notes });
  assert.equal((await call('PUT', id, { long: 'x'.repeat(20_000) })).status, 400);
  assert.equal((await call('PUT', id, { zero: 'a\u0000' })).status, 400);
  assert.equal((await call('GET', NOBODY)).status, 404);
  assert.equal((await call('PUT', NOBODY, notes)).status, 404);
  assert.deepEqual((await call('GET', id)).body, { context: notes });
});

test('a race to create a directory leaves one that is enabled, and no event of the others', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  const steps = directorySteps(organizationId);
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => api(steps.create({ directory_type: 'SCIM' }))),
  );
  assert.deepEqual(answers.map(({ code }) => code).sort(), [0, 9, 9, 9]);
  assert.equal((await eventsOf(organizationId)).length, 1);
  await gatewarden.database.rows(sql`
    insert into directories (environment_id, id, organization_id, name, type, provider, enabled, changed_at, created_at, updated_at)
    select environment_id, 'dir_' || (100000000000000 + n), organization_id, 'D', 'SCIM', 'OKTA', false, now(), now(), now()
      from directories, generate_series(1, 19) as n where organization_id = ${organizationId}`);
  const most = await api(steps.create({ directory_type: 'SCIM' }));
  assert.deepEqual([most.code, most.errorCode], [9, 'TOO_MANY_DIRECTORIES']);
});
