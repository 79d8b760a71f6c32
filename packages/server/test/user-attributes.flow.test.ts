import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { DescMethodUnary, JsonObject } from '@bufbuild/protobuf';
import { UserAttributeService } from '@gatewarden/contract/scalekit/v1/user_attributes/user_attributes_pb';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { managementApi, member, members, ok, protocols, type Step } from './management-api.ts';

const { method: u } = UserAttributeService;

type Kind = 'sso' | 'directory';

const OF: Readonly<Record<Kind, readonly DescMethodUnary[]>> = {
  sso: [
    u.createSsoUserAttribute,
    u.listSsoUserAttributes,
    u.updateSsoUserAttribute,
    u.deleteSsoUserAttribute,
  ],
  directory: [
    u.createDirectoryUserAttribute,
    u.listDirectoryUserAttributes,
    u.updateDirectoryUserAttribute,
    u.deleteDirectoryUserAttribute,
  ],
};

function attributeSteps(kind: Kind, path = `/${kind}-user-attributes`) {
  const [create, list, update, remove] = OF[kind];
  assert.ok(create && list && update && remove);
  return {
    create: (user_attribute: JsonObject): Step => ({
      method: create,
      input: { user_attribute },
      rest: ['POST', path, user_attribute],
    }),
    list: (): Step => ({ method: list, input: {}, rest: ['GET', path] }),
    update: (key: string, user_attribute: JsonObject): Step => ({
      method: update,
      input: { key, user_attribute },
      rest: ['PATCH', `${path}/${key}`, user_attribute],
    }),
    delete: (key: string): Step => ({
      method: remove,
      input: { key },
      rest: ['DELETE', `${path}/${key}`],
    }),
  };
}

const badge = { key: 'badge_number', label: 'Badge', datatype: 'STRING', enabled: true };

let gatewarden: TestGatewarden;
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

async function keysOf(api: Awaited<ReturnType<typeof managementApi>>, step: Step) {
  return members(ok(await api(step)), 'user_attributes').map(({ key, category }) => [
    key,
    category,
  ]);
}

for (const protocol of protocols)
  test(`attributes of people are defined, changed and deleted over ${protocol}; the standard ones are there from the beginning`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    for (const kind of ['sso', 'directory'] as const) {
      const calls = attributeSteps(kind);
      const standard = await keysOf(api, calls.list());
      assert.ok(standard.length >= 9 && standard.every(([, category]) => category === 'STANDARD'));
      const info: JsonObject =
        kind === 'sso'
          ? { sso_addition_info: { default_saml_mapping: 'Badge', default_oidc_mapping: 'badge' } }
          : { directory_user_additional_info: {} };
      const created = member(ok(await api(calls.create({ ...badge, ...info }))), 'user_attribute');
      assert.deepEqual(created, { ...badge, ...info, category: 'CUSTOM' });
      assert.deepEqual((await keysOf(api, calls.list())).slice(standard.length), [
        ['badge_number', 'CUSTOM'],
      ]);
      const changed = ok(
        await api(
          calls.update('Badge_Number', {
            ...badge,
            key: 'badge_number',
            label: 'Badge no',
            datatype: 'NUMBER',
          }),
        ),
      );
      assert.deepEqual(member(changed, 'user_attribute'), {
        ...badge,
        ...info,
        label: 'Badge no',
        datatype: 'NUMBER',
        category: 'CUSTOM',
      });
      assert.deepEqual(ok(await api(calls.delete('badge_number'))), {});
      assert.equal((await api(calls.delete('badge_number'))).code, 5);
      assert.equal((await api(calls.update('badge_number', badge))).code, 5);
      assert.equal((await keysOf(api, calls.list())).length, standard.length);
    }
  });

test('the other path of sign-in attributes means the same ones', async (t) => {
  const api = await managementApi(t, gatewarden);
  const other = attributeSteps('sso', '/user-profile-attributes');
  ok(await api(other.create({ ...badge, key: 'by_other_path' })));
  const keys = (await keysOf(api, attributeSteps('sso').list())).map(([key]) => key);
  assert.ok(keys.includes('by_other_path'));
  ok(await api(other.update('by_other_path', { ...badge, key: 'by_other_path', label: 'Else' })));
  ok(await api(other.delete('by_other_path')));
});

test('attributes that contradict others or the rules are refused, and leave no event', async (t) => {
  const api = await managementApi(t, gatewarden);
  const calls = attributeSteps('directory');
  ok(await api(calls.create({ ...badge, key: 'desk' })));
  const events = async () =>
    Number(
      (
        await gatewarden.database.rows<{ count: bigint }>(
          sql`select count(*) as count from events where type like 'user_attribute.%'`,
        )
      )[0]?.count,
    );
  const before = await events();
  const refusals: readonly (readonly [Step, string])[] = [
    [calls.create({ ...badge, key: 'DESK' }), 'user_attribute.key'],
    [calls.create({ ...badge, key: 'department' }), 'user_attribute.key'],
    [calls.create({ ...badge, key: 'Groups' }), 'user_attribute.key'],
    [calls.create({ ...badge, key: '9lives' }), 'user_attribute.key'],
    [
      calls.create({ ...badge, key: 'room', datatype: 'UNSPECIFIED_DATATYPE' }),
      'user_attribute.datatype',
    ],
    [calls.create({ ...badge, key: 'room', datatype: 77 }), 'user_attribute.datatype'],
    [calls.create({ ...badge, key: 'room', label: 'a\u0000b' }), 'user_attribute.label'],
    [
      calls.create({
        ...badge,
        key: 'room',
        sso_addition_info: { default_saml_mapping: 'ab', default_oidc_mapping: 'cd' },
      }),
      'user_attribute.sso_addition_info',
    ],
    [calls.update('desk', { ...badge, key: 'table' }), 'user_attribute.key'],
    [calls.update('department', { ...badge, key: 'department' }), 'key'],
    [calls.delete('email'), 'key'],
  ];
  for (const [step, field] of refusals) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.input));
  }
  assert.equal(await events(), before);
  const same = ok(await api(calls.update('desk', { ...badge, key: 'desk' })));
  assert.equal(member(same, 'user_attribute')['key'], 'desk');
  assert.equal(await events(), before, 'a change that changes nothing is no event');
});

test('a race for the last free place among a hundred attributes has one winner', async (t) => {
  const api = await managementApi(t, gatewarden);
  const calls = attributeSteps('sso');
  await gatewarden.database.rows(sql`
    insert into user_attributes (environment_id, kind, key, label, datatype, enabled, required, created_at, updated_at)
    select id, 'sso', 'many_' || n, 'Many', 'STRING', true, false, now(), now() from environments, generate_series(1, 99) as n`);
  const answers = await Promise.all(
    ['one', 'two', 'three'].map((key) => api(calls.create({ ...badge, key }))),
  );
  assert.deepEqual(answers.map(({ code }) => code).sort(), [0, 9, 9]);
});
