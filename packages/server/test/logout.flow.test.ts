import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testPostgres } from '../src/testing/databases.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import { formOf, signInByCode, type TestBrowser } from './test-browser.ts';

let site: SignInSite;
const cleanup = collectCleanup();
before(async () => {
  const { database } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database });
});
after(cleanup.run);

async function signedIn(email: string): Promise<TestBrowser> {
  const browser = site.browser();
  await signInByCode(browser, await browser.get('/start'), email);
  return browser;
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

test('whoever is not signed in gets the result page', async () => {
  const page = await site.browser().get('/logout');
  assert.equal(page.status, 200);
  assert.match(page.body, /You&#39;re signed out/);
});
