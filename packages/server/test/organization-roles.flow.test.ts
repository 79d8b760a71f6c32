import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { managementApi, member, members, ok, protocols, type Step } from './management-api.ts';
import { organizationRoleSteps, roleSteps } from './role-steps.ts';

let gatewarden: TestGatewarden;
let made = 0;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function organization(): Promise<string> {
  made += 1;
  const id = `org_${100_000_000_000_000 + made}`;
  await gatewarden.database.rows(sql`
    insert into organizations (environment_id, id, display_name, created_at, updated_at)
    select id, ${id}, 'Acme', now(), now() from environments`);
  return id;
}

const role = (body: JsonObject): JsonObject => member(body, 'role');

for (const protocol of protocols) {
  test(`over ${protocol} an organization has roles of its own, in a name space of its own, beside those of the environment (FSA-71)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const [acme, other] = [await organization(), await organization()];
    const own = organizationRoleSteps(acme);
    const created = role(
      ok(
        await api(
          own.create({
            name: 'admin',
            display_name: 'Own admin',
            description: 'Of Acme',
            extends: 'admin',
            permissions: ['sk_org_sso_read'],
          }),
        ),
      ),
    );
    assert.deepEqual(
      [created['name'], created['is_org_role'], created['extends'], created['default_creator']],
      ['admin', true, 'admin', created['default_creator']],
    );
    assert.equal((await api(own.create({ name: 'ADMIN', display_name: 'x' }))).code, 3);
    ok(await api(organizationRoleSteps(other).create({ name: 'admin', display_name: 'Other' })));
    ok(await api(own.create({ name: 'clerk', display_name: 'Clerk', extends: 'admin' })));
    const listed = members(ok(await api(own.list('permissions'))), 'roles');
    assert.deepEqual(
      listed.map((one) => [
        one['name'],
        one['is_org_role'] ?? false,
        members(one, 'permissions').length,
      ]),
      [
        ['admin', false, 12],
        ['member', false, 2],
        ['admin', true, 1],
        ['clerk', true, 0],
      ],
    );
    const clerk = role(ok(await api(own.get('clerk', 'permissions:all'))));
    assert.equal(members(clerk, 'permissions').length, 12, 'of its base and its base’s base');
    const again = role(ok(await api(own.update('admin', { display_name: 'A', extends: 'admin' }))));
    assert.equal(again['display_name'], 'A', 'its own name as a base means the environment’s role');
    assert.equal((await api(own.update('admin', { extends: 'clerk' }))).code, 3, 'a circle');

    ok(await api(own.deleteBase('admin')));
    assert.ok(!('extends' in role(ok(await api(own.get('admin'))))));
    assert.equal((await api(own.deleteBase('admin'))).errorCode, 'ROLE_BASE_NOT_FOUND');
    const kept = await api(own.delete('admin'));
    assert.deepEqual([kept.code, kept.errorCode], [9, 'ROLE_HAS_DEPENDENTS']);
    ok(await api(own.delete('clerk', 'member')));
    ok(await api(own.delete('admin')));
    for (const step of [
      own.delete('admin'),
      own.get('admin'),
      own.get('member'),
      own.delete('member'),
      own.update('member', { display_name: 'x' }),
    ]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.errorCode], [5, 'ROLE_NOT_FOUND'], step.method.name);
    }
    ok(await api(roleSteps.get('member')));
  });
}

test("a role of another organization is no base, no successor and no default, and another environment's organization does not exist (FSA-71)", async (t) => {
  const api = await managementApi(t, gatewarden);
  const [acme, other] = [await organization(), await organization()];
  ok(await api(organizationRoleSteps(other).create({ name: 'secret', display_name: 'x' })));
  const own = organizationRoleSteps(acme);
  ok(await api(own.create({ name: 'clerk', display_name: 'Clerk' })));
  await gatewarden.database.rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_2', 'https://other.example', 'Other', 'PRODUCTION', now())`,
  );
  const foreign = 'org_200000000000000';
  await gatewarden.database.rows(
    sql`insert into organizations (environment_id, id, display_name, created_at, updated_at) values ('env_2', ${foreign}, 'Elsewhere', now(), now())`,
  );
  const refused: [Step, number, string][] = [
    [own.create({ name: 'x', display_name: 'x', extends: 'secret' }), 5, 'ROLE_NOT_FOUND'],
    [own.update('clerk', { extends: 'secret' }), 5, 'ROLE_NOT_FOUND'],
    [own.delete('clerk', 'secret'), 3, 'INVALID_ARGUMENT'],
    [own.setDefault('secret'), 3, 'INVALID_ARGUMENT'],
    [roleSteps.update('member', { extends: 'clerk' }), 5, 'ROLE_NOT_FOUND'],
    [roleSteps.setDefaults({ default_member_role: 'clerk' }), 3, 'INVALID_ARGUMENT'],
  ];
  for (const id of [foreign, 'org_299999999999999']) {
    const no = organizationRoleSteps(id);
    for (const step of [
      no.create({ name: 'x', display_name: 'x' }),
      no.update('x', { display_name: 'x' }),
      no.get('x'),
      no.list(),
      no.delete('x'),
      no.deleteBase('x'),
      no.setDefault('member'),
    ])
      refused.push([step, 5, 'ORGANIZATION_NOT_FOUND']);
  }
  for (const [step, code, errorCode] of refused) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.errorCode], [code, errorCode], step.method.name);
  }
  for (const id of ['org_1', 'usr_123456789012345', `org_${'1'.repeat(30)}`])
    assert.equal((await api(organizationRoleSteps(id).list())).code, 3, id);
});

test("an organization's default role for members overrides the environment's, and an organization that is deleted takes its roles with it (FSA-73)", async (t) => {
  const api = await managementApi(t, gatewarden);
  const acme = await organization();
  const own = organizationRoleSteps(acme);
  ok(await api(own.create({ name: 'clerk', display_name: 'Clerk' })));
  ok(await api(own.create({ name: 'chief', display_name: 'Chief', extends: 'clerk' })));
  const defaults = async (list: Step): Promise<unknown[]> =>
    members(ok(await api(list)), 'roles')
      .filter((one) => one['default_member'] === true)
      .map(({ name }) => name);
  assert.deepEqual(await defaults(own.list()), ['member']);
  const set = member(ok(await api(own.setDefault('clerk'))), 'default_member');
  assert.deepEqual([set['name'], set['is_org_role'], set['default_member']], ['clerk', true, true]);
  assert.deepEqual(await defaults(own.list()), ['clerk']);
  assert.deepEqual(await defaults(roleSteps.list()), ['member']);
  assert.deepEqual(await defaults(organizationRoleSteps(await organization()).list()), ['member']);
  ok(await api(own.delete('chief')));
  assert.equal((await api(own.delete('clerk'))).errorCode, 'DEFAULT_ROLE');
  ok(await api(own.setDefault('admin')));
  assert.deepEqual(await defaults(own.list()), ['admin']);
  ok(await api(own.setDefault('clerk')));
  await gatewarden.database.rows(sql`delete from organizations where id = ${acme}`);
  const left = await gatewarden.database.rows(
    sql`select id from roles where organization_id = ${acme}`,
  );
  assert.deepEqual(left, []);
});

test('what happens to a role of an organization is told as that organization’s, and to a role of the environment as nobody’s', async (t) => {
  const api = await managementApi(t, gatewarden);
  const acme = await organization();
  const own = organizationRoleSteps(acme);
  ok(await api(own.create({ name: 'told', display_name: 'Told' })));
  ok(await api(own.update('told', { display_name: 'Told again' })));
  ok(await api(own.delete('told')));
  ok(await api(roleSteps.create({ name: 'told', display_name: 'Shared' })));
  const rows = await gatewarden.database.rows<{ type: string; organization_id: string | null }>(
    sql`select type, organization_id from events where data ->> 'name' = 'told' order by id`,
  );
  assert.deepEqual(
    rows.map(({ type, organization_id }) => [type, organization_id]),
    [
      ['role.created', acme],
      ['role.updated', acme],
      ['role.deleted', acme],
      ['role.created', null],
    ],
  );
});
