import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { updateEnvironmentSettings } from '../src/environments/environments.store.ts';
import { findNewestCode } from '../src/login/sign-in-codes.store.ts';
import { pairingCode } from '../src/login/sign-in-codes.ts';
import { sql } from '../src/storage/db.ts';
import { rememberRowsOf } from '../src/storage/row-cache.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import {
  type Form,
  formOf,
  mailbox,
  newestCode,
  signInByCode,
  TestBrowser,
  wrongCode,
} from './test-browser.ts';

const url = 'http://localhost:8080';
let site: SignInSite;
/** A second process on the same database: its own pool, its own server. */
let second: SignInSite;
const cleanup = collectCleanup();
before(async () => {
  const { database, open } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database, url });
  second = await startSignInSite(cleanup, { database: await open(), url, clock: site.clock });
});
after(cleanup.run);
beforeEach(async () => {
  await site.ctx.db.rows(sql`delete from rate_limits`);
  await settings({ limitsApplyToLoopback: false, limits: {} });
});

async function settings(values: Parameters<typeof updateEnvironmentSettings>[2]): Promise<void> {
  await updateEnvironmentSettings(site.ctx.db, site.ctx.environmentId, values);
  for (const { ctx } of [site, second]) rememberRowsOf(ctx.db);
}

type Pending = { browser: TestBrowser; form: Form; code: string };

/** A sign-in that waits for its code, mail or no mail. */
async function pending(email: string, browser = site.browser()): Promise<Pending> {
  const page = await browser.submit(await browser.get('/start?prompt=login'), { email });
  const form = formOf(page);
  const loginRequestId = form.action.split('/')[2] ?? '';
  const { environmentId, db } = site.ctx;
  const code = await findNewestCode(db, { environmentId, loginRequestId });
  return { browser, form, code: (code && pairingCode(site.ctx, code)) ?? '' };
}

async function tryOnce({ browser, form }: Pending, code: string, at: SignInSite) {
  const other = new TestBrowser(at.origin);
  for (const [name, value] of browser.cookies) other.cookies.set(name, value);
  const response = await other.postOnce(form.action, { ...form.fields, code, action: 'verify' });
  const cookies = response.headers.getSetCookie().join();
  return { status: response.status, session: cookies.includes('-session=') };
}

async function counters(): Promise<Record<string, number>> {
  const rows = await site.ctx.db.rows<{ name: string; count: number }>(
    sql`select split_part(key, ':', 1) as name, sum(count)::int as count from rate_limits group by 1`,
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

async function attempts(emailKey: string): Promise<number> {
  const rows = await site.ctx.db.rows<{ attempts: number }>(
    sql`select coalesce(sum(attempts), 0)::int as attempts from sign_in_codes where email_key = ${emailKey}`,
  );
  return rows[0]?.attempts ?? -1;
}

test('200 parallel tries over 20 requests for one address on two processes: ten are compared, then not even the right code signs in (AS-147, AS-142, brute force)', async () => {
  const email = 'target@example.com';
  const flows: Pending[] = [];
  for (let index = 0; index < 20; index += 1) flows.push(await pending(email));
  const tries = Array.from({ length: 200 }, async (_, index) => {
    const flow = flows[index % flows.length];
    assert.ok(flow);
    return await tryOnce(flow, wrongCode(flow.code), index % 2 === 0 ? site : second);
  });
  const answers = await Promise.all(tries);
  assert.deepEqual(new Set(answers.map((answer) => answer.status)), new Set([303]));
  const counted = await counters();
  assert.equal(counted['code-tries-hour'], 200, 'each try is counted, none is lost');
  assert.equal(counted['code-tries-day'], 10);
  assert.equal(await attempts(email), 10, 'exactly ten were compared');

  const right = flows.map((flow, index) => tryOnce(flow, flow.code, index % 2 ? site : second));
  assert.equal(
    (await Promise.all(right)).some((answer) => answer.session),
    false,
  );
  assert.equal(await attempts(email), 10);
});

test('50 parallel tries of one code on two processes: five are compared, and the right one among the later fails (AS-147, AS-142)', async () => {
  const flow = await pending('one-code@example.com');
  await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      tryOnce(flow, wrongCode(flow.code), index % 2 === 0 ? site : second),
    ),
  );
  assert.equal(await attempts('one-code@example.com'), 5);
  await site.ctx.db.rows(sql`delete from rate_limits`);
  assert.equal((await tryOnce(flow, flow.code, second)).session, false);
});

test('thirty tries a day for one address, whatever the hour (AS-147)', async () => {
  const email = 'daily@example.com';
  for (let hour = 0; hour < 4; hour += 1) {
    for (let flow = 0; flow < 3; flow += 1) {
      const one = await pending(email);
      for (let index = 0; index < 4; index += 1) await tryOnce(one, wrongCode(one.code), site);
    }
    site.clock.advance(3601);
  }
  assert.equal(await attempts(email), 30);
  const flow = await pending(email);
  assert.equal((await tryOnce(flow, flow.code, site)).session, false);
  site.clock.advance(86_401);
  const tomorrow = await pending(email);
  assert.equal((await tryOnce(tomorrow, tomorrow.code, site)).session, true);
});

test('when the budget of an address is used up the same page says so and no mail goes out; a browser that signed in before has its own budget (AS-147, lock-out)', async () => {
  const email = 'locked@example.com';
  const own = site.browser();
  await signInByCode(own, await own.get('/start'), email);
  site.clock.advance(61);
  const stranger = await pending(email);
  const strangers = await pending(email);
  for (let index = 0; index < 12; index += 1) {
    const flow = index % 2 === 0 ? stranger : strangers;
    await tryOnce(flow, wrongCode(flow.code), site);
  }
  const mails = (await mailbox(site.origin, email)).length;
  const page = await stranger.browser.submit(await stranger.browser.get('/start'), { email });
  assert.equal(page.step, 'email-code');
  assert.match(page.body, /Use a passkey or the link in an email we sent before/);
  assert.equal((await mailbox(site.origin, email)).length, mails);

  site.clock.advance(61);
  const known = await pending(email, own);
  assert.equal((await mailbox(site.origin, email)).length, mails + 1);
  assert.equal((await tryOnce(known, known.code, site)).session, true);
});

test('the link of an earlier mail still works when the budget for codes is used up (AS-147)', async () => {
  const email = 'by-link@example.com';
  const browser = site.browser();
  const flow = await pending(email, browser);
  const [mail] = await mailbox(site.origin, email);
  const strangers = await pending(email);
  for (let index = 0; index < 12; index += 1) {
    await tryOnce(index % 2 === 0 ? flow : strangers, '999999', site);
  }
  const page = await browser.get(`${flow.form.action}`);
  await browser.submit(page, { action: 'resend' });
  assert.equal((await mailbox(site.origin, email)).length, 2);
  const confirm = await browser.get(new URL(mail?.link ?? '').pathname);
  const done = await browser.submit(confirm, { action: 'sign-in' });
  assert.match(done.url, /authorize/);
});

test('two mails a minute and ten an hour for one address, over all requests and processes; the page says how long to wait (AS-147, mail bombing)', async () => {
  const email = 'flooded@example.com';
  const start = await mailbox(site.origin, email);
  assert.equal(start.length, 0);
  const pages = await Promise.all(
    Array.from({ length: 8 }, async (_, index) => {
      const browser = (index % 2 === 0 ? site : second).browser();
      return await browser.submit(await browser.get('/start'), { email });
    }),
  );
  assert.equal((await mailbox(site.origin, email)).length, 2);
  assert.deepEqual(new Set(pages.map((page) => page.step)), new Set(['email-code']));
  assert.equal(
    pages.filter((page) => /You can ask for a new code in [0-9]+ seconds?/.test(page.body)).length,
    6,
  );

  for (let minute = 0; minute < 8; minute += 1) {
    site.clock.advance(61);
    await pending(email);
    await pending(email);
  }
  assert.equal((await mailbox(site.origin, email)).length, 10);
});

test('"Send a new code" too early keeps the code that was sent, and says how long to wait', async () => {
  const email = 'eager@example.com';
  const browser = site.browser();
  let page = await browser.submit(await browser.get('/start'), { email });
  page = await browser.submit(page, { action: 'resend' });
  const code = await newestCode(site.origin, email);
  page = await browser.submit(page, { action: 'resend' });
  assert.match(page.body, /You can ask for a new code in [0-9]+ seconds?/);
  assert.match((await browser.submit(page, { code })).url, /authorize/);
});

test('a known and an unknown address take the same time (AS-147, user enumeration by timing)', async () => {
  const known = site.browser();
  await signInByCode(known, await known.get('/start'), 'known@example.com');
  const times: Record<'known' | 'unknown', number[]> = { known: [], unknown: [] };
  for (let index = 0; index < 40; index += 1) {
    const kind = index % 2 === 0 ? 'known' : 'unknown';
    await site.ctx.db.rows(sql`delete from rate_limits`);
    const browser = site.browser();
    const form = formOf(await browser.get('/start'));
    const email = kind === 'known' ? 'known@example.com' : `unknown-${index}@example.com`;
    const begin = performance.now();
    await browser.postOnce(form.action, { ...form.fields, email });
    times[kind].push(performance.now() - begin);
  }
  const ratio = median(times.known) / median(times.unknown);
  assert.ok(ratio > 0.5 && ratio < 2, `known ÷ unknown is ${ratio.toFixed(2)}`);
});

test('one network has 100 tries an hour and 20 posts a minute, then 429 with Retry-After (AS-139, AS-147)', async () => {
  await settings({ limitsApplyToLoopback: true, limits: { signInPerMinute: 1000 } });
  let last = { status: 0, retryAfter: '' as string | null };
  let compared = 0;
  for (let index = 0; index < 21; index += 1) {
    const flow = await pending(`network-${index}@example.com`);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const { browser, form } = flow;
      const response = await browser.postOnce(form.action, {
        ...form.fields,
        code: wrongCode(flow.code),
      });
      last = { status: response.status, retryAfter: response.headers.get('retry-after') };
      if (response.status === 303) compared += 1;
    }
  }
  assert.equal(compared, 100);
  assert.equal(last.status, 429);
  assert.match(last.retryAfter ?? '', /^[0-9]+$/);

  await site.ctx.db.rows(sql`delete from rate_limits`);
  await settings({ limitsApplyToLoopback: true, limits: {} });
  const browser = site.browser();
  const form = formOf(await browser.get('/start'));
  const statuses: number[] = [];
  for (let index = 0; index < 21; index += 1) {
    statuses.push((await browser.postOnce(form.action, { ...form.fields, email: 'x' })).status);
  }
  assert.deepEqual(statuses, [...Array(20).fill(400), 429]);
});

test('a network may have only so many pending requests, counted exactly by two processes at once; they free themselves when they expire (AS-65)', async () => {
  await site.ctx.db.rows(sql`delete from login_requests`);
  await settings({ limitsApplyToLoopback: true, limits: { pendingAuthorizationsPerNetwork: 10 } });
  const starts = Array.from({ length: 30 }, (_, index) =>
    (index % 2 === 0 ? site : second).browser().request('GET', '/start'),
  );
  const statuses = (await Promise.all(starts)).map((response) => response.status);
  assert.equal(statuses.filter((status) => status === 303).length, 10);
  assert.equal(statuses.filter((status) => status === 429).length, 20);
  site.clock.advance(601);
  assert.equal((await site.browser().request('GET', '/start')).status, 303);
});

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
