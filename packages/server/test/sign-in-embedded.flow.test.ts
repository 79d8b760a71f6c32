import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testPglite } from '../src/testing/databases.ts';
import { startSignInSite } from './sign-in-site.ts';
import { mailbox, signInByCode } from './test-browser.ts';

// The embedded engine has one connection: whoever uses the database beside an open transaction waits for ever.
test('on the embedded database a person signs in by code and by link, switches account and signs out (AS-28, AS-30)', async (t) => {
  const site = await startSignInSite(t, { database: await testPglite(t) });
  const browser = site.browser();
  await signInByCode(browser, await browser.get('/start'), 'first@example.com');

  const identify = await browser.get('/start?prompt=login');
  await browser.submit(identify, { email: 'second@example.com' });
  const [mail] = await mailbox(site.origin, 'second@example.com');
  const confirm = await browser.get(new URL(mail?.link ?? '').pathname);
  const done = await browser.submit(confirm, { action: 'sign-in' });
  assert.equal(JSON.parse(done.body).email, 'second@example.com');

  const picker = await browser.get('/start?prompt=select_account');
  const ids = [...picker.body.matchAll(/name="account_id" value="(ses_[0-9]+)"/g)];
  const first = await browser.submit(picker, { account_id: ids[1]?.[1] ?? '' });
  assert.equal(JSON.parse(first.body).email, 'first@example.com');

  await browser.submit(await browser.get('/logout'), { action: 'sign-out' });
  assert.equal((await browser.get('/start')).step, 'identify');
});

test('when the database is gone, a step says so with 503 instead of an answer about the flow (hosted-pages 3.9)', async (t) => {
  const database = await testPglite(t);
  const site = await startSignInSite(t, { database });
  const browser = site.browser();
  const page = await browser.get('/start');
  await database.close();
  const gone = await browser.get(page.url);
  assert.equal(gone.status, 503);
});
