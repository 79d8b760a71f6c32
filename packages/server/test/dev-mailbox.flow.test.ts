import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import type { Log } from '../src/runtime/log.ts';
import { sql } from '../src/storage/db.ts';
import { testPostgres } from '../src/testing/databases.ts';
import { collectCleanup, type SignInSite, startSignInSite } from './sign-in-site.ts';
import { mailbox } from './test-browser.ts';

let site: SignInSite;
const lines: string[] = [];
const say = (_fields: object, message: string) => void lines.push(message);
const log: Log = { debug() {}, info: say, warn: say, error: say };
const cleanup = collectCleanup();
before(async () => {
  const { database } = await testPostgres(cleanup);
  site = await startSignInSite(cleanup, { database, log });
});
after(cleanup.run);

/** A request with headers that fetch would not send, Host above all. */
function raw(origin: string, path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      request(new URL(path, origin), { headers }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      })
        .on('error', reject)
        .end();
    },
  );
}

async function sendMailTo(email: string, at = site): Promise<void> {
  const browser = at.browser();
  await browser.submit(await browser.get('/start'), { email });
}

test('the mailbox lists mail newest first with code and link, as JSON for tests and as a page for people', async () => {
  await sendMailTo('box@example.com');
  await sendMailTo('box@example.com');
  await sendMailTo('other@example.com');
  const mails = await mailbox(site.origin, 'BOX@example.com');
  assert.equal(mails.length, 2);
  assert.ok((mails[0]?.sentAt ?? '') >= (mails[1]?.sentAt ?? ''));
  for (const mail of mails) {
    assert.deepEqual(Object.keys(mail).sort(), [
      'code',
      'html',
      'id',
      'link',
      'sentAt',
      'subject',
      'text',
      'to',
    ]);
    assert.ok(mail.text.includes(mail.code ?? '?') && mail.text.includes(mail.link ?? '?'));
    assert.match(mail.link ?? '', new RegExp(`^${site.origin}/login/link/`));
  }
  const page = await site.browser().get('/dev/mailbox?to=box@example.com');
  assert.match(page.body, new RegExp(mails[0]?.code ?? '?'));
  assert.doesNotMatch(page.body, /other@example\.com/);
});

test('in development each mail is one line in the log', async () => {
  await sendMailTo('line@example.com');
  const [mail] = await mailbox(site.origin, 'line@example.com');
  const found = lines.filter((line) => line.includes('line@example.com'));
  assert.deepEqual(found, [`mail to line@example.com: ${mail?.subject} (${mail?.link})`]);
});

test('the mailbox answers no rebound host name (AS-152, DNS rebinding)', async () => {
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.nip.io',
    '192.168.1.4:8080',
  ]) {
    const answer = await raw(site.origin, '/dev/mailbox.json', { host });
    assert.equal(answer.status, 403);
    assert.doesNotMatch(answer.body, /@example/);
  }
  for (const host of ['localhost', '127.0.0.1:9999', '[::1]:8080', new URL(site.origin).host]) {
    assert.equal((await raw(site.origin, '/dev/mailbox.json', { host })).status, 200);
  }
});

test('another site can neither read the mailbox nor be allowed to: no CORS headers, foreign Origin 403 (AS-152, cross-origin read)', async () => {
  const { host } = new URL(site.origin);
  for (const headers of [
    { host, origin: 'https://evil.example' },
    { host, origin: 'null' },
    { host, origin: 'http://localhost:1' },
    { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'script' },
    { host, 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'empty' },
  ]) {
    const answer = await raw(site.origin, '/dev/mailbox.json', headers as Record<string, string>);
    assert.equal(answer.status, 403);
    assert.equal(
      Object.keys(answer.headers).some((name) => name.startsWith('access-control-')),
      false,
    );
  }
  const own = await raw(site.origin, '/dev/mailbox.json', { host, origin: site.origin });
  assert.equal(own.status, 200);
  assert.equal(
    Object.keys(own.headers).some((name) => name.startsWith('access-control-')),
    false,
  );
});

test('a server that listens beyond this machine gives mail and static codes only to who has the printed token (AS-152, LAN bind)', async (t) => {
  const { database } = await testPostgres(t);
  const exposed = await startSignInSite(t, { database, config: { exposeToken: 'printed-token' } });
  await sendMailTo('lan@example.com', exposed);
  const { host } = new URL(exposed.origin);
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await raw(exposed.origin, path, { host, ...headers })).status;
  assert.equal(await status('/dev/mailbox.json'), 403);
  assert.equal(await status('/dev/mailbox.json?token=wrong'), 403);
  assert.equal(await status('/dev/mailbox.json', { authorization: 'Bearer wrong' }), 403);
  assert.equal(await status('/dev/mailbox.json?token=printed-token'), 200);
  assert.equal(await status('/dev/mailbox.json', { authorization: 'Bearer printed-token' }), 200);

  const stranger = exposed.browser();
  const page = await stranger.submit(await stranger.get('/start'), {
    email: 'a+sktest@example.com',
  });
  const refused = await stranger.submit(page, { code: '424242' });
  assert.equal(refused.step, 'email-code');
  const owner = exposed.browser();
  await owner.get('/dev/mailbox?token=printed-token');
  const own = await owner.submit(await owner.get('/start'), { email: 'b+sktest@example.com' });
  assert.match((await owner.submit(own, { code: '424242' })).url, /authorize/);
});

test('serve has no mailbox, keeps no readable code, and knows no static code (AS-152)', async (t) => {
  const { database } = await testPostgres(t);
  const production = await startSignInSite(t, {
    database,
    config: { mode: 'serve' },
  });
  for (const path of ['/dev/mailbox', '/dev/mailbox.json']) {
    assert.equal((await fetch(production.origin + path)).status, 404);
  }
  const browser = production.browser();
  const page = await browser.submit(await browser.get('/start'), {
    email: 'ci+sktest@example.com',
  });
  const refused = await browser.submit(page, { code: '424242' });
  assert.equal(refused.step, 'email-code');
  const rows = await database.rows<{ code: unknown; link: unknown }>(
    sql`select code, link from mails`,
  );
  assert.deepEqual(rows, [{ code: null, link: null }]);
});
