import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { updateEnvironmentSettings } from '../src/environments/environments.store.ts';
import { sql } from '../src/storage/db.ts';
import { rememberRowsOf } from '../src/storage/row-cache.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { findUserByEmail } from '../src/users/users.store.ts';
import { disableUser } from '../src/users/users.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import { formOf, mailbox, newestCode, signInByCode, wrongCode } from './test-browser.ts';

let site: SignInSite;
const cleanup = collectCleanup();
before(async () => {
  const { database } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database });
});
after(cleanup.run);

test('a person signs in with the code from the mail, and the browser goes on to the authorization endpoint (AS-30, AS-133)', async () => {
  const browser = site.browser();
  const identify = await browser.get('/start');
  assert.deepEqual([identify.status, identify.step], [200, 'identify']);
  assert.match(identify.body, /<h1>Sign in to Acme Calendar<\/h1>/);
  assert.match(identify.body, /Cursor<\/bdi><\/strong> \(not verified\)/);

  const form = formOf(identify);
  const posted = await browser.postOnce(form.action, {
    ...form.fields,
    email: ' Ana@Example.COM ',
  });
  assert.equal(posted.status, 303);
  const code = await browser.get(posted.headers.get('location') ?? '');
  assert.deepEqual([code.status, code.step], [200, 'email-code']);
  const [mail] = await mailbox(site.origin, 'ana@example.com');
  assert.match(mail?.subject ?? '', /^[0-9]{6} is your code for Acme Calendar$/);
  assert.equal(mail?.subject.slice(0, 6), mail?.code);

  const codeForm = formOf(code);
  const spaced = (mail?.code ?? '').replace(/^(...)/, '$1 ');
  const verified = await browser.postOnce(codeForm.action, { ...codeForm.fields, code: spaced });
  assert.equal(verified.status, 303);
  const done = await browser.get(verified.headers.get('location') ?? '');
  assert.match(done.url, /^\/oauth\/authorize\/[A-Za-z0-9_-]{43}$/);
  assert.equal(JSON.parse(done.body).email, 'Ana@example.com');
});

test('the pages have the headers of sign-in pages: strict CSP without form-action, no COOP, not stored (AS-129)', async () => {
  const page = await site.browser().get('/start');
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /^default-src 'none'; script-src 'self'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /form-action/);
  assert.equal(page.headers.get('referrer-policy'), 'same-origin');
  assert.equal(page.headers.get('x-frame-options'), 'DENY');
  assert.equal(page.headers.get('cache-control'), 'no-store');
  assert.equal(page.headers.get('cross-origin-opener-policy'), null);
});

test('somebody signed in already goes through without a page, in as many tabs as they like (AS-30)', async () => {
  const browser = site.browser();
  const first = await browser.get('/start');
  const second = await browser.get('/start');
  const done = await signInByCode(browser, first, 'tabs@example.com');
  assert.equal(JSON.parse(done.body).email, 'tabs@example.com');

  const third = await browser.get('/start');
  assert.match(third.url, /^\/oauth\/authorize\//);
  const stale = await browser.submit(second, { email: 'other@example.com' });
  assert.match(
    stale.url,
    /^\/oauth\/authorize\//,
    'the form from before goes on as the person signed in',
  );
  assert.deepEqual(await mailbox(site.origin, 'other@example.com'), []);
});

test('two interleaved sign-ins of one browser both finish (AS-30)', async () => {
  const browser = site.browser();
  const first = await browser.submit(await browser.get('/start'), { email: 'one@example.com' });
  const second = await browser.submit(await browser.get('/start'), { email: 'two@example.com' });
  const codeOne = await newestCode(site.origin, 'one@example.com');
  const codeTwo = await newestCode(site.origin, 'two@example.com');

  const two = await browser.submit(second, { code: codeTwo });
  assert.equal(JSON.parse(two.body).email, 'two@example.com');
  const hub = await browser.get(first.url);
  const one = await browser.submit(hub, { code: codeOne });
  assert.equal(JSON.parse(one.body).email, 'one@example.com');
});

test('a wrong code says how many tries are left and a reload says it again without a mail; after five the right one fails too (AS-147, FSA-27)', async () => {
  const browser = site.browser();
  let page = await browser.submit(await browser.get('/start'), { email: 'tries@example.com' });
  const right = await newestCode(site.origin, 'tries@example.com');
  for (const left of ['4 tries', '3 tries', '2 tries', '1 try']) {
    page = await browser.submit(page, { code: wrongCode(right) });
    assert.match(page.body, new RegExp(`That code isn&#39;t right. ${left} left`));
    const reloaded = await browser.get(page.url);
    assert.match(reloaded.body, new RegExp(`${left} left`));
  }
  page = await browser.submit(page, { code: wrongCode(right) });
  assert.match(page.body, /Too many wrong codes/);
  page = await browser.submit(page, { code: right });
  assert.match(page.body, /Too many wrong codes/);
  assert.equal((await mailbox(site.origin, 'tries@example.com')).length, 1);
  assert.match((await browser.get('/start')).url, /^\/login\//, 'nobody is signed in');
});

test('a new code ends the older one of the request, and the page says so (AS-147, FSA-28)', async () => {
  const browser = site.browser();
  const page = await browser.submit(await browser.get('/start'), { email: 'again@example.com' });
  const old = await newestCode(site.origin, 'again@example.com');
  const resent = await browser.submit(page, { action: 'resend' });
  assert.match(resent.body, /We sent a new code/);
  const mails = await mailbox(site.origin, 'again@example.com');
  assert.equal(mails.length, 2);

  const refused = await browser.submit(resent, { code: old });
  assert.match(refused.body, /from an earlier email/);
  const oldLink = new URL(mails[1]?.link ?? '').pathname;
  assert.equal((await browser.get(oldLink)).error, 'login_expired');
  const done = await browser.submit(refused, { code: mails[0]?.code ?? '' });
  assert.match(done.url, /^\/oauth\/authorize\//);
});

test('a code works once: the same POST again signs nobody in again (replay)', async () => {
  const browser = site.browser();
  const page = await browser.submit(await browser.get('/start'), { email: 'once@example.com' });
  const form = formOf(page);
  const fields = { ...form.fields, code: await newestCode(site.origin, 'once@example.com') };
  const before = new Map(browser.cookies);
  const both = await Promise.all([
    browser.postOnce(form.action, fields),
    browser.postOnce(form.action, fields),
  ]);
  assert.deepEqual(
    both.map((response) => response.status),
    [303, 303],
  );
  const cookies = both.filter((response) => response.headers.getSetCookie().length > 0);
  assert.equal(cookies.length, 1, 'one session of two parallel POSTs');

  const replayer = site.browser();
  for (const [name, value] of before) replayer.cookies.set(name, value);
  await replayer.postOnce(form.action, fields);
  assert.equal(
    [...replayer.cookies.keys()].some((name) => name.endsWith('-session')),
    false,
  );
});

test('after ten minutes the code has expired, and the request too: the page offers to start again (AS-31, AS-147)', async () => {
  const browser = site.browser();
  const again = 'https://app.example/login';
  const start = await browser.get(`/start?again=${encodeURIComponent(again)}`);
  const page = await browser.submit(start, { email: 'slow@example.com' });
  const code = await newestCode(site.origin, 'slow@example.com');
  site.clock.advance(601);
  for (const answer of [await browser.get(page.url), await browser.submit(page, { code })]) {
    assert.deepEqual([answer.status, answer.error], [400, 'login_expired']);
    assert.match(answer.body, /This took a while/);
    assert.match(answer.body, /href="https:\/\/app\.example\/login"/);
  }
});

test('an address that is none is refused with a sentence, and what was typed stays in the field', async () => {
  const browser = site.browser();
  const start = await browser.get('/start');
  const empty = await browser.submit(start, { email: '  ' });
  assert.deepEqual([empty.status, empty.step], [400, 'identify']);
  assert.match(empty.body, /Enter your email address/);
  const malformed = await browser.submit(start, { email: 'ana@"><b>' });
  assert.equal(malformed.status, 400);
  assert.match(malformed.body, /value="ana@&quot;&gt;&lt;b&gt;"/);
  assert.doesNotMatch(malformed.body, /<b>/);
});

test('a domain that looks mistyped is asked about once; the suggestion is a button, and Continue means what was typed', async () => {
  const browser = site.browser();
  const asked = await browser.submit(await browser.get('/start'), { email: 'ana@gmial.com' });
  assert.deepEqual([asked.status, asked.step], [200, 'identify']);
  assert.match(asked.body, /Did you mean/);
  const forms = [...asked.body.matchAll(/<input type="hidden" name="email" value="([^"]+)">/g)];
  assert.deepEqual(
    forms.map((match) => match[1]),
    ['ana@gmail.com'],
  );
  assert.deepEqual(await mailbox(site.origin, 'ana@gmial.com'), [], 'nothing was sent yet');
  const code = await browser.submit(asked, { email: 'ana@gmial.com' });
  assert.equal(code.step, 'email-code');
  assert.equal((await mailbox(site.origin, 'ana@gmial.com')).length, 1);
});

test('an address with a letter that folds onto an ASCII one is refused: mail and account would be two people’s (account takeover by Unicode folding)', async () => {
  const browser = site.browser();
  const start = await browser.get('/start');
  const kelvin = await browser.submit(start, { email: '\u212Aarl@example.com' });
  assert.equal(kelvin.status, 400);
});

test('a new person gives a name on the sign-up page; somebody known gets the same next page and keeps theirs (hosted-pages 3.2)', async () => {
  const signUp = async (name: string) => {
    const browser = site.browser();
    const start = await browser.get('/start');
    const path = /href="([^"]+\/sign-up)"/.exec(start.body)?.[1] ?? '';
    const page = await browser.get(path);
    assert.equal(page.step, 'sign-up');
    const code = await browser.submit(page, { email: 'new@example.com', name });
    assert.equal(code.step, 'email-code');
    const done = await browser.submit(code, {
      code: await newestCode(site.origin, 'new@example.com'),
    });
    return JSON.parse(done.body).name;
  };
  assert.equal(await signUp('Nia\u202E New'), 'Nia New');
  assert.equal(await signUp('Somebody Else'), 'Nia New');
});

test('prompt=create begins at the sign-up page', async () => {
  assert.equal((await site.browser().get('/start?prompt=create')).step, 'sign-up');
});

test('a person exists only after the address was proven: asking for a code makes nobody', async () => {
  const browser = site.browser();
  await browser.submit(await browser.get('/start'), { email: 'typed-only@example.com' });
  const { environmentId, db } = site.ctx;
  const by = { environmentId, emailKey: 'typed-only@example.com' };
  assert.equal(await findUserByEmail(db, by), undefined);
});

test('a person who is switched off is told so only after proving who they are, and gets no session', async () => {
  await signInByCode(...(await begin('off@example.com')));
  const { environmentId, db } = site.ctx;
  const user = await findUserByEmail(db, { environmentId, emailKey: 'off@example.com' });
  let ended = '';
  await disableUser(site.ctx, user?.id ?? '', async (_ctx, id) => {
    ended = id;
  });
  assert.equal(ended, user?.id);

  const [browser, identify] = await begin('off@example.com');
  const code = await browser.submit(identify, { email: 'off@example.com' });
  assert.equal(code.step, 'email-code', 'nothing shows before the proof');
  const refused = await browser.submit(code, {
    code: await newestCode(site.origin, 'off@example.com'),
  });
  assert.deepEqual([refused.status, refused.error], [403, 'access_denied']);
  assert.equal((await browser.get('/start')).step, 'identify');
});

test('switching a person off ends the session they have (disabled user)', async () => {
  const [browser, identify] = await begin('live@example.com');
  await signInByCode(browser, identify, 'live@example.com');
  assert.match((await browser.get('/start')).url, /^\/oauth\/authorize\//);
  const { environmentId, db } = site.ctx;
  const user = await findUserByEmail(db, { environmentId, emailKey: 'live@example.com' });
  await disableUser(site.ctx, user?.id ?? '', async () => undefined);
  assert.equal((await browser.get('/start')).step, 'identify');
});

test('a test user gets no mail and signs in with the static code in development (AS-152, FSA-92)', async () => {
  const browser = site.browser();
  const page = await browser.submit(await browser.get('/start'), {
    email: 'ci+sktest@example.com',
  });
  assert.equal(page.step, 'email-code');
  assert.deepEqual(await mailbox(site.origin, 'ci+sktest@example.com'), []);
  const done = await browser.submit(page, { code: '424242' });
  assert.match(done.url, /^\/oauth\/authorize\//);
});

test('the static code opens nobody else’s account, and an address that only looks like a test user’s is none (AS-152)', async () => {
  for (const email of ['ana@example.com', 'sktest@example.com', 'ana@x+sktest.example']) {
    const browser = site.browser();
    const page = await browser.submit(await browser.get('/start'), { email });
    const [mail] = await mailbox(site.origin, email);
    if (mail?.code === '424242') continue; // one in a million
    const answer = await browser.submit(
      page.step === 'email-code' ? page : await browser.get('/start'),
      { code: '424242' },
    );
    assert.doesNotMatch(answer.url, /authorize/);
  }
});

test('login_hint fills in the address and proves nothing (AS-29)', async () => {
  const page = await site.browser().get('/start?login_hint=hint%40example.com');
  assert.equal(page.step, 'identify');
  assert.match(page.body, /value="hint@example\.com"/);
  const hostile = await site.browser().get(`/start?login_hint=${encodeURIComponent('"><script>')}`);
  assert.doesNotMatch(hostile.body, /<script>/);
});

test('"Use another email" goes back to the first page with what was typed', async () => {
  const browser = site.browser();
  const page = await browser.submit(await browser.get('/start'), { email: 'typo@exmaple.com' });
  const back = await browser.submit(page, { action: 'change-email' });
  assert.equal(back.step, 'identify');
  assert.match(back.body, /value="typo@exmaple\.com"/);
  const code = await browser.submit(back, { email: 'typo@example.com' });
  const done = await browser.submit(code, {
    code: await newestCode(site.origin, 'typo@example.com'),
  });
  assert.equal(JSON.parse(done.body).email, 'typo@example.com');
});

test('no event of a sign-in holds a code, link token or cookie (AS-121, AS-140)', async () => {
  const [browser, identify] = await begin('events@example.com');
  await signInByCode(browser, identify, 'events@example.com');
  const [mail] = await mailbox(site.origin, 'events@example.com');
  const rows = await site.ctx.db.rows<{ type: string; text: string }>(
    sql`select type, row_to_json(events)::text as text from events`,
  );
  assert.ok(rows.some((row) => row.type === 'sign_in.succeeded'));
  const token = mail?.link?.split('/').pop() ?? '';
  const secrets = [mail?.code ?? '', token, ...browser.cookies.values()];
  for (const { text } of rows) {
    for (const secret of secrets) assert.equal(text.includes(`"${secret}`), false);
  }
});

test('with sign-up closed an unknown address sees what a known one sees and no mail goes out (FSA-22, user enumeration)', async () => {
  await signInByCode(...(await begin('member@example.com')));
  const mails = (await mailbox(site.origin, 'member@example.com')).length;
  const { environmentId, db } = site.ctx;
  await updateEnvironmentSettings(db, environmentId, { signUpAllowed: false });
  rememberRowsOf(db);
  const see = async (email: string) => {
    const [browser, identify] = await begin(email);
    assert.doesNotMatch(identify.body, /sign-up/);
    const form = formOf(identify);
    const posted = await browser.postOnce(form.action, { ...form.fields, email });
    const page = await browser.get(posted.headers.get('location') ?? '');
    const wrong = await browser.submit(page, { code: '000000' });
    return [posted.status, wrong.status, plain(page.body, email), plain(wrong.body, email)];
  };
  assert.deepEqual(await see('nobody@example.com'), await see('member@example.com'));
  assert.deepEqual(await mailbox(site.origin, 'nobody@example.com'), []);
  assert.equal((await mailbox(site.origin, 'member@example.com')).length, mails + 1);
  await updateEnvironmentSettings(db, environmentId, { signUpAllowed: true });
  rememberRowsOf(db);
});

/** A page without what differs between any two requests. */
function plain(body: string, email: string): string {
  return body
    .replaceAll(email, 'EMAIL')
    .replace(/value="[A-Za-z0-9_-]{43}"/g, 'value=""')
    .replace(/\/login\/[A-Za-z0-9_-]{43}/g, '/login/ID')
    .replace(/req_[0-9a-z]+/g, 'REFERENCE');
}

async function begin(email: string) {
  const browser = site.browser();
  return [browser, await browser.get('/start'), email] as const;
}
