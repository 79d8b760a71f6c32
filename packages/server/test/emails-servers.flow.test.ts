import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { SMTPServer } from 'smtp-server';
import { sendMails } from '../src/email/send-mails.job.ts';
import { openOwnServer } from '../src/email/smtp.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { serverSteps as steps } from './email-steps.ts';
import { operator } from './every-caller.ts';
import {
  type Api,
  managementApi,
  member,
  members,
  ok,
  protocols,
  type Step,
} from './management-api.ts';
import { passwordlessSteps } from './passwordless-steps.ts';

const NOBODY = 'esr_123456789012345678';
const PASSWORD = 'canary-of-the-mail-server';

let gatewarden: TestGatewarden;
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

type Sink = {
  readonly port: number;
  readonly received: { readonly from: string; readonly to: string; readonly data: string }[];
  readonly logins: string[];
};

/** A mail server on loopback that wants a password, and keeps what it gets. */
async function startSink(t: { after(work: () => Promise<void>): void }): Promise<Sink> {
  const received: Sink['received'] = [];
  const logins: string[] = [];
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth({ username, password }, _session, done) {
      logins.push(`${username}:${password}`);
      done(password === PASSWORD ? null : new Error('wrong'), { user: username });
    },
    onData(stream, { envelope }, done) {
      let data = '';
      stream.on('data', (chunk) => {
        data += chunk;
      });
      stream.on('end', () => {
        const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
        received.push({ from, to: envelope.rcptTo[0]?.address ?? '', data });
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as AddressInfo; // it listens on TCP
  return { port, received, logins };
}

const settings = {
  host: '127.0.0.1',
  port: '2525',
  username: 'mailer',
  from_email: 'hello@acme.example',
  from_name: 'Acme',
};

async function created(api: Api, more: JsonObject = {}): Promise<JsonObject> {
  const input = { provider: 'OTHER', settings: { ...settings, password: PASSWORD, ...more } };
  return member(ok(await api(steps.create(input))), 'server');
}

async function eventTypes(): Promise<string[]> {
  const rows = await gatewarden.database.rows<{ type: string }>(
    sql`select type from events where type ~ '^email_(server|settings)[.]' order by id`,
  );
  return rows.map(({ type }) => type);
}

for (const protocol of protocols)
  test(`mail servers are made, changed, switched and deleted over ${protocol}, and never show a password (FSA-96)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const seen = (await eventTypes()).length;
    const server = await created(api);
    const id = String(server['id']);
    const { updated_at, ...facts } = server;
    assert.ok(updated_at);
    assert.deepEqual(facts, { id, provider: 'OTHER', smtp_settings: settings });
    assert.match(id, /^esr_[0-9]{15,19}$/);
    assert.deepEqual(member(ok(await api(steps.get(id))), 'server'), server);
    const renamed = { ...settings, port: '587', from_name: 'Acme Mail' };
    const changed = member(ok(await api(steps.update(id, renamed))), 'server');
    assert.deepEqual(changed['smtp_settings'], renamed, 'without a password the old one stays');
    assert.deepEqual(ok(await api(steps.enable(id))), { active_server_id: id });
    const second = String((await created(api))['id']);
    assert.deepEqual(ok(await api(steps.enable(second))), {
      active_server_id: second,
      last_active_server_id: id,
    });
    const listed = members(ok(await api(steps.list())), 'servers');
    assert.deepEqual(
      listed.map((entry) => [entry['id'], entry['enabled'] ?? false]),
      [
        [second, true],
        [id, false],
      ],
    );
    for (let twice = 0; twice < 2; twice += 1)
      assert.deepEqual(ok(await api(steps.disable(second))), {});
    ok(await api(steps.delete(second)));
    ok(await api(steps.delete(id)));
    assert.deepEqual(
      (await eventTypes()).slice(seen).map((type) => type.replace('email_server.', '')),
      ['created', 'updated', 'enabled', 'created', 'enabled', 'disabled', 'deleted', 'deleted'],
    );
    for (const gone of [id, NOBODY])
      for (const step of everyCall(gone)) {
        const answer = await api(step);
        assert.deepEqual([answer.code, answer.errorCode], [5, 'EMAIL_SERVER_NOT_FOUND']);
      }
    for (const step of everyCall('esr_1')) assert.equal((await api(step)).code, 3);
  });

function everyCall(id: string): Step[] {
  return [
    steps.get(id),
    steps.update(id, settings),
    steps.enable(id),
    steps.disable(id),
    steps.delete(id),
  ];
}

test('a mail server of the own network, a line break in a header, or another place for a kept password is refused (FSA-96)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const id = String((await created(api))['id']);
  const seen = await eventTypes();
  const own = { ...settings, password: PASSWORD };
  const create = (more: JsonObject) =>
    steps.create({ provider: 'OTHER', settings: { ...own, ...more } });
  const refusals: readonly (readonly [Step, string])[] = [
    [create({ host: '10.1.2.3' }), 'settings.host'],
    [create({ host: '169.254.169.254' }), 'settings.host'],
    [create({ host: '::ffff:192.168.1.1' }), 'settings.host'],
    [create({ host: 'fd00::1' }), 'settings.host'],
    [create({ host: '0.0.0.0' }), 'settings.host'],
    [create({ host: 'a b' }), 'settings.host'],
    [create({ host: 'smtp://a.example' }), 'settings.host'],
    [create({ port: '0' }), 'settings.port'],
    [create({ port: '65536' }), 'settings.port'],
    [create({ username: 'a\r\nRSET' }), 'settings.username'],
    [create({ password: '' }), 'settings.password'],
    [create({ from_email: 'nobody' }), 'settings.from_email'],
    [create({ from_email: 'a@b.example, c@d.example' }), 'settings.from_email'],
    [create({ from_name: 'A\r\nBcc: x@y.example' }), 'settings.from_name'],
    [steps.create({ provider: 99, settings: own }), 'provider'],
    [steps.create({ provider: 'OTHER' }), 'settings'],
    [steps.update(id, { ...settings, host: 'localhost' }), 'settings.password'],
    [steps.update(id, { ...settings, username: 'other' }), 'settings.password'],
    [steps.update(id, { ...own, host: '192.168.0.1' }), 'settings.host'],
  ];
  for (const [step, field] of refusals) {
    const answer = await api(step);
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(step.input));
  }
  assert.deepEqual(await eventTypes(), seen);
  ok(await api(steps.delete(id)));
});

test('the enabled server delivers mails with its own sender; its password is sealed at rest and in no event (FSA-96)', async (t) => {
  const sink = await startSink(t);
  const api = await managementApi(t, gatewarden);
  const server = await created(api, { port: String(sink.port) });
  ok(await api(steps.enable(String(server['id']))));
  ok(await api(passwordlessSteps.send({ email: 'reader@example.com' })));
  const deadline = performance.now() + 15_000;
  while (sink.received.length === 0 && performance.now() < deadline) {
    await sendMails(gatewarden.app);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const [mail] = sink.received;
  assert.deepEqual(
    [mail?.from, mail?.to, sink.logins[0]],
    ['hello@acme.example', 'reader@example.com', `mailer:${PASSWORD}`],
  );
  assert.match(mail?.data ?? '', /^From: Acme <hello@acme\.example>$/m);
  const rows = await gatewarden.database.rows<{ text: string }>(sql`
    select (select string_agg(s::text || encode(s.password, 'escape'), '') from email_servers s) || (select string_agg(e.data::text, '') from events e) as text`);
  assert.equal(rows[0]?.text.includes(PASSWORD), false);
  ok(await api(steps.delete(String(server['id']))));
});

test('a server that does not offer STARTTLS gets neither password nor mail (FSA-96)', async (t) => {
  const sink = await startSink(t);
  const own = {
    host: 'mail.acme.example',
    port: sink.port,
    username: 'mailer',
    password: PASSWORD,
    fromEmail: 'hello@acme.example',
    fromName: 'Acme',
  };
  const smtp = openOwnServer(own, { address: '127.0.0.1', plain: false });
  t.after(() => smtp.close());
  const mail = { to: 'reader@example.com', subject: 's', text: 't', html: 'h' };
  await assert.rejects(smtp.send(mail));
  assert.deepEqual([sink.logins, sink.received], [[], []]);
});

test('operators read and write the configuration of mails in one; clients of the environment may not', async (t) => {
  const api = await managementApi(t, gatewarden);
  assert.equal((await api(steps.configuration())).code, 7);
  const { headers } = await operator(gatewarden, 'owner');
  const call = async (verb: 'GET' | 'POST', body?: JsonObject) => {
    const answer = await fetch(`${gatewarden.origin}/api/v1/emails/configuration`, {
      method: verb,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as JsonObject };
  };
  const none = await call('GET');
  assert.equal(none.status, 200, JSON.stringify(none.body));
  assert.equal(none.body['default_from_address'], 'no-reply@localhost');
  assert.equal(none.body['server'], undefined);
  const server = { provider: 'SENDGRID', enabled: true, settings };
  const refused = await call('POST', { default_from_name: 'Team', server });
  assert.equal(refused.status, 400, 'a new server without a password');
  assert.equal((await call('GET')).body['default_from_name'] ?? '', '');
  const written = await call('POST', {
    default_from_name: 'Team',
    server: { ...server, settings: { ...settings, password: PASSWORD } },
  });
  assert.equal(written.status, 200, JSON.stringify(written.body));
  assert.equal(JSON.stringify(written.body).includes(PASSWORD), false);
  assert.deepEqual(
    [written.body['default_from_name'], written.body['email_server_selected']],
    ['Team', 'CUSTOMER'],
  );
  const shown = member(written.body, 'server');
  assert.deepEqual([shown['enabled'], shown['smtp_settings']], [true, settings]);
  const off = await call('POST', {
    default_from_name: 'Team',
    server: { ...server, id: shown['id'] ?? '', enabled: false },
  });
  assert.equal(off.body['server'], undefined);
  assert.equal(members(ok(await api(steps.list())), 'servers')[0]?.['id'], shown['id']);
  const unknown = { default_from_name: 'Team', server: { ...server, id: NOBODY } };
  assert.equal((await call('POST', unknown)).status, 404);
});
