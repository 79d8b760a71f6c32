import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import type { ScalekitClient } from '@scalekit-sdk/node';
import { vendorSite } from './vendor-site.ts';

type UserClient = ScalekitClient['user'];
type Answered = Awaited<ReturnType<UserClient['getUser']>>;
type User = NonNullable<Answered['user']>;

const NOT_FOUND = 'ScalekitNotFoundException';
const BAD_REQUEST = 'ScalekitBadRequestException';
const NOBODY = 'usr_123456789012345678';
const NOWHERE = 'org_123456789012345678';
const ACTIVE = 1;
const PENDING = 3;

async function refusedAs(name: string, call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
  return error.message;
}

const named = (list: readonly { readonly name: string }[]): string[] =>
  list.map(({ name }) => name).sort();

function userOf(answer: { readonly user?: User | undefined }): User {
  assert.ok(answer.user);
  return answer.user;
}

const rolesIn = (user: User, organization: string): string[] =>
  named(
    user.memberships.find(({ organizationId }) => organizationId === organization)?.roles ?? [],
  );

for (const engine of engines) {
  test(`the vendor's unchanged SDK creates, finds, changes and deletes people (contract: UserService), ${engine}`, async (t) => {
    const { sdk } = await vendorSite(t, engine);
    const { user: users } = sdk;
    const { organization } = await sdk.organization.createOrganization('Acme');
    const acme = organization?.id ?? '';
    const made = userOf(
      await users.createUserAndMembership(acme, {
        email: 'ana@example.com',
        externalId: 'app-7',
        userProfile: { firstName: 'Ana', lastName: 'Silva' },
        metadata: { plan: 'gold' },
        sendInvitationEmail: false,
      }),
    );
    assert.match(made.id, /^usr_[0-9]{15,19}$/);
    assert.match(made.environmentId, /^env_/);
    assert.deepEqual(made.metadata, { plan: 'gold' });
    const { userProfile } = made;
    assert.deepEqual(
      [
        userProfile?.firstName,
        userProfile?.lastName,
        userProfile?.givenName,
        userProfile?.familyName,
      ],
      ['Ana', 'Silva', 'Ana', 'Silva'],
    );
    const [membership] = made.memberships;
    assert.deepEqual(
      [membership?.organizationId, membership?.membershipStatus, named(membership?.roles ?? [])],
      [acme, ACTIVE, ['member']],
    );
    assert.deepEqual(userOf(await users.getUser(made.id)), made);
    assert.deepEqual(userOf(await users.getUserByExternalId('app-7')), made);

    const changed = userOf(
      await users.updateUser(made.id, {
        userProfile: { firstName: 'Bea', lastName: 'Sousa' },
        metadata: { plan: 'free' },
      }),
    );
    assert.deepEqual([changed.userProfile?.firstName, changed.metadata], ['Bea', { plan: 'free' }]);
    const byExternal = userOf(
      await users.updateUserByExternalId('app-7', { metadata: { plan: 'none' } }),
    );
    assert.deepEqual([byExternal.id, byExternal.metadata], [made.id, { plan: 'none' }]);
    assert.equal(byExternal.userProfile?.lastName, 'Sousa');

    const invited = userOf(await users.createUserAndMembership(acme, { email: 'ben@example.com' }));
    assert.equal(invited.memberships[0]?.membershipStatus, PENDING);
    const listed = await users.listUsers({ pageSize: 10 });
    assert.ok(listed.users.some(({ id }) => id === made.id) && listed.totalSize >= 2);
    const first = await users.listOrganizationUsers(acme, { pageSize: 1 });
    assert.deepEqual([first.users.map(({ id }) => id), first.totalSize], [[invited.id], 2]);
    const second = await users.listOrganizationUsers(acme, {
      pageSize: 1,
      pageToken: first.nextPageToken,
    });
    assert.deepEqual(
      second.users.map(({ id }) => id),
      [made.id],
    );
    assert.deepEqual(
      (await users.searchUsers('ana@exam')).users.map(({ id }) => id),
      [made.id],
    );
    assert.deepEqual(
      (await users.searchOrganizationUsers(acme, 'BEN@')).users.map(({ id }) => id),
      [invited.id],
    );

    for (const [name, call] of [
      [BAD_REQUEST, () => users.createUserAndMembership(acme, { email: 'ANA@example.com' })],
      [BAD_REQUEST, () => users.createUserAndMembership(acme, { email: 'nobody' })],
      [NOT_FOUND, () => users.createUserAndMembership(NOWHERE, { email: 'new@example.com' })],
      [NOT_FOUND, () => users.getUser(NOBODY)],
      [NOT_FOUND, () => users.getUserByExternalId('nobody')],
      [NOT_FOUND, () => users.updateUser(NOBODY, {})],
      [NOT_FOUND, () => users.updateUserByExternalId('nobody', {})],
      [NOT_FOUND, () => users.deleteUser(NOBODY)],
      [NOT_FOUND, () => users.deleteUserByExternalId('nobody')],
      [BAD_REQUEST, () => users.listUsers({ pageToken: 'x' })],
      [NOT_FOUND, () => users.listOrganizationUsers(NOWHERE)],
      [BAD_REQUEST, () => users.searchUsers('ab')],
      [NOT_FOUND, () => users.searchOrganizationUsers(NOWHERE, 'abc')],
    ] as const)
      await refusedAs(name, call());
    await users.deleteUser(invited.id);
    await users.deleteUserByExternalId('app-7');
    for (const id of [made.id, invited.id]) await refusedAs(NOT_FOUND, users.getUser(id));
  });

  test(`the vendor's unchanged SDK manages memberships, invitations and roles of members (contract: UserService), ${engine}`, async (t) => {
    const { sdk } = await vendorSite(t, engine);
    const { user: users } = sdk;
    const [acme = '', globex = ''] = await Promise.all(
      ['Acme', 'Globex'].map(
        async (name) => (await sdk.organization.createOrganization(name)).organization?.id,
      ),
    );
    const create = async (email: string, externalId: string): Promise<string> =>
      userOf(
        await users.createUserAndMembership(acme, {
          email,
          externalId,
          sendInvitationEmail: false,
        }),
      ).id;
    const ana = await create('ana@example.com', 'ana');
    const ben = await create('ben@example.com', 'ben');

    const joined = userOf(
      await users.createMembership(globex, ana, {
        roles: ['admin'],
        metadata: { desk: '12' },
        sendInvitationEmail: false,
      }),
    );
    assert.deepEqual(rolesIn(joined, globex), ['admin']);
    const invited = userOf(
      await users.createMembershipByExternalId(globex, 'ben', {
        roles: ['member'],
        sendInvitationEmail: true,
      }),
    );
    const pending = invited.memberships.find(({ organizationId }) => organizationId === globex);
    assert.equal(pending?.membershipStatus, PENDING);
    assert.ok(pending?.expiresAt);
    await refusedAs(BAD_REQUEST, users.createMembership(globex, ana));
    await refusedAs(BAD_REQUEST, users.createMembershipByExternalId(globex, 'ben'));

    const replaced = userOf(await users.updateMembership(globex, ana, { roles: ['member'] }));
    assert.deepEqual(rolesIn(replaced, globex), ['member']);
    const kept = userOf(
      await users.updateMembershipByExternalId(globex, 'ana', { metadata: { desk: '13' } }),
    );
    assert.deepEqual(rolesIn(kept, globex), ['member'], 'an empty list leaves the roles');
    assert.deepEqual(
      kept.memberships.find(({ organizationId }) => organizationId === globex)?.metadata,
      { desk: '13' },
    );

    const { invite } = await users.resendInvite(globex, ben);
    assert.deepEqual(
      [invite?.status, invite?.resentCount, invite?.userId],
      ['PENDING_INVITE', 1, ben],
    );
    await refusedAs(BAD_REQUEST, users.resendInvite(globex, ana));

    const assigned = await users.assignUserRoles(globex, ana, ['admin']);
    assert.deepEqual(named(assigned.roles), ['admin', 'member']);
    await users.removeUserRole(globex, ana, 'member');
    assert.deepEqual(named((await users.listUserRoles(globex, ana)).roles), ['admin']);
    const { permissions } = await users.listUserPermissions(globex, ana);
    assert.ok(named(permissions).includes('sk_org_settings_manage'));

    for (const [name, call] of [
      [NOT_FOUND, () => users.createMembership(NOWHERE, ana)],
      [NOT_FOUND, () => users.updateMembership(globex, NOBODY, { roles: ['admin'] })],
      [BAD_REQUEST, () => users.updateMembership(globex, ana, { roles: ['nobody'] })],
      [NOT_FOUND, () => users.updateMembershipByExternalId(globex, 'nobody')],
      [NOT_FOUND, () => users.resendInvite(globex, NOBODY)],
      [BAD_REQUEST, () => users.assignUserRoles(globex, ana, ['nobody'])],
      [NOT_FOUND, () => users.removeUserRole(globex, ana, 'member')],
      [NOT_FOUND, () => users.listUserRoles(globex, NOBODY)],
      [NOT_FOUND, () => users.listUserPermissions(NOWHERE, ana)],
      [NOT_FOUND, () => users.deleteMembership(globex, NOBODY)],
      [NOT_FOUND, () => users.deleteMembershipByExternalId(globex, 'nobody')],
    ] as const)
      await refusedAs(name, call());

    const { role: roles } = sdk;
    assert.equal((await roles.getRoleUsersCount('member')).count, 2n);
    assert.equal((await roles.getOrganizationRoleUsersCount(globex, 'admin')).count, 1n);
    await roles.createRole({ name: 'desk', displayName: 'Desk' } as never);
    await users.assignUserRoles(globex, ana, ['desk']);
    assert.match(
      await refusedAs(BAD_REQUEST, roles.deleteRole('desk')),
      /role cannot be deleted as it is assigned to users/,
    );
    await roles.deleteRole('desk', 'member');
    assert.deepEqual(named((await users.listUserRoles(globex, ana)).roles), ['admin', 'member']);

    await users.deleteMembershipByExternalId(globex, 'ben');
    await users.deleteMembership(globex, ana);
    assert.deepEqual(
      userOf(await users.getUser(ana)).memberships.map(({ organizationId }) => organizationId),
      [acme],
    );
    await users.deleteMembership(acme, ana);
    await refusedAs(NOT_FOUND, users.getUser(ana));
  });
}
