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

/** A browser in which these people have signed in, the last one being current. */
async function signedIn(...emails: string[]): Promise<TestBrowser> {
  const browser = site.browser();
  for (const email of emails) {
    const start = await browser.get('/start?prompt=login');
    await signInByCode(browser, start, email);
  }
  return browser;
}

async function whoIs(browser: TestBrowser): Promise<string> {
  const page = await browser.get('/start');
  return page.status === 200 && page.url.includes('/oauth/authorize/')
    ? JSON.parse(page.body).email
    : (page.step ?? `${page.status}`);
}

test('prompt=login asks again although somebody is signed in, says so, fills in who, and keeps the session id (AS-28)', async () => {
  const browser = await signedIn('prompt@example.com');
  const before = JSON.parse((await browser.get('/start')).body).sessionId;
  const page = await browser.get('/start?prompt=login');
  assert.equal(page.step, 'identify');
  assert.match(page.body, /Please confirm it&#39;s you/);
  assert.match(page.body, /value="prompt@example\.com"/);
  const hub = formOf(page).action.replace(/\/email$/, '');
  assert.equal((await browser.get(hub)).step, 'identify', 'going back to the hub skips nothing');
  const authorize = hub.replace('/login/', '/oauth/authorize/');
  assert.equal((await browser.get(authorize)).step, 'identify', 'nor does the way on');
  const done = await signInByCode(browser, page, 'prompt@example.com');
  assert.equal(JSON.parse(done.body).sessionId, before);
});

test('max_age asks again when the last proof is older, and not when it is younger (AS-29)', async () => {
  const browser = await signedIn('aged@example.com');
  assert.match((await browser.get('/start?max_age=600')).url, /authorize/);
  site.clock.advance(601);
  const page = await browser.get('/start?max_age=600');
  assert.equal(page.step, 'identify');
  assert.match((await signInByCode(browser, page, 'aged@example.com')).url, /authorize/);
  const always = await browser.get('/start?max_age=0');
  assert.equal(always.step, 'identify');
  assert.match((await signInByCode(browser, always, 'aged@example.com')).url, /authorize/);
});

test('prompt=select_account lists who is signed in here; the choice becomes the current person under a new token (AS-28, AS-130)', async () => {
  const browser = await signedIn('first@example.com', 'second@example.com');
  const name = [...browser.cookies.keys()].find((key) => key.endsWith('-session')) ?? '';
  const page = await browser.get('/start?prompt=select_account');
  assert.equal(page.step, 'pick-account');
  assert.match(
    page.body,
    /first@example\.com[\s\S]*second@example\.com|second@example\.com[\s\S]*first@example\.com/,
  );
  const ids = [...page.body.matchAll(/name="account_id" value="(ses_[0-9]+)"/g)].map((m) => m[1]);
  assert.equal(ids.length, 2);
  const before = browser.cookies.get(name) ?? '';
  const done = await browser.submit(page, { account_id: ids[1] ?? '' });
  assert.equal(JSON.parse(done.body).email, 'first@example.com');
  const tokens = (browser.cookies.get(name) ?? '').split('.');
  assert.equal(tokens.length, 2);
  assert.equal(
    before.split('.').includes(tokens[0] ?? ''),
    false,
    'the chosen one has a new token',
  );
  assert.equal(await whoIs(browser), 'first@example.com');
});

test('a session id of another browser cannot be picked or removed (account picker, confused session)', async () => {
  const victim = await signedIn('victim@example.com');
  const victimId = JSON.parse((await victim.get('/start')).body).sessionId;
  const attacker = await signedIn('attacker@example.com');
  const page = await attacker.get('/start?prompt=select_account');
  const again = await attacker.submit(page, { account_id: victimId });
  assert.equal(again.step, 'pick-account');
  assert.equal(await whoIs(attacker), 'attacker@example.com');
  await attacker.submit(await attacker.get('/start?prompt=select_account'), {
    remove_account_id: victimId,
  });
  assert.equal(await whoIs(victim), 'victim@example.com');
});

test('"Use another account" signs in somebody else and keeps the first one in the list', async () => {
  const browser = await signedIn('here@example.com');
  const picker = await browser.get('/start?prompt=select_account');
  const identify = await browser.submit(picker, { action: 'other-account' });
  assert.equal(identify.step, 'identify');
  const done = await signInByCode(browser, identify, 'also@example.com');
  assert.equal(JSON.parse(done.body).email, 'also@example.com');
  const list = await browser.get('/start?prompt=select_account');
  assert.match(list.body, /here@example\.com/);
  assert.match(list.body, /also@example\.com/);
});

test('"Not you? Switch account" leads to the picker of the same request without asking again afterwards', async () => {
  const browser = await signedIn('one@example.com', 'two@example.com');
  const through = await browser.get('/start');
  const picker = await browser.get(
    `${through.url.replace('/oauth/authorize/', '/login/')}/account`,
  );
  assert.equal(picker.step, 'pick-account');
  const ids = [...picker.body.matchAll(/name="account_id" value="(ses_[0-9]+)"/g)].map((m) => m[1]);
  const done = await browser.submit(picker, { account_id: ids[1] ?? '' });
  assert.equal(JSON.parse(done.body).email, 'one@example.com');
});

test('"Remove from this device" signs one person out here and leaves the other signed in', async () => {
  const browser = await signedIn('stays@example.com', 'goes@example.com');
  const page = await browser.get('/start?prompt=select_account');
  const goes = JSON.parse((await browser.get('/start')).body).sessionId;
  const after = await browser.submit(page, { remove_account_id: goes });
  assert.equal(after.step, 'pick-account');
  assert.doesNotMatch(after.body, /goes@example\.com/);
  const ids = [...after.body.matchAll(/name="account_id" value="(ses_[0-9]+)"/g)].map((m) => m[1]);
  const done = await browser.submit(after, { account_id: ids[0] ?? '' });
  assert.equal(JSON.parse(done.body).email, 'stays@example.com');
});

test('a session ends after seven idle days, use keeps it, and thirty days after the proof it is over all the same', async () => {
  const day = 86_400;
  const idle = await signedIn('idle@example.com');
  site.clock.advance(7 * day + 1);
  assert.equal(await whoIs(idle), 'identify');

  const used = await signedIn('used@example.com');
  for (let week = 0; week < 4; week += 1) {
    site.clock.advance(6 * day);
    assert.equal(await whoIs(used), 'used@example.com');
  }
  site.clock.advance(6 * day + 1);
  assert.equal(await whoIs(used), 'identify');
});
