import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SMTPServer } from 'smtp-server';
import { ensureFirstEnvironment } from '../environments/environments.ts';
import type { Config } from '../runtime/config.ts';
import { type App, type Ctx, withDb } from '../runtime/context.ts';
import { silentLog } from '../runtime/log.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { createSecrets } from '../runtime/secrets.ts';
import { type Database, sql } from '../storage/db.ts';
import { engines, openTestDatabase, testPostgres } from '../testing/databases.ts';
import { queueMail } from './mails.ts';
import { sendMails, sweepMails } from './send-mails.job.ts';

type Received = { from: string; to: string[]; data: string };
type Sink = { url: string; received: Received[]; refuseWith(code: number | undefined): void };

/** An SMTP server that keeps what it gets. */
async function startSink(t: TestContext): Promise<Sink> {
  const received: Received[] = [];
  let refusal: number | undefined;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onRcptTo(_address, _session, done) {
      if (refusal === undefined) return done();
      done(Object.assign(new Error('refused for the test'), { responseCode: refusal }));
    },
    onData(stream, session, done) {
      let data = '';
      stream.on('data', (chunk) => {
        data += chunk;
      });
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        received.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          data,
        });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo; // it listens on TCP
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    refuseWith: (code) => {
      refusal = code;
    },
  };
}

type Post = { app: App; ctx: Ctx; advance(seconds: number): void };

async function post(db: Database, smtpUrl: string, mode: Config['mode'] = 'serve'): Promise<Post> {
  let offset = 0;
  const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
  const config = {
    mode,
    url: 'https://auth.example.com',
    mail: { smtpUrl, from: 'Acme <login@acme.example>' },
  } as Config; // all that sending looks at
  const app: App = {
    config,
    db,
    now: () => new Date(Date.now() + offset),
    random,
    fetch: () => Promise.reject(new Error('mail fetches nothing')),
    log: silentLog,
    secrets: createSecrets([new Uint8Array(32).fill(3)], random),
    metrics: createMetrics(),
  };
  const { id, url } = await ensureFirstEnvironment(app);
  const network = { address: '127.0.0.1', userAgent: '' };
  return {
    app,
    ctx: { ...app, environmentId: id, issuer: url, requestId: 'req_test', network },
    advance: (seconds) => {
      offset += seconds * 1000;
    },
  };
}

function outgoing(ctx: Ctx, to: string) {
  return {
    to,
    mail: { subject: '123456 is your code', text: 'Type 123456', html: '<p>123456</p>' },
    code: '123456',
    expiresAt: new Date(ctx.now().getTime() + 600_000),
    send: true,
  };
}

for (const engine of engines) {
  test(`a queued mail is sent once, from the configured sender, with both parts (${engine})`, async (t) => {
    const sink = await startSink(t);
    const { app, ctx } = await post(await openTestDatabase(t, engine), sink.url);
    await queueMail(ctx, outgoing(ctx, 'ana@example.com'));
    await sendMails(app);
    await sendMails(app);
    assert.equal(sink.received.length, 1);
    const [mail] = sink.received;
    assert.deepEqual([mail?.from, mail?.to], ['login@acme.example', ['ana@example.com']]);
    assert.match(mail?.data ?? '', /^Subject: 123456 is your code\r$/m);
    assert.match(mail?.data ?? '', /Content-Type: text\/plain/);
    assert.match(mail?.data ?? '', /Content-Type: text\/html/);
    assert.match(mail?.data ?? '', /^Auto-Submitted: auto-generated\r$/m);
  });

  test(`a mail that is rolled back with its transaction is never sent (${engine})`, async (t) => {
    const sink = await startSink(t);
    const { app, ctx } = await post(await openTestDatabase(t, engine), sink.url);
    await assert.rejects(
      ctx.db.transaction(async (tx) => {
        await queueMail(withDb(ctx, tx), outgoing(ctx, 'ana@example.com'));
        throw new Error('something else failed');
      }),
    );
    await sendMails(app);
    assert.equal(sink.received.length, 0);
  });
}

test('the sender has the name that the environment gives it; an own server that must not be dialled keeps its mails waiting (FSA-96)', async (t) => {
  const sink = await startSink(t);
  const { app, ctx, advance } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  const { environmentId } = ctx;
  await app.db.rows(
    sql`insert into email_settings values (${environmentId}, 'Ana''s Team', now())`,
  );
  await queueMail(ctx, outgoing(ctx, 'one@example.com'));
  await sendMails(app);
  assert.match(sink.received[0]?.data ?? '', /^From: "?Ana's Team"? <login@acme\.example>\r$/m);

  const password = app.secrets.seal(
    'secrets-at-rest',
    { table: 'email_servers', environmentId, id: 'esr_100000000000000' },
    Buffer.from('canary'),
  );
  await app.db.rows(sql`
    insert into email_servers (environment_id, id, provider, enabled, host, port, username, password, from_email, from_name, created_at, updated_at)
    values (${environmentId}, 'esr_100000000000000', 'OTHER', true, '10.0.0.1', 25, 'u', ${password}, 'a@b.example', 'A', now(), now())`);
  await queueMail(ctx, outgoing(ctx, 'two@example.com'));
  await sendMails(app);
  const rows = await app.db.rows<{ last_error: string; waits: boolean }>(
    sql`select last_error, next_attempt_at is not null as waits from mails where recipient = 'two@example.com'`,
  );
  assert.deepEqual(rows, [{ last_error: 'host: blocked-address', waits: true }]);
  assert.equal(sink.received.length, 1, 'and nobody else delivers them');
  await app.db.rows(sql`update email_servers set enabled = false`);
  advance(10);
  await sendMails(app);
  assert.equal(sink.received.length, 2);
});

test('while the server is away a mail waits and is tried again later; after it has expired it is not (AS-147)', async (t) => {
  const sink = await startSink(t);
  const { app, ctx, advance } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  sink.refuseWith(451);
  await queueMail(ctx, outgoing(ctx, 'later@example.com'));
  await queueMail(ctx, {
    ...outgoing(ctx, 'never@example.com'),
    expiresAt: new Date(ctx.now().getTime() + 4000),
  });
  await sendMails(app);
  const rows = await ctx.db.rows<{ last_error: string }>(sql`select last_error from mails`);
  assert.deepEqual(rows, [{ last_error: 'EENVELOPE 451' }, { last_error: 'EENVELOPE 451' }]);
  sink.refuseWith(undefined);
  await sendMails(app);
  assert.equal(sink.received.length, 0, 'not before its time');
  advance(6);
  await sendMails(app);
  assert.deepEqual(
    sink.received.map((mail) => mail.to),
    [['later@example.com']],
  );
});

test('a mailbox that does not exist is not tried again', async (t) => {
  const sink = await startSink(t);
  const { app, ctx, advance } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  sink.refuseWith(550);
  await queueMail(ctx, outgoing(ctx, 'nobody@example.com'));
  await sendMails(app);
  sink.refuseWith(undefined);
  advance(400);
  await sendMails(app);
  assert.equal(sink.received.length, 0);
});

test('two processes send twenty mails once each (AS-142)', async (t) => {
  const sink = await startSink(t);
  const { database, open } = await testPostgres(t);
  const { app, ctx } = await post(database, sink.url);
  for (let index = 0; index < 20; index += 1) {
    await queueMail(ctx, outgoing(ctx, `p${index}@example.com`));
  }
  const other = { ...app, db: await open() };
  await Promise.all([sendMails(app), sendMails(other), sendMails(app), sendMails(other)]);
  const recipients = sink.received.map((mail) => mail.to.join()).sort();
  assert.equal(recipients.length, 20);
  assert.equal(new Set(recipients).size, 20);
});

test('a process that dies after taking a mail loses nothing: it is sent when the claim is over', async (t) => {
  const sink = await startSink(t);
  const { app, ctx, advance } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  await queueMail(ctx, outgoing(ctx, 'claimed@example.com'));
  await ctx.db.rows(
    sql`update mails set attempts = 1, next_attempt_at = ${new Date(ctx.now().getTime() + 120_000)}`,
  );
  await sendMails(app);
  assert.equal(sink.received.length, 0);
  advance(121);
  await sendMails(app);
  assert.equal(sink.received.length, 1);
});

test('neither subject nor body nor code of a mail can be read in the database, and after sending they are gone (AS-121)', async (t) => {
  const sink = await startSink(t);
  const { app, ctx } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  await queueMail(ctx, outgoing(ctx, 'sealed@example.com'));
  const dump = async () => {
    const rows = await ctx.db.rows<{ all: string }>(
      sql`select concat_ws(' ', encode(subject, 'escape'), encode(text_body, 'escape'), encode(html_body, 'escape'), encode(code, 'escape')) as all from mails`,
    );
    return rows[0]?.all ?? '';
  };
  assert.doesNotMatch(await dump(), /123456/);
  await sendMails(app);
  assert.equal((await dump()).trim(), '');
});

test('a recipient cannot smuggle in a second one or a header (SMTP injection)', async (t) => {
  const sink = await startSink(t);
  const { app, ctx } = await post(await openTestDatabase(t, 'pglite'), sink.url);
  for (const to of [
    'a@example.com, b@evil.example',
    'a@example.com\r\nBcc: b@evil.example',
    'a@example.com>\r\nRCPT TO:<b@evil.example',
  ]) {
    await queueMail(ctx, {
      ...outgoing(ctx, to),
      mail: { subject: 'x\r\nBcc: c@evil.example', text: 't', html: 'h' },
    });
  }
  await sendMails(app);
  for (const mail of sink.received) {
    assert.equal(
      mail.to.some((address) => address.includes('evil.example') && !address.includes('a@')),
      false,
    );
    assert.doesNotMatch(mail.data, /^Bcc:/im);
  }
});

test('old mails are forgotten, and the metric says how many wait', async (t) => {
  const { app, ctx, advance } = await post(
    await openTestDatabase(t, 'pglite'),
    'smtp://127.0.0.1:1',
  );
  await queueMail(ctx, outgoing(ctx, 'old@example.com'));
  await sweepMails(app);
  assert.match(await app.metrics.registry.metrics(), /gatewarden_outbox_pending 1/);
  advance(8 * 86_400);
  await sweepMails(app);
  assert.deepEqual(await ctx.db.rows(sql`select id from mails`), []);
});
