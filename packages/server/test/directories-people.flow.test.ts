import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { setGroupMembers, upsertDirectoryGroup } from '../src/directory/directory-groups.ts';
import {
  type DirectoryUserWrite,
  deleteDirectoryUser,
  upsertDirectoryUser,
} from '../src/directory/directory-users.ts';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { ada, added, directorySite, group, person } from './directory-site.ts';
import { member, members, ok } from './management-api.ts';

let gatewarden: TestGatewarden;
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

test('a person of a directory is written once, listed, changed and deleted, each with its event and none for no change (DIR-19, DIR-33)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const ctx = gatewarden.context();
  const id = await added(at, ada);
  assert.match(id, /^diruser_[0-9]{15,19}$/);
  const same = await upsertDirectoryUser(ctx, key, {
    ...ada,
    id,
    raw: { department: 'Engines', userName: 'ada@acme.example' },
  });
  assert.equal(same.kind, 'unchanged', 'the order of members does not matter');
  for (const write of [
    { ...ada, userName: 'ADA@acme.example' },
    { ...ada, externalId: 'okta-2' },
  ])
    assert.equal((await upsertDirectoryUser(ctx, key, write)).kind, 'taken');
  const other = await added(at, person('bob'));
  assert.equal((await upsertDirectoryUser(ctx, key, { ...ada, id: other })).kind, 'taken');
  const listed = members(ok(await api(calls.users(at.id, { include_detail: true }))), 'users');
  assert.deepEqual(
    listed.map((user) => user['id']),
    [other, id],
    'newest first',
  );
  const { updated_at, ...facts } = listed[1] ?? {};
  assert.ok(updated_at);
  assert.deepEqual(facts, {
    id,
    email: 'ada@acme.example',
    preferred_username: 'ada@acme.example',
    given_name: 'Ada',
    family_name: 'Lovelace',
    emails: ['ada@acme.example', 'al@acme.example'],
    user_detail: { userName: 'ada@acme.example', department: 'Engines', active: true },
  });
  const brief = members(ok(await api(calls.users(at.id))), 'users');
  assert.ok(brief.every((user) => user['user_detail'] === undefined));

  const off = await upsertDirectoryUser(ctx, key, { ...ada, id, active: false });
  assert.equal(off.kind, 'updated');
  const shown = member(ok(await api(calls.get(at.id))), 'directory');
  assert.deepEqual(
    [shown['status'], shown['total_users'], typeof shown['last_synced_at']],
    ['COMPLETED', 2, 'string'],
  );
  assert.equal((await deleteDirectoryUser(ctx, key, id)).kind, 'deleted');
  assert.equal((await deleteDirectoryUser(ctx, key, id)).kind, 'unknown');
  assert.equal((await upsertDirectoryUser(ctx, key, { ...ada, id })).kind, 'unknown');
  assert.equal(ok(await api(calls.users(at.id)))['total_size'], 1);
  const events = await at.events();
  assert.deepEqual(
    events.map(({ type }) => type),
    ['user_created', 'user_created', 'user_updated', 'user_deleted'],
  );
  const common = { id, organization_id: key.organizationId, dp_id: 'okta-1', email: ada.email };
  const full = {
    ...common,
    active: true,
    name: 'Ada Lovelace',
    given_name: 'Ada',
    family_name: 'Lovelace',
    preferred_username: ada.userName,
    groups: [],
    roles: [],
    department: 'Engines',
    custom_attributes: {},
    raw_attributes: ada.raw,
  };
  assert.deepEqual(events[0]?.data, full);
  assert.deepEqual(events[2]?.data, { ...full, active: false });
  assert.deepEqual(events[3]?.data, common);
  assert.equal(JSON.stringify(events).includes('al@acme.example'), false);
});

test('what a provider may not send is refused whole: oversized, malformed, to a disabled or an unknown directory', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { key } = at;
  const ctx = gatewarden.context();
  const writes: readonly (readonly [string, Partial<DirectoryUserWrite>])[] = [
    ['userName', { userName: '' }],
    ['userName', { userName: 'a'.repeat(257) }],
    ['email', { email: 'a\u0000b' }],
    ['givenName', { givenName: 'x'.repeat(257) }],
    ['emails', { attributes: { emails: Array.from({ length: 21 }, () => 'a@b.example') } }],
    ['raw', { raw: { deep: [{ 'a\u0000': 1 }] } }],
    ['raw', { raw: { deep: [{ a: '\ud800' }] } }],
    ['raw', { raw: { long: 'x'.repeat(70_000) } }],
    ['attributes', { attributes: { department: 'x'.repeat(70_000) } }],
  ];
  for (const [field, part] of writes) {
    const outcome = await upsertDirectoryUser(ctx, key, { ...ada, ...part });
    assert.deepEqual(
      [outcome.kind, outcome.kind === 'invalid' && outcome.field],
      ['invalid', field],
      JSON.stringify(part).slice(0, 80),
    );
  }
  const nameless = { displayName: '', externalId: undefined, raw: {} };
  assert.equal((await upsertDirectoryGroup(ctx, key, nameless)).kind, 'invalid');
  const literal = { ...ada, raw: { note: 'a backslash and \\u0000 in words' } };
  assert.equal((await upsertDirectoryUser(ctx, key, literal)).kind, 'created');
  const before = (await at.events()).length;
  ok(await at.api(at.steps.disable(at.id)));
  assert.equal((await upsertDirectoryUser(ctx, key, person('carl'))).kind, 'disabled');
  assert.equal((await deleteDirectoryUser(ctx, key, 'diruser_123456789012345')).kind, 'disabled');
  const elsewhere = { ...key, organizationId: 'org_123456789012345' };
  assert.equal(
    (await upsertDirectoryUser(ctx, elsewhere, person('carl'))).kind,
    'unknown-directory',
  );
  assert.equal((await at.events()).length, before);
});

test('a race for one user name, and for members of one group, loses nothing and doubles nothing (DIR-10, DIR-15)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const ctx = gatewarden.context();
  const outcomes = await Promise.all(
    Array.from({ length: 5 }, () => upsertDirectoryUser(ctx, key, ada)),
  );
  assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['created', ...Array(4).fill('taken')]);
  const people = await Promise.all(['a', 'b', 'c', 'd'].map((name) => added(at, person(name))));
  const id = await group(at, 'Raced');
  await Promise.all(people.map((one) => setGroupMembers(ctx, key, id, { add: [one], remove: [] })));
  await Promise.all([
    setGroupMembers(ctx, key, id, { add: [], remove: people.slice(0, 1) }),
    deleteDirectoryUser(ctx, key, people[1] ?? ''),
    deleteDirectoryUser(ctx, key, people[0] ?? ''),
  ]);
  const listed = ok(await api(calls.users(at.id, { directory_group_id: id })));
  assert.equal(listed['total_size'], 2);
  assert.equal(members(ok(await api(calls.summary(at.id))), 'groups')[0]?.['total_users'], 2);
  assert.equal(ok(await api(calls.users(at.id)))['total_size'], 3);
});

test('pages hold through concurrent writes, and a list of what changed since a moment misses nothing (DIR-19)', async (t) => {
  const at = await directorySite(t, gatewarden);
  const { api, key, steps: calls } = at;
  const ids: string[] = [];
  for (let index = 0; index < 25; index += 1) ids.push(await added(at, person(`p${index}`)));
  const began = new Date(gatewarden.clock.now().getTime());
  gatewarden.clock.advance({ seconds: 1 });
  const seen: unknown[] = [];
  let token = '';
  for (let index = 0; index < 3; index += 1) {
    const page = ok(await api(calls.users(at.id, { page_token: token })));
    seen.push(...members(page, 'users').map((user) => user['id']));
    token = String(page['next_page_token'] ?? '');
    await added(at, person(`late${index}`));
  }
  assert.deepEqual([seen, token], [[...ids].reverse(), '']);
  const off = { ...person('p3'), id: ids[3], active: false };
  assert.equal((await upsertDirectoryUser(gatewarden.context(), key, off)).kind, 'updated');
  const since = ok(await api(calls.users(at.id, { updated_after: began.toISOString() })));
  assert.equal(since['total_size'], 4, 'three that came late and one that was switched off');
  const names = members(since, 'users').map((user) => user['email']);
  assert.ok(names.includes('p3@acme.example') && names.includes('late2@acme.example'));
  const foreign = await api(calls.groups(at.id, { page_token: token || '>:AAAA' }));
  assert.equal(foreign.code, 3);
  assert.equal(
    ok(await api(calls.groups(at.id, { updated_after: began.toISOString() })))['total_size'] ?? 0,
    0,
  );
});
