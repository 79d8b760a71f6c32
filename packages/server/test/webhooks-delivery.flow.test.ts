import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createSafeFetch } from '../src/runtime/safe-fetch.ts';
import { sql, startTestGatewarden } from '../src/testing.ts';
import { attemptDelivery } from '../src/webhooks/attempt.ts';
import { claimDeliveries, type DueDelivery } from '../src/webhooks/due-deliveries.store.ts';
import { type Receiver, restApi, until, webhookReceiver } from './webhook-receiver.ts';

const gatewarden = await startTestGatewarden({ after }, { engine: 'postgres' });
const rest = await restApi(gatewarden);
const { database, clock, app } = gatewarden;

const ENDPOINTS = '/webhooks/endpoints';

async function endpoint(url: string, types: readonly string[] = ['role.created']): Promise<string> {
  const { status, body } = await rest('POST', ENDPOINTS, { url, event_types: types });
  assert.equal(status, 201, JSON.stringify(body));
  return body.endpoint.id;
}

let roles = 0;
async function role(): Promise<void> {
  roles += 1;
  const made = await rest('POST', '/roles', { name: `role_${roles}`, display_name: 'R' });
  assert.equal(made.status, 201, JSON.stringify(made.body));
}

async function onlyDelivery(id: string, state: string): Promise<Record<string, string | number>> {
  const list = async () =>
    (await rest('GET', `${ENDPOINTS}/${id}/deliveries?states=${state}`)).body.deliveries ?? [];
  await until(async () => (await list()).length === 1, `a delivery that is ${state}`);
  return (await list())[0];
}

const idsOf = ({ received }: Receiver) => received.map(({ headers }) => headers['webhook-id']);

test('two processes on one database make each delivery once, however many there are (FSA-84)', async (t) => {
  const { openDatabase, url, secretKeys } = gatewarden;
  assert.ok(openDatabase);
  const second = await startTestGatewarden(t, {
    with: { url, database: await openDatabase(), secretKeys, clock },
  });
  const receivers = await Promise.all([webhookReceiver(t), webhookReceiver(t)]);
  const ids = await Promise.all(receivers.map(({ url }) => endpoint(url)));
  const others = await restApi(second);
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      (index % 2 === 0 ? rest : others)('POST', '/roles', {
        name: `twice_${index}`,
        display_name: 'T',
      }),
    ),
  );
  await Promise.all(receivers.map((receiver) => receiver.waitFor(60)));
  await until(async () => {
    const rows = await database.rows<{ count: bigint }>(
      sql`select count(*) from webhook_deliveries where next_attempt_at is not null`,
    );
    return rows[0]?.count === 0n;
  });
  for (const receiver of receivers) {
    assert.equal(receiver.received.length, 60);
    assert.equal(new Set(idsOf(receiver)).size, 60, 'each event once');
  }
  for (const id of ids) {
    const { body } = await rest('GET', `${ENDPOINTS}/${id}`);
    assert.equal(body.endpoint.succeeded, '60');
    await rest('DELETE', `${ENDPOINTS}/${id}`);
  }
});

test('an endpoint that does not answer holds up no other, and gets no more than five requests at a time (slow receiver)', async (t) => {
  const slow = await webhookReceiver(t, () => undefined);
  const quick = await webhookReceiver(t);
  const ids = [await endpoint(slow.url), await endpoint(quick.url)];
  for (let index = 0; index < 12; index += 1) await role();
  await quick.waitFor(12);
  assert.equal(slow.received.length, 5);
  for (const id of ids) await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test('a redirect is not followed and counts as a failure; an endless answer is cut (redirect to an internal address)', async (t) => {
  const inner = await webhookReceiver(t);
  const outer = await webhookReceiver(t, (response) => {
    response.writeHead(307, { location: inner.url });
    response.end();
  });
  const endless = await webhookReceiver(t, (response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    const more = () => {
      if (!response.destroyed) response.write('x'.repeat(65_536), () => setImmediate(more));
    };
    more();
  });
  const ids = [await endpoint(outer.url), await endpoint(endless.url)];
  await role();
  const redirected = await onlyDelivery(ids[0] ?? '', 'retrying');
  assert.equal(redirected['last_status'], 307);
  assert.match(String(redirected['last_error']), /redirect/);
  const cut = await onlyDelivery(ids[1] ?? '', 'succeeded');
  const { body } = await rest('GET', `${ENDPOINTS}/${ids[1]}/deliveries/${cut['id']}`);
  assert.equal(body.last_answer.length, 4096);
  assert.equal(inner.received.length, 0);
  for (const id of ids) await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test('a name is checked again with each connection: one that turns to an internal address is not connected to (DNS rebinding, FSA-84)', async (t) => {
  const inner = await webhookReceiver(t);
  const id = await endpoint('https://hooks.example.com/x', ['permission.created']);
  for (const address of ['127.0.0.1', '10.1.2.3', '169.254.169.254', '::1', 'fd00::1']) {
    // Due in the future: the server's own job leaves it alone, and this test plays the job.
    await database.rows(sql`delete from webhook_deliveries`);
    await database.rows(sql`
      insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, payload, next_attempt_at, created_at)
      values (${gatewarden.environment.id}, ${id}, 1, 'permission.created', '{}', now(), now())`);
    await database.rows(
      sql`update webhook_deliveries set next_attempt_at = now() + interval '1 day'`,
    );
    const { url, secret } = await ofEndpoint(id);
    const resolved: string[] = [];
    const fetch = createSafeFetch({
      allowLoopback: false,
      ownHosts: () => [],
      resolve: async (name) => {
        resolved.push(name);
        return [address];
      },
    });
    const [row] = await database.rows<{ id: string; environment_id: string }>(
      sql`select id, environment_id from webhook_deliveries`,
    );
    await attemptDelivery(
      { ...app, fetch },
      {
        environmentId: row?.environment_id ?? '',
        id: row?.id ?? '',
        endpointId: id,
        attempts: 0,
        url,
        secret,
        previousSecret: undefined,
        payload: {},
        event: undefined,
        eventId: 1n,
      },
    );
    assert.deepEqual(resolved, ['hooks.example.com']);
    const failed = await onlyDelivery(id, 'failed');
    assert.match(String(failed['last_error']), /not a public address/);
  }
  assert.equal(inner.received.length, 0);
  await rest('DELETE', `${ENDPOINTS}/${id}`);
});

async function ofEndpoint(id: string): Promise<{ url: string; secret: Uint8Array }> {
  const rows = await database.rows<{ url: string; secret: Uint8Array }>(
    sql`select url, secret from webhook_endpoints where id = ${id}`,
  );
  assert.ok(rows[0]);
  return rows[0];
}

test('a process that dies in the middle of an attempt leaves the delivery to the others, and a late result changes nothing (crash)', async (t) => {
  const receiver = await webhookReceiver(t);
  const id = await endpoint(receiver.url);
  // Paused, so that the server's own job does not take it: the claim below is that of the process that dies.
  await database.rows(
    sql`update webhook_endpoints set enabled = false, disabled_because = 'request' where id = ${id}`,
  );
  await database.rows(sql`
    insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, payload, next_attempt_at, created_at)
    values (${gatewarden.environment.id}, ${id}, 2, 'role.created', '{"late":true}', now(), now())`);
  const dead = await database.transaction(async (tx) => {
    await tx.rows(
      sql`update webhook_endpoints set enabled = true, disabled_because = null where id = ${id}`,
    );
    const now = clock.now();
    const due = await claimDeliveries(tx, {
      now,
      leaseUntil: new Date(now.getTime() + 30_000),
      busy: {},
    });
    assert.equal(due.length, 1);
    return due[0] as DueDelivery; // counted above
  });
  clock.advance({ seconds: 31 });
  await receiver.waitFor(1);
  const done = await onlyDelivery(id, 'succeeded');
  assert.equal(done['attempts'], 2);
  await attemptDelivery(
    { ...app, fetch: async () => ({ kind: 'failed', reason: 'timeout', detail: 'too late' }) },
    dead,
  );
  assert.deepEqual(await onlyDelivery(id, 'succeeded'), done);
  await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test('an endpoint that does nothing but fail for five days is disabled, once, with an event and a mail to those who run the environment (FSA-84)', async (t) => {
  await database.rows(sql`
    insert into operators (environment_id, id, email, email_key, role, created_at, updated_at) values
      (${gatewarden.environment.id}, 'mem_100000000000001', 'Olga@example.com', 'olga@example.com', 'owner', now(), now()),
      (${gatewarden.environment.id}, 'mem_100000000000002', 'viewer@example.com', 'viewer@example.com', 'viewer', now(), now())`);
  let working = true;
  const receiver = await webhookReceiver(t, (response) => {
    response.statusCode = working ? 200 : 500;
    response.end();
  });
  const id = await endpoint(receiver.url);
  const current = async () => (await rest('GET', `${ENDPOINTS}/${id}`)).body.endpoint;
  working = false;
  await role();
  await until(async () => (await current()).failing_since !== undefined);
  clock.advance({ days: 4 });
  await until(async () => (await current()).failed === '2');
  assert.equal((await current()).enabled, true, 'four days are not enough');
  working = true;
  await role();
  await until(async () => (await current()).failing_since === undefined);
  working = false;
  clock.advance({ days: 2 });
  await role();
  await until(async () => (await current()).failing_since !== undefined);
  assert.equal((await current()).enabled, true, 'it worked in between');
  clock.advance({ days: 5, minutes: 1 });
  await role();
  await until(async () => (await current()).enabled !== true, 'the end of the endpoint');
  assert.equal((await current()).disabled_because, 'failing');
  const sent = receiver.received.length;
  await role();
  const pending = await database.rows(
    sql`select 1 from webhook_deliveries where endpoint_id = ${id} and next_attempt_at is not null`,
  );
  assert.equal(pending.length, 0);
  assert.equal(receiver.received.length, sent);
  const events = await database.rows<{ reason: string }>(
    sql`select reason from events where type = 'webhook_endpoint.disabled' and data ->> 'id' = ${id}`,
  );
  assert.deepEqual(events, [{ reason: 'failing' }]);
  const mails = await database.rows<{ recipient: string }>(sql`select recipient from mails`);
  assert.deepEqual(mails, [{ recipient: 'Olga@example.com' }]);
});

test('an event and its deliveries are one: a change that is undone leaves neither, and an endpoint that goes meanwhile undoes no change', async (t) => {
  const receiver = await webhookReceiver(t);
  const id = await endpoint(receiver.url, ['permission.created', 'permission.deleted']);
  const count = async () =>
    (
      await database.rows<{ count: bigint }>(
        sql`select count(*) from webhook_deliveries where endpoint_id = ${id}`,
      )
    )[0]?.count;
  const permission = { name: 'doc:read', description: '' };
  assert.equal((await rest('POST', '/permissions', permission)).status, 201);
  await receiver.waitFor(1);
  assert.equal((await rest('POST', '/permissions', permission)).status, 400);
  assert.equal(await count(), 1n);
  const names = Array.from({ length: 20 }, (_, index) => `raced:${index}`);
  const [answers] = await Promise.all([
    Promise.all(names.map((name) => rest('POST', '/permissions', { name, description: '' }))),
    rest('DELETE', `${ENDPOINTS}/${id}`),
  ]);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
});

test('a host in the own network gets webhooks when the operator vouches for it, with its port, and no other does (FSA-84, server-side request forgery)', async (t) => {
  const [trusted, other] = await Promise.all([webhookReceiver(t), webhookReceiver(t)]);
  const strict = await startTestGatewarden(t, {
    config: { allowLoopbackClients: false, webhookHosts: [new URL(trusted.url).host] },
  });
  const api = await restApi(strict);
  const refusal = await api('POST', ENDPOINTS, { url: other.url });
  assert.equal(refusal.status, 400);
  assert.match(refusal.body.message, /endpoint.url/);
  const made = await api('POST', ENDPOINTS, { url: trusted.url });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  await api('POST', '/roles', { name: 'vouched', display_name: 'V' });
  await trusted.waitFor(1);
  // An address that was accepted under another configuration is not sent to under this one.
  await strict.database.rows(sql`update webhook_endpoints set url = ${other.url}`);
  await api('POST', '/roles', { name: 'unvouched', display_name: 'U' });
  const list = `${ENDPOINTS}/${made.body.endpoint.id}/deliveries?states=retrying`;
  await until(async () => (await api('GET', list)).body.deliveries?.length === 1);
  assert.match((await api('GET', list)).body.deliveries[0].last_error, /not https/);
  assert.equal(other.received.length, 0);
});

test('nothing is sent unsigned or signed with another secret: one that cannot be read is a failure that is tried again (AS-150)', async (t) => {
  const receiver = await webhookReceiver(t);
  const [first, second] = [await endpoint(receiver.url), await endpoint(receiver.url, [])];
  await database.rows(sql`
    update webhook_endpoints set secret = (select secret from webhook_endpoints where id = ${second}) where id = ${first}`);
  await rest('PATCH', `${ENDPOINTS}/${second}:disable`);
  await role();
  const delivery = await onlyDelivery(first, 'retrying');
  assert.match(String(delivery['last_error']), /secret of the endpoint cannot be read/);
  assert.equal(receiver.received.length, 0);
  for (const id of [first, second]) await rest('DELETE', `${ENDPOINTS}/${id}`);
});
