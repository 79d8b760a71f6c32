import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import {
  type Api,
  managementApi,
  member,
  members,
  ok,
  protocols,
  type Step,
  steps,
} from './management-api.ts';
import { roleSteps } from './role-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const role = (body: JsonObject): JsonObject => member(body, 'role');
const names = (list: readonly JsonObject[]): unknown[] => list.map(({ name }) => name);
const origins = (one: JsonObject): unknown[] =>
  members(one, 'permissions').map(({ name, role_name: from }) => `${name} from ${from}`);

async function permissions(api: Api, ...all: string[]): Promise<void> {
  for (const name of all) ok(await api(steps.createPermission({ name })));
}

async function refusals(
  api: Api,
  all: readonly (readonly [Step, number, string])[],
): Promise<void> {
  for (const [step, code, errorCode] of all) {
    const answer = await api(step);
    assert.deepEqual(
      [answer.code, answer.errorCode],
      [code, errorCode],
      `${step.method.name} ${JSON.stringify(step.input)} ${answer.message}`,
    );
  }
}

for (const protocol of protocols) {
  test(`over ${protocol} a role is created, shown, listed, changed and deleted once (FSA-71)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const prefix = protocol.toLowerCase();
    const name = `${prefix}_editor`;
    await permissions(api, `${prefix}:read`, `${prefix}:write`);
    const created = role(
      ok(
        await api(
          roleSteps.create({
            name,
            display_name: 'Editor',
            description: 'Edits',
            extends: 'member',
            permissions: [`${prefix}:read`],
          }),
        ),
      ),
    );
    assert.match(String(created['id']), /^role_[0-9]{15,19}$/);
    assert.deepEqual(
      [created['name'], created['display_name'], created['description'], created['extends']],
      [name, 'Editor', 'Edits', 'member'],
    );
    const plain = role(ok(await api(roleSteps.get(name))));
    assert.deepEqual(members(plain, 'permissions'), [], 'only when asked for');
    const direct = role(ok(await api(roleSteps.get(name, 'permissions'))));
    assert.deepEqual(origins(direct), [`${prefix}:read from ${name}`]);
    const all = role(ok(await api(roleSteps.get(name, 'permissions:all'))));
    assert.deepEqual(origins(all), [
      `${prefix}:read from ${name}`,
      'sk_org_settings_read from member',
      'sk_org_users_read from member',
    ]);
    const listed = members(ok(await api(roleSteps.list('permissions:all'))), 'roles');
    assert.deepEqual(
      listed.find((one) => one['name'] === name),
      all,
    );

    const changed = role(ok(await api(roleSteps.update(name, { display_name: 'Writer' }))));
    assert.deepEqual(
      [changed['display_name'], changed['description'], changed['extends'], origins(changed)],
      ['Writer', 'Edits', 'member', [`${prefix}:read from ${name}`]],
      'what is not given stays',
    );
    const replaced = ok(
      await api(roleSteps.update(name, { permissions: [`${prefix}:write`, `${prefix}:write`] })),
    );
    assert.deepEqual(origins(role(replaced)), [`${prefix}:write from ${name}`]);
    const kept = ok(await api(roleSteps.update(name, { description: 'x', permissions: [] })));
    assert.deepEqual(origins(role(kept)), [`${prefix}:write from ${name}`], 'empty is unchanged');

    ok(await api(roleSteps.deleteBase(name)));
    assert.ok(!('extends' in role(ok(await api(roleSteps.get(name))))), 'absent, not empty');
    ok(await api(roleSteps.delete(name)));
    await refusals(api, [
      [roleSteps.delete(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.get(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.update(name, { display_name: 'x' }), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.deleteBase(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.dependents(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.permissions(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.effective(name), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.addPermissions(name, [`${prefix}:read`]), 5, 'ROLE_NOT_FOUND'],
      [roleSteps.removePermission(name, `${prefix}:read`), 5, 'ROLE_NOT_FOUND'],
    ]);
  });
}

test('a role with a bad name, a taken one in any case, unknown permissions or an unknown base is refused and leaves nothing behind (FSA-71)', async (t) => {
  const api = await managementApi(t, gatewarden);
  ok(await api(roleSteps.create({ name: 'Taken', display_name: 'Taken' })));
  const make = (fields: JsonObject): Step =>
    roleSteps.create({ name: 'refused', display_name: 'Refused', ...fields });
  await refusals(api, [
    [make({ name: 'Taken' }), 3, 'INVALID_ARGUMENT'],
    [make({ name: 'taken' }), 3, 'INVALID_ARGUMENT'],
    [make({ name: '' }), 3, 'VALIDATION_FAILED'],
    [make({ name: 'with-hyphen' }), 3, 'VALIDATION_FAILED'],
    [make({ name: 'x'.repeat(65) }), 3, 'VALIDATION_FAILED'],
    [make({ display_name: '' }), 3, 'VALIDATION_FAILED'],
    [make({ display_name: 'a\0b' }), 3, 'INVALID_ARGUMENT'],
    [make({ description: 'x'.repeat(2001) }), 3, 'VALIDATION_FAILED'],
    [make({ permissions: ['nobody:knows'] }), 3, 'INVALID_ARGUMENT'],
    [make({ extends: 'nobody' }), 5, 'ROLE_NOT_FOUND'],
    [make({ extends: 'refused' }), 5, 'ROLE_NOT_FOUND'],
    [roleSteps.get('refused'), 5, 'ROLE_NOT_FOUND'],
    [roleSteps.get('refused', 'everything'), 3, 'VALIDATION_FAILED'],
    [roleSteps.get('non-existent-role'), 3, 'VALIDATION_FAILED'],
  ]);
  const unknown = await api(make({ permissions: ['sk_org_sso_read', 'nobody:knows'] }));
  assert.deepEqual(unknown.fields, ['role.permissions[1]']);
  assert.match((await api(make({ name: '' }))).message, /name/);
  assert.match((await api(make({ name: 'taken' }))).message, /duplicate key/);
  assert.equal(role(ok(await api(roleSteps.get('TAKEN'))))['name'], 'Taken');
  await refusals(api, [
    [roleSteps.update('taken', { permissions: ['nobody:knows'] }), 3, 'INVALID_ARGUMENT'],
    [roleSteps.update('taken', { extends: 'nobody' }), 5, 'ROLE_NOT_FOUND'],
    [roleSteps.deleteBase('taken'), 5, 'ROLE_BASE_NOT_FOUND'],
  ]);
});

test('bases never make a circle nor a line of more than ten (FSA-71)', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let step = 0; step <= 10; step += 1)
    ok(
      await api(
        roleSteps.create({
          name: `line_${step}`,
          display_name: 'Line',
          ...(step === 0 ? {} : { extends: `line_${step - 1}` }),
        }),
      ),
    );
  ok(await api(roleSteps.create({ name: 'line_top', display_name: 'Top' })));
  const refused: [Step, RegExp][] = [
    [roleSteps.create({ name: 'line_11', display_name: 'x', extends: 'line_10' }), /at most 10/],
    [roleSteps.update('line_0', { extends: 'line_top' }), /at most 10/],
    [roleSteps.update('line_0', { extends: 'line_0' }), /itself/],
    [roleSteps.update('line_0', { extends: 'line_1' }), /extends this role already/],
    [roleSteps.update('line_0', { extends: 'line_10' }), /extends this role already/],
  ];
  for (const [step, words] of refused) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, ['role.extends']], answer.message);
    assert.match(answer.message, words);
  }
  assert.ok(!('extends' in role(ok(await api(roleSteps.get('line_0'))))));
  ok(await api(roleSteps.update('line_10', { extends: 'line_8' })));
  const dependents = members(ok(await api(roleSteps.dependents('line_8'))), 'roles');
  assert.deepEqual(names(dependents), ['line_9', 'line_10']);
  assert.equal(role(ok(await api(roleSteps.get('line_8'))))['dependent_roles_count'], 2);
});

test('viewer, editor and owner: what a role permits is the union along its bases, each permission once and from the nearest (FSA-72)', async (t) => {
  const api = await managementApi(t, gatewarden);
  await permissions(api, 'doc:read', 'doc:write', 'doc:delete');
  ok(await api(roleSteps.create({ name: 'viewer', display_name: 'V', permissions: ['doc:read'] })));
  ok(await api(roleSteps.create({ name: 'editor', display_name: 'E', extends: 'viewer' })));
  ok(await api(roleSteps.create({ name: 'owner', display_name: 'O', extends: 'editor' })));
  const added = ok(await api(roleSteps.addPermissions('editor', ['doc:write', 'doc:read'])));
  assert.deepEqual(names(members(added, 'permissions')), ['doc:read', 'doc:write']);
  const again = ok(await api(roleSteps.addPermissions('owner', ['doc:delete'])));
  assert.deepEqual(names(members(again, 'permissions')), ['doc:delete'], 'only direct ones');
  const effective = async (name: string): Promise<unknown[]> =>
    names(members(ok(await api(roleSteps.effective(name))), 'permissions'));
  assert.deepEqual(await effective('viewer'), ['doc:read']);
  assert.deepEqual(await effective('editor'), ['doc:read', 'doc:write']);
  assert.deepEqual(await effective('owner'), ['doc:delete', 'doc:read', 'doc:write']);
  const all = role(ok(await api(roleSteps.get('owner', 'permissions:all'))));
  assert.deepEqual(origins(all), [
    'doc:delete from owner',
    'doc:read from editor',
    'doc:write from editor',
  ]);

  ok(await api(roleSteps.removePermission('editor', 'doc:write')));
  assert.deepEqual(await effective('owner'), ['doc:delete', 'doc:read']);
  const direct = ok(await api(roleSteps.permissions('editor')));
  assert.deepEqual(names(members(direct, 'permissions')), ['doc:read']);
  await refusals(api, [
    [roleSteps.removePermission('editor', 'doc:write'), 5, 'PERMISSION_NOT_FOUND'],
    [roleSteps.removePermission('owner', 'doc:read'), 5, 'PERMISSION_NOT_FOUND'],
    [roleSteps.removePermission('owner', 'nobody:knows'), 5, 'PERMISSION_NOT_FOUND'],
    [roleSteps.addPermissions('owner', ['doc:read', 'nobody:knows']), 3, 'INVALID_ARGUMENT'],
    [roleSteps.addPermissions('owner', []), 3, 'VALIDATION_FAILED'],
    [steps.deletePermission('doc:read'), 9, 'PERMISSION_IN_USE'],
  ]);
  assert.deepEqual(await effective('owner'), ['doc:delete', 'doc:read'], 'a refusal adds nothing');
});

test('an environment begins with admin and member, which new members get until others are named by name or id (FSA-73)', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const flags = async (): Promise<unknown[]> =>
    members(ok(await api(roleSteps.list())), 'roles').map((one) => [
      one['name'],
      one['default_creator'] ?? false,
      one['default_member'] ?? false,
      one['is_org_role'] ?? false,
    ]);
  assert.deepEqual(await flags(), [
    ['admin', true, false, false],
    ['member', false, true, false],
  ]);
  ok(await api(roleSteps.create({ name: 'guest', display_name: 'Guest' })));
  for (const path of [':set_defaults', '/default']) {
    const body = ok(await api(roleSteps.setDefaults({ default_member_role: 'guest' }, path)));
    assert.deepEqual(
      [member(body, 'default_creator')['name'], member(body, 'default_member')['name']],
      ['admin', 'guest'],
    );
  }
  await refusals(api, [
    [roleSteps.setDefaults({ default_member_role: 'nobody' }), 3, 'INVALID_ARGUMENT'],
    [
      roleSteps.setDefaults({ default_creator_role: 'member', default_member_role: 'nobody' }),
      3,
      'INVALID_ARGUMENT',
    ],
    [roleSteps.setDefaults({ default_member: { id: 'usr_1' } }), 3, 'VALIDATION_FAILED'],
    [
      roleSteps.setDefaults({ default_member: { id: 'role_123456789012345' } }),
      3,
      'INVALID_ARGUMENT',
    ],
    [roleSteps.delete('guest'), 9, 'DEFAULT_ROLE'],
  ]);
  const id = String(role(ok(await api(roleSteps.get('member'))))['id']);
  ok(await api(roleSteps.setDefaults({ default_creator: { id }, default_member: { id } })));
  assert.deepEqual(await flags(), [
    ['admin', false, false, false],
    ['member', true, true, false],
    ['guest', false, false, false],
  ]);
  ok(await api(roleSteps.delete('guest')));
  ok(await api(roleSteps.delete('admin')));
});

test('a role that others extend is not deleted, and a successor must be another role (FSA-74)', async (t) => {
  const api = await managementApi(t, gatewarden);
  ok(await api(roleSteps.create({ name: 'ground', display_name: 'Ground' })));
  ok(await api(roleSteps.create({ name: 'floor', display_name: 'Floor', extends: 'ground' })));
  const { id } = role(ok(await api(roleSteps.get('floor')))) as { id: string };
  await refusals(api, [
    [roleSteps.delete('ground'), 9, 'ROLE_HAS_DEPENDENTS'],
    [roleSteps.delete('ground', 'member'), 9, 'ROLE_HAS_DEPENDENTS'],
    [roleSteps.delete('floor', 'floor'), 3, 'INVALID_ARGUMENT'],
    [roleSteps.delete('floor', 'nobody'), 3, 'INVALID_ARGUMENT'],
    [roleSteps.deleteReassigningId('floor', 'role_1'), 3, 'INVALID_ARGUMENT'],
    [roleSteps.deleteReassigningId('floor', id), 3, 'INVALID_ARGUMENT'],
  ]);
  ok(await api(roleSteps.delete('floor', 'ground')));
  ok(await api(roleSteps.delete('ground')));
});

test('each change of a role leaves its event with what webhooks say of it', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const id = String(
    role(
      ok(await api(roleSteps.create({ name: 'seen', display_name: 'Seen', extends: 'member' }))),
    )['id'],
  );
  ok(await api(roleSteps.update('seen', { description: 'All' })));
  ok(await api(roleSteps.addPermissions('seen', ['sk_org_sso_read'])));
  ok(await api(roleSteps.removePermission('seen', 'sk_org_sso_read')));
  ok(await api(roleSteps.deleteBase('seen')));
  assert.equal((await api(roleSteps.update('seen', { extends: 'seen' }))).code, 3);
  ok(await api(roleSteps.delete('seen')));
  const events = await own.database.rows<{ type: string; data: unknown }>(
    sql`select type, data from events where type like 'role.%' order by id`,
  );
  const facts = { id, name: 'seen', display_name: 'Seen', description: '', extends: 'member' };
  const described = { ...facts, description: 'All' };
  const { extends: _base, ...alone } = described;
  assert.deepEqual(
    events.map(({ type, data }) => [type, data]),
    [
      ['role.created', facts],
      ['role.updated', described],
      ['role.updated', described],
      ['role.updated', described],
      ['role.updated', alone],
      ['role.deleted', alone],
    ],
  );
});
