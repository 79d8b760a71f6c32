import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Api, managementApi, member, members, ok, steps } from './management-api.ts';
import { roleSteps } from './role-steps.ts';

// Only PostgreSQL has a second connection, so only there calls really meet.
let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

const MEETINGS = 4;
const codesOf = (answers: readonly { code: number }[]): number[] =>
  answers.map(({ code }) => code).sort((a, b) => a - b);

async function create(api: Api, name: string, base?: string): Promise<void> {
  ok(
    await api(
      roleSteps.create({
        name,
        display_name: name,
        ...(base === undefined ? {} : { extends: base }),
      }),
    ),
  );
}

test('of ten calls at once that create, or delete, one role, one succeeds', async (t) => {
  const api = await managementApi(t, gatewarden);
  const ten = <T>(make: () => T): T[] => Array.from({ length: 10 }, make);
  const created = await Promise.all(
    ten(() => api(roleSteps.create({ name: 'once', display_name: 'Once' }))),
  );
  assert.deepEqual(codesOf(created), [0, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
  const deleted = await Promise.all(ten(() => api(roleSteps.delete('once'))));
  assert.deepEqual(codesOf(deleted), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
});

test('two roles that are given each other as base at once never make a circle (FSA-71)', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const [one, two, three] = ['one', 'two', 'three'].map((word) => `${word}_${meeting}`) as [
      string,
      string,
      string,
    ];
    for (const name of [one, two, three]) await create(api, name);
    const answers = await Promise.all([
      api(roleSteps.update(one, { extends: two })),
      api(roleSteps.update(two, { extends: three })),
      api(roleSteps.update(three, { extends: one })),
    ]);
    assert.deepEqual(codesOf(answers), [0, 0, 3]);
  }
});

test('a role that gets a dependent, a place among the defaults or a permission while it is deleted is either kept whole or gone (FSA-74)', async (t) => {
  const api = await managementApi(t, gatewarden);
  ok(await api(steps.createPermission({ name: 'meet:read' })));
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const name = `met_${meeting}`;
    await create(api, name);
    const [extended, deleted] = await Promise.all([
      api(roleSteps.create({ name: `on_${name}`, display_name: 'x', extends: name })),
      api(roleSteps.delete(name)),
    ]);
    assert.ok(
      (extended.code === 0 && deleted.code === 9) || (extended.code === 5 && deleted.code === 0),
      `${extended.code} ${extended.message} / ${deleted.code} ${deleted.message}`,
    );

    await create(api, `granted_${meeting}`);
    const [granted, gone] = await Promise.all([
      api(roleSteps.addPermissions(`granted_${meeting}`, ['meet:read'])),
      api(roleSteps.delete(`granted_${meeting}`)),
    ]);
    assert.ok(gone.code === 0 && (granted.code === 0 || granted.code === 5), granted.message);

    await create(api, `standard_${meeting}`);
    const [chosen, dropped] = await Promise.all([
      api(roleSteps.setDefaults({ default_member_role: `standard_${meeting}` })),
      api(roleSteps.delete(`standard_${meeting}`)),
    ]);
    assert.ok(
      (chosen.code === 0 && dropped.code === 9) || (chosen.code === 3 && dropped.code === 0),
      `${chosen.code} ${chosen.message} / ${dropped.code} ${dropped.message}`,
    );
  }
});

test('a permission that is deleted while a role takes it is either refused to the role or kept', async (t) => {
  const api = await managementApi(t, gatewarden);
  await create(api, 'taker');
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const name = `take:${meeting}`;
    ok(await api(steps.createPermission({ name })));
    const [added, deleted] = await Promise.all([
      api(roleSteps.addPermissions('taker', [name])),
      api(steps.deletePermission(name)),
    ]);
    assert.ok(
      (added.code === 0 && deleted.code === 9) || (added.code === 3 && deleted.code === 0),
      `${added.code} ${added.message} / ${deleted.code} ${deleted.message}`,
    );
  }
  const { role } = { role: member(ok(await api(roleSteps.get('taker', 'permissions'))), 'role') };
  for (const { name } of members(role, 'permissions'))
    ok(await api(steps.getPermission(String(name))));
});
