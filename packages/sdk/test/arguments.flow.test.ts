import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { DomainType } from '@gatewarden/contract/scalekit/v1/domains/domains_pb';
import {
  ScalekitCancelledException,
  ScalekitException,
  ScalekitNotFoundException,
  ScalekitServerException,
} from '../src/index.ts';
import { refusal, sdkSite } from './sdk-site.ts';

const cleanups: (() => Promise<void>)[] = [];
let site: Awaited<ReturnType<typeof sdkSite>>;
let acme: string;
before(async () => {
  site = await sdkSite({ after: (work) => void cleanups.push(work) });
  const { sdk } = site.client();
  for (const name of ['Acme one', 'Acme two', 'Acme three'])
    acme = (await sdk.organization.createOrganization(name)).organization?.id ?? '';
  for (const name of ['ann', 'bob', 'carol'])
    await sdk.user.createUserAndMembership(acme, { email: `${name}@people.example` });
  for (const name of ['doc:a', 'doc:b', 'doc:c'])
    await sdk.permission.createPermission({ name, description: 'A document' });
});
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

type Page = { readonly nextPageToken: string };

/** The second page, asked for in both ways, is the same and not the first. */
async function samePages<T extends Page>(
  one: (token?: string) => Promise<T>,
  other: (token?: string) => Promise<T>,
): Promise<void> {
  const first = await one();
  assert.deepEqual(await other(), first);
  assert.notEqual(first.nextPageToken, '');
  const second = await one(first.nextPageToken);
  assert.deepEqual(await other(first.nextPageToken), second);
  assert.notDeepEqual(second, first);
}

test('pages are asked for by size and token one after the other, or as one object', async () => {
  const { sdk } = site.client();
  const { organization, user, permission, events } = sdk;
  await samePages(
    (pageToken) => organization.searchOrganization('acme', 1, pageToken),
    (pageToken) => organization.searchOrganization('acme', { pageSize: 1, pageToken }),
  );
  await samePages(
    (pageToken) => user.searchUsers('people', 1, pageToken),
    (pageToken) => user.searchUsers('people', { pageSize: 1, pageToken }),
  );
  await samePages(
    (pageToken) => user.searchOrganizationUsers(acme, 'people', 1, pageToken),
    (pageToken) => user.searchOrganizationUsers(acme, 'people', { pageSize: 1, pageToken }),
  );
  await samePages(
    (pageToken) => permission.listPermissions(pageToken, 1),
    (pageToken) => permission.listPermissions({ pageSize: 1, pageToken }),
  );
  const filter = { eventTypes: ['organization.created'] };
  await samePages(
    (pageToken) => events.listEventsPaginated(1, pageToken, filter),
    (pageToken) => events.listEventsPaginated({ pageSize: 1, pageToken, filter }),
  );
});

test('the last argument of a call, in each of its forms, can stop it', async () => {
  const { sdk } = site.client();
  const call = { signal: AbortSignal.abort() };
  for (const stopped of [
    sdk.role.listRoles(call),
    sdk.user.searchUsers('people', { pageSize: 1 }, call),
    sdk.user.searchUsers('people', 1, undefined, call),
    sdk.permission.listPermissions({}, call),
    sdk.permission.listPermissions(undefined, 1, call),
    sdk.events.listEventsPaginated({}, call),
    sdk.events.listEventsPaginated(1, undefined, undefined, call),
    sdk.organization.createOrganization('Never', {}, call),
  ])
    assert.ok((await refusal(stopped)) instanceof ScalekitCancelledException);
});

test('enums are given as values or by name, and absent members as undefined or null', async () => {
  const { sdk } = site.client();
  for (const [name, domainType] of [
    ['a.example', 'ALLOWED_EMAIL_DOMAIN'],
    ['b.example', DomainType.ALLOWED_EMAIL_DOMAIN],
  ] as const) {
    const made = await sdk.domain.createDomain(acme, name, { domainType });
    assert.equal(made.domain?.domainType, DomainType.ALLOWED_EMAIL_DOMAIN);
  }
  const loose = { pageSize: undefined, pageToken: null } as never;
  assert.equal((await sdk.user.listUsers(loose)).users.length, 3);
  const made = await sdk.organization.createOrganization('Plain', { externalId: '', slug: '' });
  assert.deepEqual(
    [made.organization?.externalId, made.organization?.slug],
    [undefined, undefined],
  );
});

test('an argument that would make another call of it is refused before anything is sent', async () => {
  const { sdk, net } = site.client();
  const missing = undefined as unknown as string;
  for (const call of [
    sdk.user.resendInvite(acme, ''),
    sdk.user.listUserRoles(' ', 'usr_1'),
    sdk.user.searchUsers('  '),
    sdk.user.createUserAndMembership(acme, { email: '' }),
    sdk.role.updateDefaultRoles({ defaultMemberRole: '' }),
    sdk.role.listDependentRoles(missing),
    sdk.session.revokeAllUserSessions(missing),
    sdk.m2m.deleteOrganizationClient(acme, ''),
    sdk.token.invalidateToken(''),
    sdk.webauthn.updateCredential('cred_1', ''),
    sdk.auth.updateLoginUserDetails('conn_1', '', {}),
    sdk.passwordless.verifyPasswordlessEmail({}),
    sdk.passwordless.sendPasswordlessEmail('a@example.com', { template: 'toString' }),
    sdk.domain.listDomains(acme, { domainType: 'NONE' }),
    sdk.directory.listDirectoryUsers(acme, 'dir_1', { updatedAfter: 'yesterday' }),
  ]) {
    const error = await refusal(call);
    assert.ok(error instanceof ScalekitException && !(error instanceof ScalekitServerException));
  }
  assert.deepEqual(net.paths, []);
});

test("what Scalekit's SDK has no method for is called with the same errors and token", async () => {
  const { sdk, net } = site.client();
  const made = await sdk.gatewarden.webhooks.createWebhookEndpoint({
    endpoint: { url: 'https://hooks.example.com/in', eventTypes: ['user.login'] },
  });
  assert.match(made.secret, /^whsec_/);
  const { keys } = await sdk.gatewarden.signingKeys.listSigningKeys({});
  assert.ok(keys.length >= 3);
  const missing = sdk.gatewarden.webhooks.getWebhookEndpoint({ endpointId: 'whe_999999999999999' });
  assert.ok((await refusal(missing)) instanceof ScalekitNotFoundException);
  const server = await site.gatewarden.mcpServer();
  const { resource } = await sdk.service(ClientService).getResource({ resourceId: server.id });
  assert.equal(resource?.id, server.id);
  assert.equal(net.tokens(), 1);
});
