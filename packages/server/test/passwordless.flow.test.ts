import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { readMailbox } from '../src/email/mails.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Answer, type Api, managementApi, ok, protocols } from './management-api.ts';
import { passwordlessSteps as steps } from './passwordless-steps.ts';
import { collectCleanup } from './sign-in-site.ts';

const APP = 'https://app.example/callback?next=%2Fhome';

let gatewarden: TestGatewarden;
const cleanup = collectCleanup();
before(async () => {
  gatewarden = await startTestGatewarden(cleanup, { engine: 'postgres' });
});
after(cleanup.run);

/** What the environment says of passwordless sign-ins, for one test. */
async function settings(values: Readonly<Record<string, unknown>>): Promise<void> {
  const { database, environment } = gatewarden;
  await database.rows(sql`
    insert into connections (environment_id, id, type, provider, provider_key, enabled, status, settings, created_at, updated_at)
    values (${environment.id}, 'conn_900000000000000000', 'PASSWORDLESS', 'PASSWORDLESS', 'PASSWORDLESS', true, 'COMPLETED', '{}', now(), now()) on conflict do nothing`);
  await database.rows(
    sql`update connections set settings = ${JSON.stringify(values)}::jsonb where id = 'conn_900000000000000000'`,
  );
}

const mailsTo = async (recipient: string) =>
  await readMailbox(gatewarden.context(), { recipient, limit: 20 });

async function lastMail(recipient: string) {
  const [mail] = await mailsTo(recipient);
  assert.ok(mail, `a mail to ${recipient}`);
  return mail;
}

async function send(api: Api, email: string, more: JsonObject = {}): Promise<string> {
  return String(ok(await api(steps.send({ email, ...more })))['auth_request_id']);
}

/** A code that is not the one. */
const wrong = (code: string | undefined, by = 1) =>
  String((Number(code) + by) % 1_000_000).padStart(6, '0');

const refused = ({ code, errorCode, fields }: Answer) => [code, errorCode, ...fields];
const WRONG = [3, 'INVALID_ARGUMENT', 'code'];
const TRIED_OUT = [8, 'TOO_MANY_TRIES'];

for (const protocol of protocols)
  test(`over ${protocol} a code proves an address once, and comes back with what the application said (FSA-31)`, async (t) => {
    await settings({});
    const api = await managementApi(t, gatewarden, protocol);
    const email = `person-${protocol.toLowerCase()}@example.com`;
    const sent = ok(
      await api(
        steps.send({
          email,
          template: 'SIGNUP',
          state: 'st "x"',
          expires_in: 3600,
          template_variables: { team: 'Acme' },
        }),
      ),
    );
    const { auth_request_id: id, expires_at: at, ...said } = sent;
    assert.deepEqual(said, { expires_in: 3600, passwordless_type: 'OTP' });
    assert.ok(Math.abs(Number(at) - Date.now() / 1000 - 3600) < 60, String(at));
    const mail = await lastMail(email);
    assert.match(mail.code ?? '', /^[0-9]{6}$/);
    assert.equal(mail.link, undefined);
    assert.match(mail.subject, new RegExp(`^${mail.code} `));
    assert.deepEqual(
      refused(await api(steps.verify({ code: wrong(mail.code), auth_request_id: id ?? '' }))),
      WRONG,
    );
    const typed = ` ${mail.code?.slice(0, 3)} ${mail.code?.slice(3)} `;
    const proof = ok(await api(steps.verify({ code: typed, auth_request_id: id ?? '' })));
    assert.deepEqual(proof, {
      email,
      state: 'st "x"',
      template: 'SIGNUP',
      passwordless_type: 'OTP',
    });
    assert.deepEqual(
      refused(await api(steps.verify({ code: mail.code ?? '', auth_request_id: id ?? '' }))),
      WRONG,
    );
    const people = await gatewarden.database.rows(sql`select 1 from users where email = ${email}`);
    assert.deepEqual(people, [], 'nobody was made and nobody signed in');
    for (const [step, expected] of [
      [steps.send({ email: 'nobody' }), [3]],
      [steps.send({ email: 'a@b@example.com' }), [3]],
      [steps.send({ email, expires_in: 29 }), [3, 'INVALID_ARGUMENT', 'expires_in']],
      [steps.send({ email, expires_in: 3601 }), [3, 'INVALID_ARGUMENT', 'expires_in']],
      [
        steps.send({ email, magiclink_auth_uri: 'javascript:alert(1)' }),
        [3, 'INVALID_ARGUMENT', 'magiclink_auth_uri'],
      ],
      [
        steps.send({ email, magiclink_auth_uri: 'http://app.example/' }),
        [3, 'INVALID_ARGUMENT', 'magiclink_auth_uri'],
      ],
      [
        steps.send({ email, template_variables: { otp: '1' } }),
        [3, 'INVALID_ARGUMENT', 'template_variables'],
      ],
      [steps.resend('nothing'), [5, 'AUTH_REQUEST_NOT_FOUND']],
      [steps.resend('a\0b'), [3, 'INVALID_ARGUMENT', 'auth_request_id']],
      [
        steps.verify({ code: '123456', auth_request_id: 'a\0b' }),
        [3, 'INVALID_ARGUMENT', 'auth_request_id'],
      ],
      [steps.resend(String(id)), [9, 'AUTH_REQUEST_OVER']],
      [steps.verify({ code: '123456' }), [3, 'INVALID_ARGUMENT', 'auth_request_id']],
      [steps.verify({ code: '123456', auth_request_id: 'nothing' }), WRONG],
      [steps.verify({ auth_request_id: String(id) }), [3, 'INVALID_ARGUMENT', 'code']],
    ] as const) {
      const answer = refused(await api(step));
      assert.deepEqual(answer.slice(0, expected.length), expected, JSON.stringify(step.input));
    }
  });

test('of a code five different ones may be tried, whatever races; the same again is counted once, as client libraries repeat calls (guessing, AS-147)', async (t) => {
  await settings({});
  const api = await managementApi(t, gatewarden);
  const id = await send(api, 'guess@example.com');
  const { code = '' } = await lastMail('guess@example.com');
  const attempt = (typed: string) => api(steps.verify({ code: typed, auth_request_id: id }));
  for (let time = 0; time < 6; time += 1)
    assert.deepEqual(refused(await attempt(wrong(code))), WRONG, 'one wrong code, six times');
  const raced = await Promise.all(
    Array.from({ length: 20 }, (_, index) => attempt(wrong(code, 2 + index))),
  );
  assert.deepEqual(
    raced.map(refused).filter(([grpc]) => grpc === 3).length,
    4,
    JSON.stringify(raced.map(refused)),
  );
  assert.deepEqual(refused(await attempt(code)), TRIED_OUT, 'the right one comes too late');
  assert.deepEqual(refused(await api(steps.resend(id))), TRIED_OUT);
  // 5 of 10 tries of the hour are used: a new request has its own five, and then the address has had enough.
  const again = await send(api, 'guess@example.com');
  const { code: second = '' } = await lastMail('guess@example.com');
  for (let by = 1; by <= 5; by += 1)
    assert.deepEqual(
      refused(await api(steps.verify({ code: wrong(second, by), auth_request_id: again }))),
      WRONG,
    );
  gatewarden.clock.advance({ seconds: 61 });
  const third = await send(api, 'guess@example.com');
  const { code: right = '' } = await lastMail('guess@example.com');
  for (const time of ['once', 'and again', 'and again'])
    assert.deepEqual(
      refused(await api(steps.verify({ code: right, auth_request_id: third }))),
      TRIED_OUT,
      `ten an hour for one address, all requests together: ${time}`,
    );
  const parallel = Array.from({ length: 6 }, () =>
    api(steps.verify({ code: right, auth_request_id: third })),
  );
  for (const answer of await Promise.all(parallel)) assert.deepEqual(refused(answer), TRIED_OUT);
  gatewarden.clock.advance({ minutes: 61 });
});

test('a race: of ten verifications of one right code one succeeds; a code does not work for another request or after its time (replay)', async (t) => {
  await settings({});
  const api = await managementApi(t, gatewarden);
  const id = await send(api, 'raced@example.com');
  const { code = '' } = await lastMail('raced@example.com');
  const other = await send(api, 'other@example.com');
  assert.deepEqual(
    refused(await api(steps.verify({ code, auth_request_id: other }))),
    WRONG,
    'somebody else’s request',
  );
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => api(steps.verify({ code, auth_request_id: id }))),
  );
  assert.deepEqual(answers.filter((answer) => answer.code === 0).length, 1);
  const late = await send(api, 'late@example.com');
  const { code: old = '' } = await lastMail('late@example.com');
  gatewarden.clock.advance({ seconds: 301 });
  assert.deepEqual(refused(await api(steps.verify({ code: old, auth_request_id: late }))), WRONG);
  assert.deepEqual(refused(await api(steps.resend(late))), [9, 'AUTH_REQUEST_OVER']);
});

test('two mails a minute and ten an hour for one address, sent and sent again together; a refused one leaves no trace (mail bombing, FSA-27)', async (t) => {
  await settings({});
  const api = await managementApi(t, gatewarden);
  const email = 'bombed@example.com';
  const id = await send(api, email);
  ok(await api(steps.resend(id)));
  const trace = async () => [
    (await mailsTo(email)).length,
    await gatewarden.database.rows(
      sql`select (select count(*) from events where type = 'passwordless.sent')::int as events, (select count(*) from passwordless_requests)::int as requests, (select sum(count) from rate_limits)::int as counted`,
    ),
  ];
  const before = await trace();
  for (const step of [steps.resend(id), steps.send({ email }), steps.send({ email })])
    assert.deepEqual(refused(await api(step)), [8, 'RATE_LIMITED'], step.method.name);
  assert.deepEqual(await trace(), before);
  for (let minute = 0; minute < 4; minute += 1) {
    gatewarden.clock.advance({ seconds: 61 });
    await send(api, email);
    await send(api, email);
  }
  gatewarden.clock.advance({ seconds: 61 });
  assert.deepEqual(refused(await api(steps.send({ email }))), [8, 'RATE_LIMITED'], 'the eleventh');
  assert.equal((await mailsTo(email)).length, 10);
  await send(api, 'somebody.else@example.com');
  const raced = await Promise.all(
    Array.from({ length: 10 }, () => api(steps.send({ email: 'raced.mail@example.com' }))),
  );
  assert.deepEqual(raced.filter(({ code }) => code === 0).length, 2, 'at once, too');
  assert.equal((await mailsTo('raced.mail@example.com')).length, 2);
});

test('sending again repeats code and link until they expire, or makes new ones where the environment says so (FSA-28)', async (t) => {
  const api = await managementApi(t, gatewarden);
  await settings({ type: 'LINK_OTP' });
  const email = 'again@example.com';
  const sent = ok(await api(steps.send({ email, magiclink_auth_uri: APP })));
  const id = String(sent['auth_request_id']);
  const first = await lastMail(email);
  gatewarden.clock.advance({ seconds: 10 });
  const again = ok(await api(steps.resend(id)));
  assert.deepEqual(again, sent, 'the same request, until the same moment');
  const second = await lastMail(email);
  assert.deepEqual([second.code, second.link], [first.code, first.link]);
  ok(await api(steps.verify({ code: second.code ?? '', auth_request_id: id })));

  const before = await send(api, 'before@example.com', { magiclink_auth_uri: APP });
  const { link: kept } = await lastMail('before@example.com');
  await settings({ type: 'LINK_OTP', regeneratePasswordlessCredentialsOnResend: true });
  ok(await api(steps.resend(before)));
  assert.notEqual((await lastMail('before@example.com')).link, kept, 'what was kept before, too');
  gatewarden.clock.advance({ seconds: 61 });
  const other = await send(api, email, { magiclink_auth_uri: APP });
  const older = await lastMail(email);
  const rows = await gatewarden.database.rows<{ secrets_sealed: Uint8Array | null }>(
    sql`select secrets_sealed from passwordless_requests where id = ${other}`,
  );
  assert.equal(rows[0]?.secrets_sealed, null, 'nothing is kept that no mail repeats');
  ok(await api(steps.resend(other)));
  const newer = await lastMail(email);
  assert.notEqual(newer.link, older.link);
  const tokenOf = (link = '') => new URL(link).searchParams.get('link_token') ?? '';
  assert.deepEqual(
    refused(await api(steps.verify({ link_token: tokenOf(older.link), auth_request_id: other }))),
    [3, 'INVALID_ARGUMENT', 'link_token'],
  );
  if (older.code !== newer.code)
    assert.deepEqual(
      refused(await api(steps.verify({ code: older.code ?? '', auth_request_id: other }))),
      WRONG,
    );
  ok(await api(steps.verify({ code: newer.code ?? '', auth_request_id: other })));
});

test('a link carries its token to the application, and counts only with the id of its request unless the environment says otherwise (login CSRF, FSA-29)', async (t) => {
  const api = await managementApi(t, gatewarden);
  await settings({ type: 'LINK' });
  const email = 'link@example.com';
  assert.deepEqual(refused(await api(steps.send({ email }))), [
    3,
    'INVALID_ARGUMENT',
    'magiclink_auth_uri',
  ]);
  const id = await send(api, email, { magiclink_auth_uri: APP, state: 'mine' });
  const mail = await lastMail(email);
  assert.equal(mail.code, undefined);
  assert.doesNotMatch(mail.text, /\b[0-9]{6}\b/);
  const link = new URL(mail.link ?? '');
  assert.equal(`${link.origin}${link.pathname}`, 'https://app.example/callback');
  assert.equal(link.searchParams.get('next'), '/home');
  const token = link.searchParams.get('link_token') ?? '';
  assert.match(mail.text, /link_token=/);
  const verify = (input: JsonObject) => api(steps.verify({ link_token: token, ...input }));
  assert.deepEqual(refused(await verify({})), [3, 'INVALID_ARGUMENT', 'auth_request_id']);
  const stranger = await send(api, 'stranger@example.com', { magiclink_auth_uri: APP });
  assert.deepEqual(refused(await verify({ auth_request_id: stranger })), [
    3,
    'INVALID_ARGUMENT',
    'link_token',
  ]);
  assert.deepEqual(
    refused(await api(steps.verify({ code: '123456', auth_request_id: id }))),
    WRONG,
  );
  const proof = ok(await verify({ auth_request_id: id }));
  assert.deepEqual(proof, { email, state: 'mine', passwordless_type: 'LINK' });
  assert.equal((await verify({ auth_request_id: id })).code, 3, 'once');

  await settings({ type: 'LINK', enforceSameBrowserOrigin: false, validity: 60 });
  const sent = ok(await api(steps.send({ email, magiclink_auth_uri: APP })));
  assert.equal(sent['expires_in'], 60);
  const free = new URL((await lastMail(email)).link ?? '').searchParams.get('link_token') ?? '';
  ok(await api(steps.verify({ link_token: free })));
});

test('codes are as long and of such characters as the environment says; in the database they are only HMAC and ciphertext (AS-147, AS-150)', async (t) => {
  const api = await managementApi(t, gatewarden);
  await settings({ codeChallengeLength: 10, codeChallengeType: 'ALPHANUMERIC' });
  const id = await send(api, 'long@example.com');
  const { code = '' } = await lastMail('long@example.com');
  assert.match(code, /^[2-9A-HJ-NP-Z]{10}$/);
  const rows = await gatewarden.database.rows<{ row: string }>(
    sql`select passwordless_requests::text as row from passwordless_requests where id = ${id}`,
  );
  assert.doesNotMatch(rows[0]?.row ?? code, new RegExp(code));
  ok(await api(steps.verify({ code: code.toLowerCase(), auth_request_id: id })));
});

test('in development a test user has the static code and gets no mail; others never have it (AS-152)', async (t) => {
  await settings({});
  const api = await managementApi(t, gatewarden);
  const email = 'tester+sktest@example.com';
  const id = await send(api, email);
  const rows = await gatewarden.database.rows<{ count: number }>(
    sql`select count(*)::int as count from mails where recipient = ${email} and next_attempt_at is not null`,
  );
  assert.equal(rows[0]?.count, 0);
  ok(await api(steps.verify({ code: '424242', auth_request_id: id })));
  const other = await send(api, 'ordinary@example.com');
  const { code } = await lastMail('ordinary@example.com');
  if (code !== '424242')
    assert.deepEqual(
      refused(await api(steps.verify({ code: '424242', auth_request_id: other }))),
      WRONG,
    );
});
