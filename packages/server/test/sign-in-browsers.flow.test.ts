import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { sql } from '../src/storage/db.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import {
  formOf,
  mailbox,
  newestCode,
  type Page,
  signInByCode,
  type TestBrowser,
} from './test-browser.ts';

let site: SignInSite;
const cleanup = collectCleanup();
before(async () => {
  const { database } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database });
});
after(cleanup.run);

const STEPS = ['', '/email', '/sign-up', '/code', '/account'];

/** A sign-in that waits for its code, with everything a thief of its address could know. */
async function pendingSignIn(email: string) {
  const owner = site.browser();
  const page = await owner.submit(await owner.get('/start'), { email });
  const form = formOf(page);
  const path = form.action.replace(/\/code$/, '');
  const [mail] = await mailbox(site.origin, email);
  const link = new URL(mail?.link ?? '').pathname;
  return { owner, page, path, form, code: mail?.code ?? '', link };
}

function assertOtherBrowser(page: Page, secrets: readonly string[]): void {
  assert.deepEqual([page.status, page.error], [400, 'invalid_state']);
  assert.match(page.body, /Go back to the window where you started|Your browser blocked a cookie/);
  for (const secret of secrets) assert.equal(page.body.includes(secret), false);
}

async function rowOf(path: string) {
  const id = path.split('/').pop() ?? '';
  return await site.ctx.db.rows(
    sql`select l.*, c.attempts, c.used_at from login_requests l left join sign_in_codes c on c.login_request_id = l.id where l.id = ${id}`,
  );
}

test('a second browser that opens any address of a flow, by GET or POST, gets 400 and changes nothing; so does one without cookies (AS-30, login session theft)', async () => {
  const { owner, page, path, form, code } = await pendingSignIn('owner@example.com');
  const secrets = ['Acme Calendar', 'Cursor', 'owner@', 'app.example'];
  const rowBefore = await rowOf(path);
  const other = site.browser();
  await other.get('/start');
  for (const browser of [other, site.browser()]) {
    for (const step of STEPS) {
      assertOtherBrowser(await browser.get(path + step), secrets);
      const fields = { ...form.fields, email: 'thief@example.com', code, action: 'verify' };
      if (step !== '') assertOtherBrowser(await browser.post(path + step, fields), secrets);
    }
  }
  assert.deepEqual(await rowOf(path), rowBefore, 'the row is unchanged');
  assert.deepEqual(await mailbox(site.origin, 'thief@example.com'), []);
  assert.equal((await other.get('/start')).step, 'identify');
  assert.match((await owner.submit(page, { code })).url, /authorize/, 'the owner goes on');
});

test('a browser that blocks cookies is told so, with the name of the cookie and nothing of the flow (hosted-pages 3.9)', async () => {
  const response = await site.browser().request('GET', '/start');
  const blocked = await site
    .browser()
    .get(response.headers.get('location') ?? '', { 'sec-fetch-site': 'cross-site' });
  assert.deepEqual([blocked.status, blocked.error], [400, 'invalid_state']);
  assert.match(blocked.body, /Your browser blocked a cookie/);
  assert.match(blocked.body, /gatewarden-[0-9]+-browser/);
  assert.doesNotMatch(blocked.body, /Acme Calendar/);
  const unknown = await site
    .browser()
    .get(`/login/${'a'.repeat(43)}`, { 'sec-fetch-site': 'cross-site' });
  assert.match(unknown.body, /Your browser blocked a cookie/, 'the same for an id that is none');
});

test('a browser that is signed in cannot finish another browser’s flow, and its session does not reach that flow (AS-30, reversed)', async () => {
  const signedIn = site.browser();
  await signInByCode(signedIn, await signedIn.get('/start'), 'victim@example.com');
  const attacker = site.browser();
  const identify = await attacker.get('/start');
  const path = formOf(identify).action.replace(/\/email$/, '');
  for (const step of STEPS) {
    assertOtherBrowser(await signedIn.get(path + step), ['Acme Calendar']);
  }
  const authorize = path.replace('/login/', '/oauth/authorize/');
  assertOtherBrowser(await signedIn.get(authorize), ['Acme Calendar']);
  assert.equal((await attacker.get(path)).step, 'identify', 'the attacker is not signed in');
});

test('a session cookie taken to another browser signs nobody in there (session theft)', async () => {
  const victim = site.browser();
  await signInByCode(victim, await victim.get('/start'), 'stolen@example.com');
  const thief = site.browser();
  await thief.get('/start');
  for (const [name, value] of victim.cookies) {
    if (name.endsWith('-session')) thief.cookies.set(name, value);
  }
  assert.equal((await thief.get('/start')).step, 'identify');
});

test('a session cookie planted before the login never becomes a signed-in one; the value changes at each login (AS-130, session fixation)', async () => {
  const attacker = site.browser();
  await signInByCode(attacker, await attacker.get('/start'), 'attacker@example.com');
  const name = [...attacker.cookies.keys()].find((key) => key.endsWith('-session')) ?? '';
  const planted = attacker.cookies.get(name) ?? '';

  const victim = site.browser();
  victim.cookies.set(name, planted);
  const first = await victim.get('/start');
  assert.equal(first.step, 'identify');
  await signInByCode(victim, first, 'fixed@example.com');
  const now = victim.cookies.get(name) ?? '';
  assert.notEqual(now, planted);
  assert.equal(now.includes(planted), false);
  assert.equal(JSON.parse((await attacker.get('/start')).body).email, 'attacker@example.com');

  const again = await victim.get('/start?prompt=login');
  await signInByCode(victim, again, 'fixed@example.com');
  assert.notEqual(victim.cookies.get(name), now, 'rotated at the second proof');
  const old = site.browser();
  for (const [key, value] of victim.cookies) old.cookies.set(key, value);
  old.cookies.set(name, now);
  assert.equal((await old.get('/start')).step, 'identify', 'the old value is worth nothing');
});

test('a planted browser secret does not give its planter the victim’s session (browser fixation)', async () => {
  const attacker = site.browser();
  await attacker.get('/start');
  const victim = site.browser();
  for (const [name, value] of attacker.cookies) victim.cookies.set(name, value);
  await signInByCode(victim, await victim.get('/start'), 'planted@example.com');
  const page = await attacker.get('/start?prompt=select_account');
  assert.equal(page.step, 'identify', 'no session, and no account to pick');
  assert.doesNotMatch(page.body, /planted@/);
});

test('opening the link by GET or HEAD, however often and from wherever, consumes nothing (FSA-30, mail scanner)', async () => {
  const { owner, link } = await pendingSignIn('scanned@example.com');
  const scanner = site.browser({ 'user-agent': 'LinkScanner/1.0' });
  for (let visit = 0; visit < 3; visit += 1) {
    assert.equal((await scanner.request('HEAD', link)).status, 200);
    assert.equal((await scanner.get(link)).status, 200);
  }
  const confirm = await owner.get(link);
  assert.deepEqual([confirm.status, confirm.step], [200, 'confirm-link']);
  assert.match(confirm.body, /scanned@example\.com/);
  const done = await owner.submit(confirm, { action: 'sign-in' });
  assert.equal(JSON.parse(done.body).email, 'scanned@example.com');
});

test('a link works once: of two parallel POSTs one signs in, a later one says it is over (FSA-30, replay)', async () => {
  const { owner, link } = await pendingSignIn('link-once@example.com');
  const form = formOf(await owner.get(link));
  const fields = { ...form.fields, action: 'sign-in' };
  const both = await Promise.all([
    owner.postOnce(form.action, fields),
    owner.postOnce(form.action, fields),
  ]);
  const cookies = both.filter((response) => response.headers.getSetCookie().length > 0);
  assert.equal(cookies.length, 1);
  const later = await owner.postOnce(form.action, fields);
  assert.equal(later.status, 400);
});

test('the link in another browser signs nobody in: it shows a code for the first one, which does not advance by itself (AS-30, FSA-29)', async () => {
  const { owner, page, path, link, code } = await pendingSignIn('phone@example.com');
  const phone = site.browser({
    'user-agent':
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/605.1',
  });
  const shown = await phone.get(link);
  assert.deepEqual([shown.status, shown.step], [200, 'link-code']);
  const digits = /class="big-code" dir="ltr">([0-9]{3} [0-9]{3})</.exec(shown.body)?.[1] ?? '';
  assert.equal(digits.replace(' ', ''), code);
  assert.match(shown.body, /We never ask for this code/);

  const form = formOf(shown);
  const signIn = await phone.post(form.action, { ...form.fields, action: 'sign-in' });
  assertOtherBrowser(signIn, ['Acme Calendar', 'phone@']);
  assert.equal((await phone.get('/start')).step, 'identify', 'the phone is not signed in');
  const original = await owner.get(path);
  assert.equal(original.step, 'email-code', 'the first window waits as before');
  const done = await owner.submit(page, { code: digits });
  assert.equal(JSON.parse(done.body).email, 'phone@example.com');
});

test('"I didn’t ask for this" in any browser ends code, link and request; it needs the form token of that browser (AS-129)', async () => {
  const { owner, page, link, code } = await pendingSignIn('not-me@example.com');
  const phone = site.browser();
  const form = formOf(await phone.get(link));
  const fresh = site.browser();
  await fresh.get('/start');
  const stolen = await fresh.post(form.action, { ...form.fields, action: 'not-me' });
  assert.deepEqual([stolen.status, stolen.error], [403, 'invalid_request']);
  assert.equal((await owner.get(page.url)).step, 'email-code');

  await phone.post(form.action, { ...form.fields, action: 'not-me' });
  assert.equal((await owner.submit(page, { code })).error, 'login_expired');
  assert.equal((await owner.get(link)).error, 'login_expired');
});

test('an unknown, malformed or used link shows nothing of any flow', async () => {
  for (const path of ['x', 'a'.repeat(43), `${'a'.repeat(500)}`]) {
    const page = await site.browser().get(`/login/link/${path}`);
    assert.deepEqual([page.status, page.error], [400, 'login_expired']);
  }
});

test('a POST from another origin, from a sandboxed frame or another site is 403 although the token is right (AS-129, CSRF)', async () => {
  const { owner, form, code } = await pendingSignIn('csrf@example.com');
  const fields = { ...form.fields, code, action: 'verify' };
  const attacks: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${site.origin}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ];
  for (const headers of attacks) {
    const answer = await owner.post(form.action, fields, headers);
    assert.deepEqual([answer.status, answer.error], [403, 'invalid_request']);
  }
  assert.equal((await owner.get('/start')).step, 'identify');
});

test('a form token of another browser, of another request, or none, is 403 before and after sign-in (AS-129, login CSRF)', async () => {
  const { owner, form } = await pendingSignIn('token@example.com');
  const mine = formOf(await owner.get('/start'));
  const other = site.browser();
  const others = formOf(await other.get('/start'));
  for (const csrf of [
    others.fields['csrf'] ?? '',
    mine.fields['csrf'] ?? '',
    '',
    'x',
    'A'.repeat(43),
  ]) {
    const answer = await owner.post(form.action, { csrf, action: 'resend' });
    assert.deepEqual([answer.status, answer.error], [403, 'invalid_request']);
  }
  assert.equal((await mailbox(site.origin, 'token@example.com')).length, 1, 'nothing was resent');
});

test('a form shown to one person does not work for the next one signed in in the same browser (session swap)', async () => {
  const browser = site.browser();
  await signInByCode(browser, await browser.get('/start'), 'first@example.com');
  const picker = await browser.get('/start?prompt=select_account');
  const form = formOf(picker);
  await signInByCode(browser, await browser.get('/start?prompt=login'), 'second@example.com');
  const answer = await browser.post(form.action, { ...form.fields, action: 'other-account' });
  assert.deepEqual([answer.status, answer.error], [403, 'invalid_request']);
});

test('a program that asks for JSON gets the error as JSON with the reference of its audit event (AS-141)', async () => {
  const { path } = await pendingSignIn('json@example.com');
  const browser = site.browser({ accept: 'application/json' });
  const response = await browser.request('GET', `${path}/code`);
  const body = (await response.json()) as Record<string, string>; // asserted below
  assert.deepEqual([response.status, body['error']], [400, 'invalid_state']);
  const events = await site.ctx.db.rows<{ type: string; reason: string; flow_id: string }>(
    sql`select type, reason, flow_id from events where request_id = ${body['reference']}`,
  );
  assert.deepEqual(events, [{ type: 'page.error', reason: 'other-browser', flow_id: 'flow_test' }]);
});

test('cookies are HttpOnly and SameSite=Lax, named by port on http and __Host- with Secure on https (AS-130)', async (t) => {
  const names = async (browser: TestBrowser) => {
    const response = await browser.request('GET', '/start');
    return response.headers.getSetCookie();
  };
  const port = new URL(site.origin).port;
  const [plain = ''] = await names(site.browser());
  assert.match(
    plain,
    new RegExp(
      `^gatewarden-${port}-browser=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Lax; Max-Age=`,
    ),
  );
  assert.doesNotMatch(plain, /Secure/);

  const { database } = await testPostgres(t);
  const url = 'https://auth.example.com';
  const secure = await startSignInSite(t, { database, url, config: { mode: 'serve' } });
  const [cookie = ''] = await names(secure.browser());
  assert.match(
    cookie,
    /^__Host-gatewarden-browser=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=/,
  );
});

test('a code typed in the browser that asked is nobody else’s: the same code in a second flow for the same address fails (AS-147)', async () => {
  const first = await pendingSignIn('two-flows@example.com');
  const second = site.browser();
  const page = await second.submit(await second.get('/start'), { email: 'two-flows@example.com' });
  const newest = await newestCode(site.origin, 'two-flows@example.com');
  if (newest !== first.code) {
    const refused = await second.submit(page, { code: first.code });
    assert.equal(refused.step, 'email-code');
  }
  assert.match((await first.owner.submit(first.page, { code: first.code })).url, /authorize/);
});
