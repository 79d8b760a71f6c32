import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { updateEnvironmentSettings } from '../src/environments/environments.store.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Headers, operator, person } from './every-caller.ts';
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
import { newOrganization } from './organization-steps.ts';
import { organizationRoleSteps, roleSteps } from './role-steps.ts';
import { memberSteps, membershipOf, newMember, roleUsers, userSteps } from './user-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const NOBODY = 'usr_123456789012345678';

const idOf = (thing: JsonObject): string => String(thing['id']);
const names = (body: JsonObject, list = 'roles'): unknown[] =>
  members(body, list).map(({ name }) => name);

async function anOrganization(api: Api): Promise<string> {
  return idOf(await newOrganization(api));
}

async function settings(values: Parameters<typeof updateEnvironmentSettings>[2]): Promise<void> {
  const [row] = await gatewarden.database.rows<{ id: string }>(
    sql`select id from environments order by created_at limit 1`,
  );
  await updateEnvironmentSettings(gatewarden.database, row?.id ?? '', values);
}

for (const protocol of protocols) {
  test(`somebody is made a member of a second organization, changed and removed there, by either id, over ${protocol} (FSA-65)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const [first, second] = [await anOrganization(api), await anOrganization(api)];
    const external_id = `second ${protocol}`;
    const user = idOf(await newMember(api, first, { external_id }));
    const own = memberSteps(second);
    const joined = member(
      ok(
        await api(own.join(external_id, { roles: [{ name: 'member' }], metadata: { desk: '1' } })),
      ),
      'user',
    );
    const membership = membershipOf(joined, second) ?? {};
    assert.deepEqual(
      [membership['membership_status'], membership['metadata'], names(membership)],
      ['ACTIVE', { desk: '1' }, ['member']],
    );
    assert.equal(membershipOf(joined, first)?.['membership_status'], 'ACTIVE');
    const again = await api(own.join(user));
    assert.deepEqual([again.code, again.fields], [3, ['id']]);

    const replaced = member(
      ok(await api(own.change(user, { roles: [{ name: 'admin' }] }))),
      'user',
    );
    assert.deepEqual(names(membershipOf(replaced, second) ?? {}), ['admin']);
    assert.deepEqual(membershipOf(replaced, second)?.['metadata'], { desk: '1' });
    const kept = ok(await api(own.change(external_id, { roles: [], metadata: { desk: '2' } })));
    assert.deepEqual(names(membershipOf(member(kept, 'user'), second) ?? {}), ['admin']);
    assert.deepEqual(membershipOf(member(kept, 'user'), second)?.['metadata'], { desk: '2' });

    assert.deepEqual(ok(await api(own.leave(external_id))), {});
    assert.equal(
      membershipOf(member(ok(await api(userSteps.get(user))), 'user'), second),
      undefined,
    );
    for (const step of [own.leave(user), own.change(user, {}), own.roles(user), own.resend(user)])
      assert.equal((await api(step)).errorCode, 'MEMBERSHIP_NOT_FOUND');
    for (const step of [
      own.join(NOBODY),
      own.leave(NOBODY),
      own.change(NOBODY, {}),
      own.roles(NOBODY),
    ])
      assert.equal((await api(step)).errorCode, 'USER_NOT_FOUND');
    for (const step of [
      own.join('usr_1'),
      own.leave('usr_1'),
      own.roles('usr_1'),
      memberSteps('org').roles(user),
    ])
      assert.equal((await api(step)).code, 3);
  });
}

test('roles of a member: assigning adds, removing takes one away, and permissions are the union along the bases (FSA-72, FSA-76)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const roles = organizationRoleSteps(organization);
  for (const name of ['doc:read', 'doc:write', 'bill:read'])
    ok(await api(steps.createPermission({ name })));
  ok(
    await api(
      roleSteps.create({ name: 'reader', display_name: 'Reader', permissions: ['doc:read'] }),
    ),
  );
  ok(
    await api(
      roles.create({
        name: 'writer',
        display_name: 'Writer',
        extends: 'reader',
        permissions: ['doc:write'],
      }),
    ),
  );
  ok(
    await api(
      roles.create({
        name: 'biller',
        display_name: 'Biller',
        permissions: ['bill:read', 'doc:read'],
      }),
    ),
  );
  const user = idOf(await newMember(api, organization));
  assert.deepEqual(names(ok(await api(own.roles(user)))), ['member']);

  const assigned = ok(
    await api(own.assign(user, [{ role_name: 'writer' }, { role_name: 'Biller' }])),
  );
  assert.deepEqual(names(assigned), ['biller', 'member', 'writer']);
  ok(await api(own.withdraw(user, 'member')));
  assert.deepEqual(names(ok(await api(own.roles(user)))), ['biller', 'writer']);
  const granted = ok(await api(own.permissions(user)));
  assert.deepEqual(names(granted, 'permissions'), ['bill:read', 'doc:read', 'doc:write']);
  assert.match(String(members(granted, 'permissions')[0]?.['id']), /^perm_/);
  const shown = member(ok(await api(userSteps.get(user))), 'user');
  assert.deepEqual(membershipOf(shown, organization)?.['permissions'], [
    'bill:read',
    'doc:read',
    'doc:write',
  ]);
  assert.equal(ok(await api(own.roleUsers('writer')))['count'], '1');

  const notHeld = await api(own.withdraw(user, 'reader'));
  assert.deepEqual([notHeld.code, notHeld.errorCode], [5, 'ROLE_NOT_FOUND']);
  for (const [step, field] of [
    [own.assign(user, [{ role_name: 'member' }, { role_name: 'boss' }]), 'roles[1]'],
    [own.assign(user, [{ role_name: '' }]), 'roles[0]'],
    [own.change(user, { roles: [{ name: 'boss' }] }), 'membership.roles[0]'],
    [own.change(user, { metadata: { desk: '\0' } }), 'membership.metadata'],
  ] as const) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]]);
  }
  assert.equal((await api(own.assign(user, []))).code, 3);
  assert.deepEqual(
    names(ok(await api(own.roles(user)))),
    ['biller', 'writer'],
    'a refused call leaves all roles',
  );

  const foreign = await anOrganization(api);
  const elsewhere = idOf(await newMember(api, foreign));
  const theirs = await api(memberSteps(foreign).assign(elsewhere, [{ role_name: 'writer' }]));
  assert.deepEqual(
    [theirs.code, theirs.fields],
    [3, ['roles[0]']],
    'a role of another organization',
  );
  for (const step of [
    own.assign(elsewhere, [{ role_name: 'writer' }]),
    own.permissions(elsewhere),
    own.withdraw(elsewhere, 'member'),
  ])
    assert.equal((await api(step)).errorCode, 'MEMBERSHIP_NOT_FOUND');
});

test('new members without a named role get the one of the organization, or else of the environment (FSA-73)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const roleOf = (user: JsonObject) => names(membershipOf(user, organization) ?? {});
  assert.deepEqual(roleOf(await newMember(api, organization)), ['member']);
  const roles = organizationRoleSteps(organization);
  ok(await api(roles.create({ name: 'guest', display_name: 'Guest' })));
  ok(await api(roles.setDefault('guest')));
  assert.deepEqual(roleOf(await newMember(api, organization)), ['guest']);
  const elsewhere = idOf(await newMember(api, await anOrganization(api)));
  const joined = ok(await api(memberSteps(organization).join(elsewhere)));
  assert.deepEqual(roleOf(member(joined, 'user')), ['guest']);
});

test('a role that people have is not deleted without a successor; with one everybody gets that instead (FSA-74)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const roles = organizationRoleSteps(organization);
  for (const name of ['old', 'new']) {
    ok(await api(roleSteps.create({ name, display_name: name })));
    ok(await api(roles.create({ name: `own_${name}`, display_name: name })));
  }
  const both = idOf(
    await newMember(api, organization, {
      membership: { roles: [{ name: 'old' }, { name: 'new' }] },
    }),
  );
  const one = idOf(
    await newMember(api, organization, {
      membership: { roles: [{ name: 'old' }, { name: 'own_old' }] },
    }),
  );
  assert.equal(ok(await api(roleUsers('old')))['count'], '2');
  assert.equal(ok(await api(own.roleUsers('old')))['count'], '2');
  assert.equal(ok(await api(own.roleUsers('own_old')))['count'], '1');
  const empty = await anOrganization(api);
  assert.deepEqual(ok(await api(memberSteps(empty).roleUsers('old'))), {});
  assert.equal((await api(memberSteps(empty).roleUsers('own_old'))).errorCode, 'ROLE_NOT_FOUND');
  assert.equal((await api(roleUsers('own_old'))).errorCode, 'ROLE_NOT_FOUND');
  assert.equal((await api(memberSteps('org_123456789012345678').roleUsers('old'))).code, 5);
  for (const step of [roleSteps.delete('old'), roles.delete('own_old')]) {
    const refused = await api(step);
    assert.deepEqual([refused.code, refused.errorCode], [9, 'ROLE_IN_USE']);
    assert.equal(refused.message, 'role cannot be deleted as it is assigned to users');
  }
  const unknown = await api(roleSteps.delete('old', 'nobody'));
  assert.deepEqual([unknown.code, unknown.fields], [3, ['reassign_role_name']]);
  ok(await api(roleSteps.delete('old', 'new')));
  ok(await api(roles.delete('own_old', 'own_new')));
  assert.deepEqual(names(ok(await api(own.roles(both)))), ['new']);
  assert.deepEqual(names(ok(await api(own.roles(one)))), ['new', 'own_new']);
});

test('the last administrator of an organization stays one where the environment says so, and only there (FSA-65)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const admin = { membership: { roles: [{ name: 'admin' }, { name: 'member' }] } };
  const ana = idOf(await newMember(api, organization, admin));
  const bea = idOf(await newMember(api, organization));
  await settings({ keepLastAdministrator: true });
  t.after(async () => await settings({ keepLastAdministrator: false }));
  gatewarden.clock.advance({ seconds: 31 });
  const refused = async (step: Parameters<Api>[0]) => {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.errorCode], [9, 'LAST_ADMIN']);
  };
  await refused(own.leave(ana));
  await refused(own.withdraw(ana, 'admin'));
  await refused(own.change(ana, { roles: [{ name: 'member' }] }));
  assert.deepEqual(names(ok(await api(own.roles(ana)))), ['admin', 'member']);
  ok(await api(own.withdraw(ana, 'member')));
  ok(await api(own.change(bea, { roles: [{ name: 'admin' }] })));
  ok(await api(own.withdraw(ana, 'admin')));
  await refused(own.leave(bea));
  await settings({ keepLastAdministrator: false });
  gatewarden.clock.advance({ seconds: 31 });
  ok(await api(own.leave(bea)));
});

test('whoever is signed in on our pages learns who they are, invites and removes people of the own organization, and nobody is told who asks support but support (FSA-63, FSA-66)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [own, other] = [await anOrganization(api), await anOrganization(api)];
  const admin = { email: 'page+sktest@example.com', membership: { roles: [{ name: 'admin' }] } };
  const user = idOf(await newMember(api, own, admin));
  const { id: server } = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  const { headers } = await person(gatewarden, server, admin.email);
  const call = async (as: Headers, [verb, path, body]: Step['rest']) => {
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = { 'content-type': 'application/json' };
    const url = `${gatewarden.origin}/api/v1${path}`;
    const answer = await fetch(url, { method: verb, headers: { ...as, ...type }, ...init });
    return { status: answer.status, body: (await answer.json()) as JsonObject };
  };
  for (const path of ['/users:this', '/users/me']) {
    const { status, body } = await call(headers, ['GET', path]);
    assert.equal(status, 200, JSON.stringify(body));
    const me = member(body, 'user');
    assert.deepEqual([me['id'], membershipOf(me, own)?.['membership_status']], [user, 'ACTIVE']);
    assert.match(String(body['current_session_id']), /^ses_/);
  }
  const created = await call(headers, memberSteps(own).create({ email: 'guest@example.com' }).rest);
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const guest = member(created.body, 'user');
  assert.equal(membershipOf(guest, own)?.['membership_status'], 'PENDING_INVITE');
  const refused: readonly (readonly [Step, number])[] = [
    [memberSteps(own).create({ email: 'sure@example.com' }, false), 403],
    [memberSteps(other).create({ email: 'spy@example.com' }), 404],
    [memberSteps(other).leave(user), 404],
    [memberSteps(own).join(user), 403],
    [userSteps.delete(idOf(guest)), 403],
  ];
  for (const [step, status] of refused)
    assert.equal((await call(headers, step.rest)).status, status, step.rest.join(' '));
  assert.equal((await call(headers, memberSteps(own).leave(idOf(guest)).rest)).status, 200);
  assert.equal((await api(userSteps.get(idOf(guest)))).code, 5);

  const owners = [
    await operator(gatewarden, 'owner', 'one@example.com'),
    await operator(gatewarden, 'owner', 'two@example.com'),
  ];
  const hashes = [];
  for (const { headers: as } of [...owners, ...owners]) {
    const { body } = await call(as, ['GET', '/users/support-hash']);
    assert.match(String(body['support_hash']), /^[0-9a-f]{64}$/);
    hashes.push(body['support_hash']);
  }
  assert.equal(new Set(hashes).size, 2);
  assert.deepEqual(hashes.slice(0, 2), hashes.slice(2));
  assert.equal((await api(userSteps.current())).code, 7);
});

test('whoever is signed in on our pages sees members in the own organization only: where else they belong is other customers (attack: names, roles and metadata of another tenant)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const [own, other] = [await anOrganization(api), await anOrganization(api)];
  const admin = { email: 'sees+sktest@example.com', membership: { roles: [{ name: 'admin' }] } };
  await newMember(api, own, admin);
  const both = idOf(await newMember(api, own, { email: 'both@example.com' }));
  const elsewhere = { roles: [{ name: 'admin' }], metadata: { plan: 'secret' } };
  ok(await api(memberSteps(other).join(both, elsewhere)));
  const { id: server } = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/sees' });
  const { headers } = await person(gatewarden, server, admin.email);
  const steps = memberSteps(own);
  for (const { rest } of [steps.list(), steps.change(both, { roles: [{ name: 'member' }] })]) {
    const [verb, path, body] = rest;
    const init = { method: verb, body: body === undefined ? null : JSON.stringify(body) };
    const type = { 'content-type': 'application/json' };
    const url = `${gatewarden.origin}/api/v1${path}`;
    const answer = await fetch(url, { ...init, headers: { ...headers, ...type } });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    assert.ok(text.includes(both) && text.includes(own), text);
    assert.ok(!text.includes(other) && !text.includes('secret'), text);
    assert.ok(JSON.stringify((await api(steps.list())).body).includes(other), 'applications do');
  }
});
