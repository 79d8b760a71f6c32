import assert from 'node:assert/strict';
import { authorizeWith, cookieBrowser, createClient, pkce, sql } from '@gatewarden/server/testing';
import { beginOwnLogin } from './vendor-own-login.ts';
import { BAD_REQUEST, NOT_FOUND, refused, type Sdk } from './vendor-recorder.ts';
import type { Story } from './vendor-story.ts';

const STRANGER = 'usr_999999999999999';
const CALLBACK = 'https://app.example.com/callback';

/** People join the customer. Returns the one who stays. */
export async function people({ sdk, acme, nobody }: Story): Promise<string> {
  const { user: api } = sdk;
  const profile = { firstName: 'Ann', lastName: 'Ace' };
  const { user } = await api.createUserAndMembership(acme, {
    email: 'ann@acme.example',
    externalId: 'ann-1',
    userProfile: profile,
    metadata: { desk: '1' },
    sendInvitationEmail: false,
  });
  const ann = user?.id ?? '';
  await refused(NOT_FOUND, api.createUserAndMembership(nobody, { email: 'bob@acme.example' }));
  assert.equal((await api.getUser(ann)).user?.userProfile?.firstName, 'Ann');
  await refused(NOT_FOUND, api.getUser(STRANGER));
  assert.equal((await api.getUserByExternalId('ann-1')).user?.id, ann);
  await refused(NOT_FOUND, api.getUserByExternalId('ann-2'));
  const married = await api.updateUser(ann, { userProfile: { ...profile, lastName: 'Base' } });
  assert.equal(married.user?.userProfile?.lastName, 'Base');
  await refused(NOT_FOUND, api.updateUser(STRANGER, { metadata: { desk: '2' } }));
  const moved = await api.updateUserByExternalId('ann-1', { metadata: { desk: '2' } });
  assert.equal(moved.user?.metadata['desk'], '2');
  await refused(NOT_FOUND, api.updateUserByExternalId('ann-2', { metadata: { desk: '2' } }));
  assert.equal((await api.listUsers({ pageSize: 10 })).users.length, 1);
  await refused(BAD_REQUEST, api.listUsers({ pageToken: 'nonsense' }));
  assert.equal((await api.listOrganizationUsers(acme, { pageSize: 10 })).users.length, 1);
  await refused(NOT_FOUND, api.listOrganizationUsers(nobody));
  assert.equal((await api.searchUsers('ann@', 10)).users[0]?.id, ann);
  await refused(BAD_REQUEST, api.searchUsers('an', 10));
  assert.equal((await api.searchOrganizationUsers(acme, 'ann@', 10)).users[0]?.id, ann);
  await refused(NOT_FOUND, api.searchOrganizationUsers(nobody, 'ann@', 10));
  return ann;
}

/** What somebody is in the customer, and that somebody is invited and leaves again. */
export async function memberships({ sdk, acme, nobody, ann }: Story): Promise<void> {
  const { user: api } = sdk;
  const assigned = await api.assignUserRoles(acme, ann, ['admin', 'viewer']);
  assert.ok(assigned.roles.some(({ name }) => name === 'admin'));
  await refused(NOT_FOUND, api.assignUserRoles(nobody, ann, ['admin']));
  assert.ok((await api.listUserRoles(acme, ann)).roles.some(({ name }) => name === 'viewer'));
  await refused(NOT_FOUND, api.listUserRoles(acme, STRANGER));
  const may = (await api.listUserPermissions(acme, ann)).permissions.map(({ name }) => name);
  assert.ok(may.includes('doc:read'), may.join());
  await refused(NOT_FOUND, api.listUserPermissions(acme, STRANGER));
  await api.removeUserRole(acme, ann, 'viewer');
  await refused(NOT_FOUND, api.removeUserRole(acme, ann, 'viewer'));

  const other = (await sdk.organization.createOrganization('Other')).organization?.id ?? '';
  await api.createMembership(other, ann, { roles: ['member'], sendInvitationEmail: false });
  await refused(NOT_FOUND, api.createMembership(other, STRANGER));
  await api.updateMembership(other, ann, { roles: ['admin'], metadata: { floor: '2' } });
  await refused(NOT_FOUND, api.updateMembership(other, STRANGER));
  await api.deleteMembership(other, ann);
  await refused(NOT_FOUND, api.deleteMembership(other, ann));
  await api.createMembershipByExternalId(other, 'ann-1', { sendInvitationEmail: false });
  await refused(NOT_FOUND, api.createMembershipByExternalId(other, 'ann-2'));
  await api.updateMembershipByExternalId(other, 'ann-1', { roles: ['admin'] });
  await refused(NOT_FOUND, api.updateMembershipByExternalId(other, 'ann-2'));
  await api.deleteMembershipByExternalId(other, 'ann-1');
  await refused(NOT_FOUND, api.deleteMembershipByExternalId(other, 'ann-2'));

  const bob = await api.createUserAndMembership(acme, {
    email: 'bob@acme.example',
    externalId: 'bob-1',
    sendInvitationEmail: true,
  });
  const invited = bob.user?.id ?? '';
  assert.equal((await api.resendInvite(acme, invited)).invite?.status, 'PENDING_INVITE');
  await refused(NOT_FOUND, api.resendInvite(acme, STRANGER));
  await api.deleteUserByExternalId('bob-1');
  await refused(NOT_FOUND, api.deleteUserByExternalId('bob-1'));
  const guest = await api.createUserAndMembership(acme, { email: 'guest@acme.example' });
  await api.deleteUser(guest.user?.id ?? '');
  await refused(NOT_FOUND, api.deleteUser(guest.user?.id ?? ''));
}

/** Somebody signs in to the application, and out. */
export async function signIn(story: Story): Promise<void> {
  const { sdk, gatewarden, makeSdk } = story;
  const created = await createClient(gatewarden.context(), {
    kind: 'application',
    name: 'Shop',
    redirectUris: [CALLBACK],
    tokenEndpointAuthMethod: 'client_secret_post',
    grantTypes: ['authorization_code', 'refresh_token'],
  });
  assert.ok(created.kind === 'created' && created.secret);
  const shop = makeSdk(gatewarden.url, created.client.id, created.secret.plain);
  const signedIn = await throughBrowser(shop, gatewarden.origin);
  assert.equal(signedIn.user.email, 'ann+sktest@example.com');
  const refreshed = await shop.refreshAccessToken(signedIn.refreshToken);
  await assert.rejects(shop.refreshAccessToken('rt_unknown'));
  await assert.rejects(shop.authenticateWithCode('unknown', CALLBACK));
  const { accessToken } = refreshed;
  const claims = await shop.validateToken<{ sub: string; sid: string }>(accessToken);
  await refused('ScalekitValidateTokenFailureException', shop.validateToken('a.b.c'));
  assert.equal(await shop.validateAccessToken(accessToken), true);
  assert.equal(await shop.validateAccessToken(`${accessToken.slice(0, -4)}AAAA`), false);
  assert.equal(shop.verifyScopes(accessToken, ['openid', 'email']), true);
  assert.throws(() => shop.verifyScopes(accessToken, ['all']), {
    name: 'ScalekitValidateTokenFailureException',
  });
  await sdk.getClientAccessToken();
  const wrong = makeSdk(gatewarden.url, created.client.id, 'test_wrong');
  await refused('ScalekitUnauthorizedException', wrong.getClientAccessToken());

  const out = new URL(shop.getLogoutUrl({ idTokenHint: signedIn.idToken, state: 'st' }));
  assert.deepEqual([out.pathname, out.searchParams.get('state')], ['/oidc/logout', 'st']);
  await sessions(sdk, claims);
}

async function throughBrowser(shop: Sdk, origin: string): ReturnType<Sdk['authenticateWithCode']> {
  const { verifier, challenge } = pkce();
  const url = shop.getAuthorizationUrl(CALLBACK, {
    scopes: ['openid', 'profile', 'email', 'offline_access'],
    state: 'st',
    codeChallenge: challenge,
    codeChallengeMethod: 'S256',
  });
  const landing = await authorizeWith(cookieBrowser(origin), url, 'ann+sktest@example.com');
  const code = landing.params.get('code') ?? assert.fail(String(landing.params));
  return await shop.authenticateWithCode(code, CALLBACK, { codeVerifier: verifier });
}

async function sessions(
  { session: api }: Sdk,
  { sub, sid }: { readonly sub: string; readonly sid: string },
): Promise<void> {
  assert.equal((await api.getSession(sid)).userId, sub);
  await refused(NOT_FOUND, api.getSession('ses_999999999999999'));
  assert.equal((await api.getUserSessions(sub, { pageSize: 5 })).totalSize, 1);
  await refused(BAD_REQUEST, api.getUserSessions(sub, { pageToken: 'nonsense' }));
  assert.equal((await api.revokeSession(sid)).revokedSession?.sessionId, sid);
  await refused(NOT_FOUND, api.revokeSession('ses_999999999999999'));
  assert.equal((await api.revokeAllUserSessions(sub)).totalRevoked, 0);
  await refused(NOT_FOUND, api.revokeAllUserSessions(STRANGER));
}

/** Pages of the application's own, where a mailed code proves an address. */
export async function passwordless({ sdk, gatewarden }: Story): Promise<void> {
  const { passwordless: api } = sdk;
  const email = 'carol@example.com';
  const sent = await api.sendPasswordlessEmail(email, { state: 'kept' });
  await refused(BAD_REQUEST, api.sendPasswordlessEmail('not-an-address'));
  await api.resendPasswordlessEmail(sent.authRequestId);
  await refused(NOT_FOUND, api.resendPasswordlessEmail('unknown-request'));
  const mailbox = `${gatewarden.origin}/dev/mailbox.json?to=${encodeURIComponent(email)}`;
  const mails: { to: string; code?: string }[] = await (await fetch(mailbox)).json();
  const code = mails.find(({ to }) => to === email)?.code ?? '';
  const wrong = code === '000000' ? '000001' : '000000';
  await refused(BAD_REQUEST, api.verifyPasswordlessEmail({ code: wrong }, sent.authRequestId));
  const proof = await api.verifyPasswordlessEmail({ code }, sent.authRequestId);
  assert.deepEqual([proof.email, proof.state], [email, 'kept']);
}

/** Somebody's passkey, as a registration on a page of the server leaves it. */
export async function passkeys({ sdk, gatewarden, ann }: Story): Promise<void> {
  const { webauthn: api } = sdk;
  const [credential, publicKey] = [new Uint8Array([1, 2]), new Uint8Array([3])];
  await gatewarden.database.rows(sql`
    insert into passkeys (environment_id, id, user_id, credential_id, public_key, created_at, updated_at)
    values (${gatewarden.environment.id}, 'cred_100000000000000', ${ann}, ${credential}, ${publicKey}, now(), now())`);
  assert.equal((await api.listCredentials(ann)).credentials[0]?.id, 'cred_100000000000000');
  await refused(NOT_FOUND, api.listCredentials(STRANGER));
  const renamed = await api.updateCredential('cred_100000000000000', 'Phone');
  assert.equal(renamed.credential?.displayName, 'Phone');
  await refused(NOT_FOUND, api.updateCredential('cred_200000000000000', 'Phone'));
  assert.equal((await api.deleteCredential('cred_100000000000000')).success, true);
  await refused(NOT_FOUND, api.deleteCredential('cred_100000000000000'));
}

/** Somebody signs in at a page of the application's own, which says who it was. */
export async function ownLogin({ sdk, gatewarden }: Story): Promise<void> {
  const login = await beginOwnLogin(gatewarden, await sdk.getClientAccessToken());
  const report = (id: string) =>
    sdk.auth.updateLoginUserDetails(login.connectionId, id, {
      sub: 'customer-42',
      email: 'ada@customer.example',
    });
  assert.match((await report(login.loginRequestId)).authRequestId, /^req_/);
  await refused(NOT_FOUND, report('lri_999999999999999'));
}
