import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { UserAttributeService } from '@gatewarden/contract/scalekit/v1/user_attributes/user_attributes_pb';
import {
  deleteDirectoryGroup,
  setGroupMembers,
  upsertDirectoryGroup,
} from '../src/directory/directory-groups.ts';
import { deleteDirectoryUser } from '../src/directory/directory-users.ts';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPostgres } from '../src/testing.ts';
import { ada, added, directorySite, group, person } from './directory-site.ts';
import { member, members, ok, type Step } from './management-api.ts';
import { organizationRoleSteps, roleSteps } from './role-steps.ts';

const OURS = /\b(directories|directory_\w+|organizations|roles|user_attributes)\b/;

let gatewarden: TestGatewarden;
let statements = 0;

/** Counts statements about directories; what runs in the background does not disturb. */
function counting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text)) statements += 1;
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  };
}

before(async (t) => {
  const { database } = await testPostgres(t as never);
  gatewarden = await startTestGatewarden(t as never, { database: counting(database) });
});

test('members of groups come and go with one event for each person; nested groups give roles; a deleted group takes them along (DIR-10, DIR-23)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const ctx = gatewarden.context();
  const own = organizationRoleSteps(key.organizationId);
  ok(await api(own.create({ name: 'engineer', display_name: 'Engineer' })));
  ok(await api(own.create({ name: 'manager', display_name: 'Manager' })));
  const [first, second] = [await added(at, ada), await added(at, person('bob'))];
  const [inner, outer] = [await group(at, 'Inner'), await group(at, 'Outer')];
  const assigned = ok(
    await api(
      calls.assignRoles(at.id, [
        { group_id: inner, role_name: 'engineer' },
        { group_id: outer, role_name: 'Manager' },
        { group_id: inner, role_name: 'ENGINEER' },
      ]),
    ),
  );
  const assignments = members(member(assigned, 'role_assignments'), 'assignments');
  assert.deepEqual(
    assignments.map((entry) => [entry['group_id'], entry['role_name']]),
    [
      [inner, 'engineer'],
      [outer, 'manager'],
    ],
  );
  const shown = member(ok(await api(calls.get(at.id))), 'directory');
  assert.deepEqual(member(shown, 'role_assignments')['assignments'], assignments);

  const seen = (await at.events()).length;
  const news = async (): Promise<unknown[]> =>
    (await at.events())
      .slice(seen)
      .map(({ type, data }) => [
        type,
        data['id'],
        members(data, 'groups').map(({ name }) => name),
        members(data, 'roles').map(({ role_name }) => role_name),
      ]);
  const both = { set: [first, second] };
  assert.equal((await setGroupMembers(ctx, key, inner, both)).kind, 'updated');
  assert.equal((await setGroupMembers(ctx, key, inner, both)).kind, 'unchanged');
  const nest = { add: [inner, first], remove: [] };
  assert.equal((await setGroupMembers(ctx, key, outer, nest)).kind, 'updated');
  assert.deepEqual(await news(), [
    ['user_updated', first, ['Inner'], ['engineer']],
    ['user_updated', second, ['Inner'], ['engineer']],
    ['user_updated', first, ['Inner', 'Outer'], ['engineer', 'manager']],
    ['user_updated', second, ['Inner'], ['engineer', 'manager']],
  ]);
  const counts = members(ok(await api(calls.summary(at.id))), 'groups');
  assert.deepEqual(
    counts.map((entry) => [entry['display_name'], entry['total_users']]),
    [
      ['Outer', 1],
      ['Inner', 2],
    ],
  );
  const ofOuter = ok(await api(calls.users(at.id, { directory_group_id: outer })));
  assert.deepEqual([ofOuter['total_size'], members(ofOuter, 'users')[0]?.['id']], [1, first]);

  // One group of two goes: what it gave goes with it, in one event for each.
  assert.equal((await deleteDirectoryGroup(ctx, key, outer)).kind, 'deleted');
  assert.equal((await deleteDirectoryGroup(ctx, key, outer)).kind, 'unknown');
  assert.deepEqual((await news()).slice(4), [
    ['group_deleted', outer, [], []],
    ['user_updated', first, ['Inner'], ['engineer']],
    ['user_updated', second, ['Inner'], ['engineer']],
  ]);
  ok(await api(calls.assignRoles(at.id, [])));
  ok(await api(calls.assignRoles(at.id, [{ group_id: inner, role_name: 'manager' }])));
  assert.deepEqual((await news()).slice(7), [
    ['user_updated', first, ['Inner'], []],
    ['user_updated', second, ['Inner'], []],
    ['user_updated', first, ['Inner'], ['manager']],
    ['user_updated', second, ['Inner'], ['manager']],
  ]);
  ok(await api(own.delete('manager')));
  const without = member(ok(await api(calls.get(at.id))), 'directory');
  assert.deepEqual(without['role_assignments'], {});
  assert.equal((await deleteDirectoryUser(ctx, key, second)).kind, 'deleted');
  const left = members(ok(await api(calls.summary(at.id))), 'groups');
  assert.equal(left[0]?.['total_users'], 1);
});

test('a group takes no members that its directory does not have, and a new name shows at each of its people (DIR-10)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const other = await directorySite(t, gatewarden);
  const { key } = at;
  const ctx = gatewarden.context();
  const [id, one] = [await group(at, 'Inner'), await added(at, ada)];
  const foreign = await added(other, ada);
  const before = (await at.events()).length;
  const refused = await setGroupMembers(ctx, key, id, {
    add: [one, foreign, 'nonsense'],
    remove: [],
  });
  assert.deepEqual(refused, { kind: 'unknown-members', ids: [foreign, 'nonsense'] });
  assert.equal((await at.events()).length, before);
  const unknown = await setGroupMembers(ctx, other.key, id, { set: [] });
  assert.equal(unknown.kind, 'unknown');
  await setGroupMembers(ctx, key, id, { set: [one] });
  const renamed = { id, displayName: 'Core', externalId: 'x-Inner', raw: {} };
  assert.equal((await upsertDirectoryGroup(ctx, key, renamed)).kind, 'updated');
  assert.equal((await upsertDirectoryGroup(ctx, key, renamed)).kind, 'unchanged');
  const same = { ...renamed, id: undefined, displayName: 'CORE' };
  assert.equal((await upsertDirectoryGroup(ctx, key, same)).kind, 'taken');
  const last = (await at.events()).slice(-2);
  const facts = { id, directory_id: at.id, organization_id: key.organizationId };
  assert.deepEqual(last[0], {
    type: 'group_updated',
    data: { ...facts, display_name: 'Core', external_id: 'x-Inner', raw_attributes: {} },
  });
  assert.deepEqual(last[1]?.data['groups'], [{ id, name: 'Core' }]);
  assert.equal((await deleteDirectoryGroup(ctx, key, id)).kind, 'deleted');
  const gone = (await at.events()).at(-2);
  assert.deepEqual(gone?.data, {
    ...facts,
    display_name: 'Core',
    dp_id: 'x-Inner',
    raw_attributes: {},
  });
});

test('role assignments and mappings name what there is: nothing of other organizations, nothing undefined (DIR-17, DIR-23)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const other = await directorySite(t, gatewarden);
  const { api, steps: calls } = at;
  const ours = await group(at, 'Ours');
  const theirs = await group(other, 'Theirs');
  const foreign = organizationRoleSteps(other.key.organizationId);
  ok(await api(foreign.create({ name: 'foreign', display_name: 'Foreign' })));
  ok(await api(roleSteps.create({ name: 'everywhere', display_name: 'Everywhere' })));
  const given = { group_id: ours, role_name: 'everywhere' };
  const taken = { key: 'a', map_to: 'title' };
  const refusals: readonly (readonly [Step, string])[] = [
    [
      calls.assignRoles(at.id, [given, { ...given, group_id: theirs }]),
      'role_assignments[1].group_id',
    ],
    [
      calls.assignRoles(at.id, [{ ...given, role_name: 'foreign' }]),
      'role_assignments[0].role_name',
    ],
    [
      calls.assignRoles(at.id, [{ ...given, group_id: 'dirgroup_x' }]),
      'role_assignments[0].group_id',
    ],
    [
      calls.assignRoles(at.id, [{ ...given, role_id: 'role_123456789012345' }]),
      'role_assignments[0].role_name',
    ],
    [
      calls.mapAttributes(at.id, [{ key: 'a', map_to: 'unheard_of' }]),
      'attribute_mappings[0].map_to',
    ],
    [calls.mapAttributes(at.id, [taken, taken]), 'attribute_mappings[1].map_to'],
  ];
  for (const [step, field] of refusals) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.input));
  }
  ok(await api(calls.assignRoles(at.id, [given])));
  const badge = { key: 'badge', label: 'Badge', datatype: 'STRING' };
  ok(
    await api({
      method: UserAttributeService.method.createDirectoryUserAttribute,
      input: { user_attribute: badge },
      rest: ['POST', '/directory-user-attributes', badge],
    }),
  );
  const mapped = ok(
    await api(
      calls.mapAttributes(at.id, [
        { key: 'jobTitle', map_to: 'title' },
        { key: 'badgeNumber', map_to: 'Badge' },
      ]),
    ),
  );
  assert.deepEqual(member(mapped, 'attribute_mappings')['attributes'], [
    { key: 'jobTitle', map_to: 'title' },
    { key: 'badgeNumber', map_to: 'badge' },
  ]);
  const remove: Step = {
    method: UserAttributeService.method.deleteDirectoryUserAttribute,
    input: { key: 'badge' },
    rest: ['DELETE', '/directory-user-attributes/badge'],
  };
  const used = await api(remove);
  assert.deepEqual([used.code, used.errorCode], [9, 'ATTRIBUTE_IN_USE']);
  ok(await api(calls.mapAttributes(at.id, [])));
  ok(await api(remove));
});

test('groups that are not selected are neither listed nor counted for roles, unless asked for', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const [sales, staff] = [await group(at, 'Sales'), await group(at, 'Staff')];
  const id = await added(at, ada);
  const ctx = gatewarden.context();
  await setGroupMembers(ctx, key, sales, { set: [id] });
  await setGroupMembers(ctx, key, staff, { set: [id] });
  ok(await api(calls.assignGroups(at.id, ['x-Staff', 'x-Later', 'x-Staff'])));
  const names = async (params: JsonObject = {}): Promise<unknown[]> =>
    members(ok(await api(calls.groups(at.id, params))), 'groups').map((g) => g['display_name']);
  assert.deepEqual(await names(), ['Staff']);
  assert.deepEqual(await names({ include_external_groups: true }), ['Staff', 'Sales']);
  const user = members(ok(await api(calls.users(at.id))), 'users')[0] ?? {};
  assert.deepEqual(user['groups'], [{ id: staff, display_name: 'Staff' }]);
  const last = (await at.events()).at(-1);
  assert.deepEqual(
    [last?.type, last?.data['groups']],
    ['user_updated', [{ id: staff, name: 'Staff' }]],
  );
  await group(at, 'Later');
  await group(at, 'Never');
  assert.deepEqual(await names(), ['Later', 'Staff']);
  assert.equal(member(ok(await api(calls.get(at.id))), 'directory')['groups_tracked'], 'SELECTED');
  const detail = members(ok(await api(calls.groups(at.id, { include_detail: true }))), 'groups');
  assert.deepEqual(detail[0]?.['group_detail'], { displayName: 'Later' });
});

test('how many statements a call about directories takes does not depend on how much there is', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const ctx = gatewarden.context();
  const groups = [await group(at, 'G0')];
  const people = [await added(at, person('one'))];
  await setGroupMembers(ctx, key, groups[0] ?? '', { set: people });
  ok(await api(roleSteps.create({ name: 'counted', display_name: 'Counted' })));
  const cost = async (step: Step): Promise<number> => {
    statements = 0;
    ok(await api(step));
    return statements;
  };
  const assignAll = (): Step =>
    calls.assignRoles(
      at.id,
      groups.map((group_id) => ({ group_id, role_name: 'counted' })),
    );
  const reads: readonly (readonly [Step, number])[] = [
    [calls.list(), 4],
    [calls.get(at.id), 4],
    [calls.users(at.id, { page_size: 30, include_detail: true }), 3],
    [calls.users(at.id, { page_size: 30, directory_group_id: groups[0] ?? '' }), 5],
    [calls.groups(at.id, { page_size: 30 }), 3],
    [calls.summary(at.id), 2],
    [calls.disable(at.id), 4],
    [calls.enable(at.id), 4],
  ];
  const measure = async (): Promise<number[]> => {
    const costs: number[] = [];
    for (const [step, most] of reads) {
      const used = await cost(step);
      assert.ok(used <= most, `${step.method.name}: ${used} statements`);
      costs.push(used);
    }
    return costs;
  };
  const few = await measure();
  const assigning = await cost(assignAll());
  for (let index = 1; index < 15; index += 1) {
    groups.push(await group(at, `G${index}`));
    people.push(await added(at, person(`n${index}`)));
  }
  for (const id of groups) await setGroupMembers(ctx, key, id, { set: people });
  assert.deepEqual(await measure(), few);
  ok(await api(calls.assignRoles(at.id, [])));
  assert.equal(await cost(assignAll()), assigning, 'fifteen groups of fifteen people');
});

test('a group of ten thousand is filled at once, with an event for each of them (DIR-10)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { key } = at;
  await gatewarden.database.rows(sql`
    insert into directory_users (environment_id, id, directory_id, user_name, email, active, created_at, updated_at)
    select ${key.environmentId}, 'diruser_' || (100000000000000 + n), ${key.id}, 'u' || n, 'u' || n || '@acme.example', true, now(), now() from generate_series(1, 10000) as n`);
  const id = await group(at, 'Everybody');
  const set = Array.from({ length: 10_000 }, (_, n) => `diruser_${100_000_000_000_001 + n}`);
  const began = performance.now();
  const outcome = await setGroupMembers(gatewarden.context(), key, id, { set });
  const took = Math.round(performance.now() - began);
  assert.ok(outcome.kind === 'updated' && outcome.group.totalUsers === 10_000);
  t.diagnostic(`${took} ms`);
  assert.ok(took < 10_000, `${took} ms: seconds even on a machine that does much else`);
  const events = (await at.events()).filter(({ type }) => type === 'user_updated');
  assert.equal(events.length, 10_000);
});
