import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Api, managementApi, member, members, ok, protocols } from './management-api.ts';
import { newOrganization } from './organization-steps.ts';
import { memberSteps, membershipOf, newMember, userSteps as steps } from './user-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const NOBODY = 'usr_123456789012345678';
const ELSEWHERE = 'org_123456789012345678';

const idOf = (thing: JsonObject): string => String(thing['id']);
const profileOf = (user: JsonObject): JsonObject => member(user, 'user_profile');
const ids = (body: JsonObject): string[] => members(body, 'users').map(idOf);

async function anOrganization(api: Api): Promise<string> {
  return idOf(await newOrganization(api));
}

/** What is sent and read back as it is. */
const PROFILE = {
  given_name: 'Ana',
  family_name: 'Silva',
  name: 'Ana S.',
  locale: 'pt-PT',
  phone_number: '+351 1',
  metadata: { team: 'blue' },
  custom_attributes: { badge: '007' },
  preferred_username: 'ana',
  picture: 'https://cdn.example/ana.png',
  gender: 'female',
  groups: ['night', 'day'],
};

for (const protocol of protocols) {
  test(`a person is created with a membership, found by both ids, changed in part and deleted for good, over ${protocol} (FSA-62, FSA-63, FSA-67)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const organization = await anOrganization(api);
    const external_id = `app/7 ${protocol}`;
    const sent = {
      email: `Ana.${protocol}@Example.com`,
      external_id,
      metadata: { plan: 'gold' },
      user_profile: PROFILE,
      membership: { roles: [{ name: 'ADMIN' }], metadata: { desk: '12' } },
    };
    const created = await newMember(api, organization, sent);
    const id = idOf(created);
    assert.match(id, /^usr_[0-9]{15,19}$/);
    assert.match(String(created['environment_id']), /^env_/);
    assert.equal(created['email'], `Ana.${protocol}@example.com`);
    assert.deepEqual(created['metadata'], sent.metadata);
    const { id: profileId, ...profile } = profileOf(created);
    assert.equal(profileId, id.replace('usr_', 'usp_'));
    assert.deepEqual(profile, {
      ...PROFILE,
      first_name: 'Ana',
      last_name: 'Silva',
      email_verified: true,
    });
    const membership = membershipOf(created, organization);
    assert.deepEqual(
      [membership?.['membership_status'], membership?.['metadata'], membership?.['display_name']],
      ['ACTIVE', { desk: '12' }, 'Acme'],
    );
    assert.deepEqual(
      members(membership ?? {}, 'roles').map(({ name }) => name),
      ['admin'],
    );
    assert.ok(Array.isArray(membership?.['permissions']));
    assert.deepEqual(ok(await api(steps.get(id))), { user: created });
    assert.deepEqual(ok(await api(steps.get(external_id))), { user: created });

    gatewarden.clock.advance({ seconds: 5 });
    const change = { metadata: { plan: 'free' }, user_profile: { last_name: 'Sousa', gender: '' } };
    const changed = member(ok(await api(steps.update(external_id, change))), 'user');
    assert.ok(String(changed['update_time']) > String(created['update_time']));
    assert.deepEqual(changed['metadata'], { plan: 'free' });
    const { gender: _gone, ...others } = profileOf(created);
    assert.deepEqual(profileOf(changed), { ...others, last_name: 'Sousa', family_name: 'Sousa' });
    const renamed = member(ok(await api(steps.update(id, { external_id: '' }))), 'user');
    assert.equal(Object.hasOwn(renamed, 'external_id'), false);

    assert.deepEqual(ok(await api(steps.delete(id))), {});
    for (const step of [
      steps.get(id),
      steps.delete(id),
      steps.update(id, {}),
      steps.get(external_id),
    ]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.errorCode], [5, 'USER_NOT_FOUND']);
    }
    // The address and the external id of somebody who is gone are free.
    await newMember(api, organization, { email: sent.email, external_id });
  });
}

test('the two older names of a profile are the newer ones, and a name put together from them follows them (FSA-62)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const names = (user: JsonObject): unknown[] => {
    const profile = profileOf(user);
    return ['first_name', 'given_name', 'last_name', 'family_name', 'name'].map(
      (name) => profile[name],
    );
  };
  const user = await newMember(api, organization, {
    user_profile: { first_name: 'Bo', last_name: 'Berg' },
  });
  assert.deepEqual(names(user), ['Bo', 'Bo', 'Berg', 'Berg', 'Bo Berg']);
  const change = async (user_profile: JsonObject) =>
    names(member(ok(await api(steps.update(idOf(user), { user_profile }))), 'user'));
  assert.deepEqual(await change({ given_name: 'Bea' }), ['Bea', 'Bea', 'Berg', 'Berg', 'Bea Berg']);
  assert.deepEqual(await change({ name: 'Queen' }), ['Bea', 'Bea', 'Berg', 'Berg', 'Queen']);
  assert.deepEqual(await change({ first_name: 'Bo' }), ['Bo', 'Bo', 'Berg', 'Berg', 'Queen']);
  assert.deepEqual(await change({ given_name: 'New', first_name: 'Old' }), [
    'New',
    'New',
    'Berg',
    'Berg',
    'Queen',
  ]);
});

test('a request that says the wrong thing is refused by name of the field and changes nothing (FSA-62, FSA-63)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const taken = await newMember(api, organization, { external_id: 'taken' });
  const before = ok(await api(steps.list()))['total_size'];
  const email = 'fine@example.com';
  const refusals: readonly (readonly [JsonObject, string])[] = [
    [{ email: 'nobody' }, 'user.email'],
    [{ email: 'ana@exam\u0000ple.com' }, 'user.email'],
    [{ email: String(taken['email']).toUpperCase() }, 'user.email'],
    [{ email, external_id: 'taken' }, 'user.external_id'],
    [{ email, external_id: 'x'.repeat(511) }, 'user.external_id'],
    [{ email, external_id: 'a\0' }, 'user.external_id'],
    [{ email, metadata: { plan: 'a\0' } }, 'user.metadata'],
    [{ email, user_profile: { name: 'x'.repeat(513) } }, 'user.user_profile.name'],
    [{ email, user_profile: { locale: 'a\0' } }, 'user.user_profile.locale'],
    [
      { email, membership: { roles: [{ name: 'member' }, { name: 'boss' }] } },
      'user.membership.roles[1]',
    ],
    [{ email, membership: { roles: [{}] } }, 'user.membership.roles[0]'],
    [{ email, membership: { roles: [{ id: 'role_1' }] } }, 'user.membership.roles[0]'],
    [{ email, membership: { metadata: { desk: '\0' } } }, 'user.membership.metadata'],
    [{ email, membership: { inviter_email: 'x@y' } }, 'user.membership.inviter_email'],
  ];
  for (const [user, field] of refusals) {
    const answer = await api(own.create(user, false));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(user));
  }
  for (const [user, fields] of [
    [{ email, metadata: { ab: 'too short a key' } }, /metadata/],
    [{ email, user_profile: { groups: ['twice', 'twice'] } }, /groups/],
    [{ email, user_profile: { given_name: 'x'.repeat(256) } }, /given_name/],
  ] as const) {
    const answer = await api(own.create(user as JsonObject, false));
    assert.equal(answer.code, 3);
    assert.match(answer.message, fields);
  }
  assert.equal(ok(await api(steps.list()))['total_size'], before);
  const id = idOf(taken);
  const other = await newMember(api, organization);
  const stolen = await api(steps.update(idOf(other), { external_id: 'taken' }));
  assert.deepEqual([stolen.code, stolen.fields], [3, ['user.external_id']]);
  assert.equal(
    (await api(memberSteps(ELSEWHERE).create({ email }))).errorCode,
    'ORGANIZATION_NOT_FOUND',
  );
  assert.equal((await api(memberSteps('org_x').create({ email }))).code, 3);
  for (const bad of ['usr_12', `usr_${'1'.repeat(25)}`, 'usr_12345678901234567x'])
    for (const step of [steps.get(bad), steps.update(bad, {}), steps.delete(bad)])
      assert.equal((await api(step)).code, 3, bad);
  assert.deepEqual(ok(await api(steps.get(id))), { user: taken });
});

test('lists are read in both directions, newest first, and know tokens of other lists from their own', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const made: string[] = [];
  for (let index = 0; index < 7; index += 1) {
    gatewarden.clock.advance({ seconds: 1 });
    made.unshift(idOf(await newMember(api, organization, { external_id: `lister-${index}` })));
  }
  const first = ok(await api(own.list({ page_size: 3 })));
  assert.deepEqual([ids(first), first['total_size']], [made.slice(0, 3), 7]);
  assert.equal(first['prev_page_token'] ?? '', '');
  const page_token = String(first['next_page_token']);
  const second = ok(await api(own.list({ page_size: 3, page_token })));
  assert.deepEqual(ids(second), made.slice(3, 6));
  const back = ok(
    await api(own.list({ page_size: 3, page_token: String(second['prev_page_token']) })),
  );
  assert.deepEqual(ids(back), made.slice(0, 3));
  const last = ok(
    await api(own.list({ page_size: 3, page_token: String(second['next_page_token']) })),
  );
  assert.deepEqual([ids(last), last['next_page_token'] ?? ''], [made.slice(6), '']);
  const everybody = ok(await api(steps.list({ page_size: 7 })));
  assert.deepEqual(ids(everybody), made);
  assert.ok(Number(everybody['total_size']) > 7);
  const listed = members(everybody, 'users')[0] ?? {};
  assert.equal(membershipOf(listed, organization)?.['membership_status'], 'ACTIVE');

  const found = ok(await api(own.search({ query: 'LISTER-', page_size: 5 })));
  assert.deepEqual([ids(found), found['total_size']], [made.slice(0, 5), 7]);
  assert.deepEqual(ids(ok(await api(steps.search({ query: 'lister-3' })))), [made[3]]);
  assert.deepEqual(ids(ok(await api(steps.search({ query: made[2] ?? '' })))), [made[2]]);
  const email = String(members(everybody, 'users')[1]?.['email']).split('@')[0] ?? '';
  assert.ok(ids(ok(await api(steps.search({ query: email })))).includes(made[1] ?? ''));
  assert.deepEqual(ids(ok(await api(steps.search({ query: 'nobody-has-this' })))), []);
  const foreign = await anOrganization(api);
  assert.deepEqual(ids(ok(await api(memberSteps(foreign).search({ query: 'lister-' })))), []);

  const refused: readonly (readonly [Parameters<Api>[0], string])[] = [
    [steps.list({ page_token }), 'page_token'],
    [memberSteps(foreign).list({ page_token }), 'page_token'],
    [own.search({ query: 'lister', page_token }), 'page_token'],
    [own.list({ page_token: 'x' }), 'page_token'],
    [steps.list({ page_size: 101 }), 'page_size'],
    [own.list({ page_size: 101 }), 'page_size'],
    [steps.search({ query: 'abc', page_size: 31 }), 'page_size'],
    [steps.search({ query: 'ab' }), 'query'],
    [steps.search({ query: 'x'.repeat(101) }), 'query'],
    [own.search({ query: 'ab' }), 'query'],
    [memberSteps('org_1').list(), 'organization_id'],
  ];
  for (const [step, field] of refused) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.rest));
  }
  for (const step of [
    memberSteps(ELSEWHERE).list(),
    memberSteps(ELSEWHERE).search({ query: 'abc' }),
  ])
    assert.equal((await api(step)).errorCode, 'ORGANIZATION_NOT_FOUND');
});

test('people of another environment are nobody, by whichever id they are asked for (attack: ids of another tenant)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  await gatewarden.database.rows(sql`
    with other as (
      insert into environments (id, url, display_name, kind, created_at) values ('env_999999999999999999', 'https://other.example', 'Other', 'DEVELOPMENT', now()) returning id
    ), home as (
      insert into organizations (environment_id, id, display_name, created_at, updated_at) select id, 'org_999999999999999999', 'Theirs', now(), now() from other returning environment_id
    )
    insert into users (environment_id, id, email, email_key, external_id, revocation_secret, created_at, updated_at)
    select id, 'usr_999999999999999999', 'their@example.com', 'their@example.com', 'theirs', '\\x00', now(), now() from other`);
  await gatewarden.database.rows(sql`
    insert into memberships (environment_id, organization_id, user_id, status, provisioning_method, created_at, updated_at)
    values ('env_999999999999999999', 'org_999999999999999999', 'usr_999999999999999999', 'ACTIVE', 'api', now(), now())`);
  const own = memberSteps(organization);
  const theirs = memberSteps('org_999999999999999999');
  for (const user of ['usr_999999999999999999', 'theirs', NOBODY]) {
    for (const step of [
      steps.get(user),
      steps.update(user, { metadata: { plan: 'x' } }),
      steps.delete(user),
      own.join(user),
      own.change(user, { metadata: { desk: '1' } }),
      own.leave(user),
    ])
      assert.deepEqual([(await api(step)).code, step.rest[0]], [5, step.rest[0]]);
    for (const step of [theirs.join(user), theirs.change(user, {}), theirs.leave(user)])
      assert.equal((await api(step)).errorCode, 'ORGANIZATION_NOT_FOUND');
  }
  for (const step of [
    theirs.list(),
    theirs.roles('usr_999999999999999999'),
    theirs.assign('usr_999999999999999999', [{ role_name: 'admin' }]),
    theirs.withdraw('usr_999999999999999999', 'member'),
    theirs.permissions('usr_999999999999999999'),
    theirs.resend('usr_999999999999999999'),
    theirs.create({ email: 'spy@example.com' }),
  ])
    assert.equal((await api(step)).errorCode, 'ORGANIZATION_NOT_FOUND');
  assert.deepEqual(ids(ok(await api(steps.search({ query: 'their@' })))), []);
});
