import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ensureEnvironmentClient } from '../src/clients/manage-clients.ts';
import { environmentOf } from '../src/environments/environments.ts';
import { ensureSigningKeys, signJwt } from '../src/keys/signing-keys.ts';
import { disablePerson, revokeSession } from '../src/login/end-access.ts';
import { sql } from '../src/storage/db.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { enableUser } from '../src/users/users.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import { formOf, signInByCode, type TestBrowser } from './test-browser.ts';

let site: SignInSite;
let clientId: string;
const cleanup = collectCleanup();
before(async () => {
  const { database } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database });
  await ensureSigningKeys(site.app, site.ctx.environmentId);
  clientId = (await ensureEnvironmentClient(site.app, await environmentOf(site.ctx))).id;
});
after(cleanup.run);

async function signedIn(email: string): Promise<TestBrowser> {
  const browser = site.browser();
  await signInByCode(browser, await browser.get('/start'), email);
  return browser;
}

async function sessionOf(browser: TestBrowser): Promise<{ id: string; userId: string }> {
  const { sessionId } = JSON.parse((await browser.get('/start')).body);
  const rows = await site.ctx.db.rows<{ user_id: string }>(
    sql`select user_id from sessions where id = ${sessionId}`,
  );
  return { id: sessionId, userId: rows[0]?.user_id ?? '' };
}

/** As the token endpoint makes it. */
async function idToken(claims: Record<string, unknown>): Promise<string> {
  const iat = Math.floor(site.ctx.now().getTime() / 1000);
  const standard = { iss: site.ctx.issuer, aud: [clientId], iat, exp: iat + 3600 };
  return await signJwt(site.ctx, { typ: 'JWT', claims: { ...standard, ...claims } });
}

async function isSignedIn(browser: TestBrowser): Promise<boolean> {
  return (await browser.get('/start')).url.includes('/oauth/authorize/');
}

test('signing out asks first; the button ends every session of this browser and says so (FSA-51, logout CSRF)', async () => {
  for (const path of [
    '/logout',
    '/oidc/logout?post_logout_redirect_uri=https%3A%2F%2Fevil.example',
  ]) {
    const browser = await signedIn('out@example.com');
    const copy = site.browser();
    const page = await browser.get(path);
    assert.deepEqual([page.status, page.step], [200, 'sign-out']);
    assert.match(page.body, /out@example\.com/);
    assert.doesNotMatch(page.body, /evil\.example/);
    assert.equal(await isSignedIn(browser), true, 'asking ends nothing');
    for (const [name, value] of browser.cookies) copy.cookies.set(name, value);
    const done = await browser.submit(page, { action: 'sign-out' });
    assert.match(done.body, /You&#39;re signed out/);
    assert.equal(await isSignedIn(browser), false);
    assert.equal(await isSignedIn(copy), false, 'the session itself is over, not only the cookie');
  }
});

test('"Stay signed in" changes nothing', async () => {
  const browser = await signedIn('stay@example.com');
  await browser.submit(await browser.get('/logout'), { action: 'stay' });
  assert.equal(await isSignedIn(browser), true);
});

test('a sign-out from another site, without our form token, or loaded as an image, ends nothing (FSA-51, forced logout)', async () => {
  const browser = await signedIn('forced@example.com');
  const form = formOf(await browser.get('/logout'));
  const fields = { ...form.fields, action: 'sign-out' };
  assert.equal(
    (await browser.post(form.action, fields, { origin: 'https://evil.example' })).status,
    403,
  );
  assert.equal((await browser.post(form.action, fields, { origin: 'null' })).status, 403);
  assert.equal((await browser.post(form.action, { action: 'sign-out' })).status, 403);
  for (const destination of ['image', 'iframe', 'script', 'empty']) {
    const page = await browser.get('/oidc/logout', { 'sec-fetch-dest': destination });
    assert.equal(page.status, 400);
  }
  assert.equal(await isSignedIn(browser), true);
});

test('a logout request sent as a form from another site, without cookies, becomes the question by GET', async () => {
  const response = await site
    .browser()
    .postOnce('/oidc/logout', { id_token_hint: 'x' }, { origin: 'https://app.example' });
  assert.deepEqual([response.status, response.headers.get('location')], [303, '/logout']);
});

test('an ID token of this very session signs out without asking, also when it has expired (FSA-50, FSA-51)', async () => {
  const browser = await signedIn('hint@example.com');
  const session = await sessionOf(browser);
  const hint = await idToken({ sid: session.id, sub: session.userId, exp: 1_700_000_000 });
  const page = await browser.get(`/oidc/logout?id_token_hint=${hint}`);
  assert.match(page.body, /You&#39;re signed out/);
  assert.equal(await isSignedIn(browser), false);
});

test('an ID token of another session, of another person, of a client that is gone, or an access token, never signs out by itself (FSA-51, logout CSRF)', async () => {
  const browser = await signedIn('asked@example.com');
  const session = await sessionOf(browser);
  const other = await sessionOf(await signedIn('attacker@example.com'));
  const own = { sid: session.id, sub: session.userId };
  for (const claims of [
    { sid: other.id, sub: other.userId },
    { sid: other.id, sub: session.userId },
    { sid: session.id, sub: other.userId },
    { ...own, aud: ['skc_1'] },
    { ...own, aud: ['https://client.example/document.json'] },
  ]) {
    const page = await browser.get(`/oidc/logout?id_token_hint=${await idToken(claims)}`);
    assert.equal(page.step, 'sign-out');
  }
  const prefetched = await browser.get(`/oidc/logout?id_token_hint=${await idToken(own)}`, {
    'sec-purpose': 'prefetch',
  });
  assert.equal(prefetched.step, 'sign-out');
  const forged = (await idToken(own)).replace(/[^.]+$/, 'AAAA');
  for (const hint of ['x', forged, await idToken({ ...own, client_id: clientId, scope: 'x' })]) {
    const page = await browser.get(`/oidc/logout?id_token_hint=${hint}`);
    assert.deepEqual([page.status, page.error], [400, 'invalid_request']);
  }
  assert.equal(await isSignedIn(browser), true);
});

test('an administrator who ends a session signs that browser out; switching a person off signs out all of theirs (AS-114)', async () => {
  const first = await signedIn('admin-ended@example.com');
  const second = await signedIn('admin-ended@example.com');
  const session = await sessionOf(first);
  assert.equal(await revokeSession(site.ctx, session.id), true);
  assert.equal(await revokeSession(site.ctx, session.id), false, 'once');
  assert.deepEqual([await isSignedIn(first), await isSignedIn(second)], [false, true]);
  assert.equal(await disablePerson(site.ctx, session.userId), true);
  assert.equal(await isSignedIn(second), false);
  await enableUser(site.ctx, session.userId);
  assert.equal(await isSignedIn(second), false, 'what was ended does not come back');
  assert.equal(await disablePerson(site.ctx, 'usr_1'), false);
});

test('whoever is not signed in gets the result page', async () => {
  const page = await site.browser().get('/logout');
  assert.equal(page.status, 200);
  assert.match(page.body, /You&#39;re signed out/);
});
