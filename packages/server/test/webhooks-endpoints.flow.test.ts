import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { signatureHeader } from '../src/events/signature.ts';
import { sql, startTestGatewarden } from '../src/testing.ts';
import { cleanUpEvents } from '../src/webhooks/clean-up.job.ts';
import { endpointMembers } from '../src/webhooks/endpoint-input.ts';
import { type RestAnswer, restApi, until, webhookReceiver } from './webhook-receiver.ts';

const gatewarden = await startTestGatewarden({ after });
const rest = await restApi(gatewarden);

const ENDPOINTS = '/webhooks/endpoints';
const NOBODY = 'whe_100000000000000';
const HTTPS = 'https://hooks.example.com/x?key=k5Q2tW8z';

function refused({ status, body }: RestAnswer, expected: number, field = ''): void {
  const info = body.details?.[0];
  assert.equal(status, expected, JSON.stringify(body));
  assert.ok(info.error_code, 'an error says which it is');
  if (field !== '')
    assert.equal(
      info.validation_error_info?.field_violations[0].field,
      field,
      JSON.stringify(body),
    );
}

async function made(url = HTTPS, types: readonly string[] = []): Promise<string> {
  const { status, body } = await rest('POST', ENDPOINTS, { url, event_types: types });
  assert.equal(status, 201, JSON.stringify(body));
  return body.endpoint.id;
}

async function eventsOf(type: string): Promise<Record<string, unknown>[]> {
  const rows = await gatewarden.database.rows<{ data: Record<string, unknown> }>(
    sql`select data from events where type = ${type} order by id`,
  );
  return rows.map(({ data }) => data);
}

test('an endpoint is made, read, listed, changed, switched and deleted; each change leaves its event, none of them the secret', async () => {
  const { body } = await rest('POST', ENDPOINTS, {
    url: HTTPS,
    description: 'Billing',
    event_types: ['user.created', 'user.created', '*'],
  });
  assert.match(body.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  const { id } = body.endpoint;
  assert.match(id, /^whe_[0-9]{15,19}$/);
  assert.deepEqual(body.endpoint.event_types, ['*', 'user.created']);
  assert.equal(body.endpoint.enabled, true);
  const one = `${ENDPOINTS}/${id}`;
  assert.equal((await rest('GET', one)).body.endpoint.description, 'Billing');
  assert.equal((await rest('GET', ENDPOINTS)).body.endpoints[0].id, id);
  const changed = await rest('PATCH', one, { description: '' });
  assert.deepEqual(
    [changed.body.endpoint.description ?? '', changed.body.endpoint.url],
    ['', HTTPS],
  );
  const types = await rest('PATCH', one, { event_types: ['role.created'] });
  assert.deepEqual(types.body.endpoint.event_types, ['role.created']);
  refused(
    await rest('PATCH', one, { event_types: ['role.created', 'role.vanished'] }),
    400,
    'event_types[1]',
  );
  const off = await rest('PATCH', `${one}:disable`);
  assert.equal(off.body.endpoint.disabled_because, 'request');
  assert.equal((await rest('PATCH', `${one}:disable`)).body.endpoint.enabled ?? false, false);
  assert.equal((await rest('PATCH', `${one}:enable`)).body.endpoint.enabled, true);
  assert.equal((await rest('DELETE', one)).status, 200);
  refused(await rest('DELETE', one), 404);
  const kinds = ['created', 'updated', 'disabled', 'enabled', 'deleted'];
  const counts = await Promise.all(
    kinds.map(async (kind) => (await eventsOf(`webhook_endpoint.${kind}`)).length),
  );
  assert.deepEqual(counts, [1, 2, 1, 1, 1]);
  const all = await gatewarden.database.rows(sql`select * from events`);
  const text = JSON.stringify(all, (_key, value) => (typeof value === 'bigint' ? '' : value));
  assert.equal(text.includes('whsec_'), false);
  assert.equal(text.includes('k5Q2tW8z'), false, 'what lets senders in is in no event');
});

test('addresses that are not sent to are refused: http, ports, user info, this machine by other names, this server (FSA-84, server-side request forgery)', async () => {
  const hosts = [
    'http://hooks.example.com/',
    'https://hooks.example.com:8443/',
    'https://user:secret@hooks.example.com/',
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://127.1/',
    'https://[::ffff:127.0.0.1]/',
    'https://0x7f.1/',
    'https://internal/',
    'https://service.localhost/',
    'https://hooks.example.com/#fragment',
    'https://hooks.example.com/a/../b',
    'ftp://hooks.example.com/',
    'javascript:alert(1)',
    `${gatewarden.url}/x`,
    'not a url',
    '',
  ];
  for (const url of hosts) refused(await rest('POST', ENDPOINTS, { url }), 400, 'endpoint.url');
  refused(await rest('POST', ENDPOINTS, { url: `https://x.example/${'a'.repeat(3000)}` }), 400);
  refused(await rest('POST', ENDPOINTS, { url: HTTPS, description: 'x'.repeat(501) }), 400);
  refused(
    await rest('POST', ENDPOINTS, { url: HTTPS, description: 'a\0b' }),
    400,
    'endpoint.description',
  );
  refused(
    await rest('POST', ENDPOINTS, { url: HTTPS, event_types: ['nothing'] }),
    400,
    'event_types[0]',
  );
  assert.equal((await rest('GET', ENDPOINTS)).body.endpoints?.length ?? 0, 0);
  const production = { ...gatewarden.app.config, allowLoopbackClients: false };
  const sent = { url: 'http://localhost:9/', description: '', eventTypes: [] };
  const ctx = { ...gatewarden.context(), config: production };
  assert.throws(() => endpointMembers(ctx, sent, new Set(['url'])), /not https/);
});

test('ids of nobody, of another environment and malformed ones lead nowhere', async (t) => {
  const foreign = 'env_999999999999999999';
  const theirs = 'whe_999999999999999999';
  await gatewarden.database.rows(sql`
    insert into environments (id, url, display_name, kind, created_at) values (${foreign}, 'https://other.example', 'Other', 'PRODUCTION', now())`);
  await gatewarden.database.rows(sql`
    insert into webhook_endpoints (environment_id, id, url, all_types, event_types, secret, created_at, updated_at)
    values (${foreign}, ${theirs}, ${HTTPS}, true, '{}', ''::bytea, now(), now())`);
  t.after(async () => {
    await gatewarden.database.rows(
      sql`delete from webhook_endpoints where environment_id = ${foreign}`,
    );
  });
  const delivery = 'whd_100000000000000';
  for (const id of [NOBODY, theirs]) {
    const one = `${ENDPOINTS}/${id}`;
    const span = { start_time: '2026-01-01T00:00:00Z', end_time: '2026-01-02T00:00:00Z' };
    refused(await rest('GET', one), 404);
    refused(await rest('PATCH', one, { description: 'mine' }), 404);
    refused(await rest('DELETE', one), 404);
    refused(await rest('PATCH', `${one}:enable`), 404);
    refused(await rest('PATCH', `${one}:disable`), 404);
    refused(await rest('POST', `${one}:rotate_secret`, {}), 404);
    refused(await rest('GET', `${one}/deliveries`), 404);
    refused(await rest('GET', `${one}/deliveries/${delivery}`), 404);
    refused(await rest('POST', `${one}/deliveries/${delivery}:redeliver`), 404);
    refused(await rest('POST', `${one}/deliveries:redeliver`, span), 404);
  }
  refused(await rest('GET', `${ENDPOINTS}/hook-1`), 400, 'endpoint_id');
  const { body } = await rest('GET', ENDPOINTS);
  assert.equal(JSON.stringify(body).includes(theirs), false);
});

test('an environment has at most 20 endpoints, also when they are made at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 24 }, (_, index) =>
      rest('POST', ENDPOINTS, {
        url: `https://hooks.example.com/${index}`,
        event_types: ['user.created'],
      }),
    ),
  );
  assert.equal(answers.filter(({ status }) => status === 201).length, 20);
  for (const answer of answers.filter(({ status }) => status !== 201)) {
    refused(answer, 400);
    assert.equal(answer.body.details[0].error_code, 'TOO_MANY_WEBHOOK_ENDPOINTS');
  }
  for (const { body } of answers)
    if (body.endpoint) await rest('DELETE', `${ENDPOINTS}/${body.endpoint.id}`);
});

test('after a rotation both secrets sign until the previous one ends', async (t) => {
  const receiver = await webhookReceiver(t);
  const { body: first } = await rest('POST', ENDPOINTS, {
    url: receiver.url,
    event_types: ['role.created'],
  });
  const one = `${ENDPOINTS}/${first.endpoint.id}`;
  refused(await rest('POST', `${one}:rotate_secret`, { overlap: -1 }), 400);
  refused(await rest('POST', `${one}:rotate_secret`, { overlap: 604_801 }), 400);
  const { body: second } = await rest('POST', `${one}:rotate_secret`, { overlap: 3600 });
  assert.notEqual(second.secret, first.secret);
  await rest('POST', '/roles', { name: 'rotated_1', display_name: 'R' });
  await receiver.waitFor(1);
  const signed = (index: number, secrets: readonly string[]) => {
    const { headers, body } = receiver.received[index] ?? { headers: {}, body: '' };
    const timestamp = new Date(Number(headers['webhook-timestamp']) * 1000);
    assert.equal(
      headers['webhook-signature'],
      signatureHeader(secrets, { id: String(headers['webhook-id']), timestamp, body }),
    );
  };
  signed(0, [second.secret, first.secret]);
  gatewarden.clock.advance({ minutes: 61 });
  await rest('POST', '/roles', { name: 'rotated_2', display_name: 'R' });
  await receiver.waitFor(2);
  signed(1, [second.secret]);
  await cleanUpEvents(gatewarden.app);
  const [stored] = await gatewarden.database.rows<{ previous_secret: unknown }>(
    sql`select previous_secret from webhook_endpoints where id = ${first.endpoint.id}`,
  );
  assert.equal(stored?.previous_secret, null, 'a secret that ended is forgotten');
  await rest('DELETE', one);
});

test('a test event goes to the endpoints that are told of its type, says that it is one, and is no event of the audit log', async (t) => {
  refused(await rest('POST', '/webhooks/test-event/role.created'), 400);
  refused(await rest('POST', '/webhooks/test-event/role.vanished'), 400, 'event_type');
  const receiver = await webhookReceiver(t, (response) => {
    response.statusCode = 500;
    response.end();
  });
  const id = await made(receiver.url, ['role.created']);
  const before = await gatewarden.database.rows<{ count: bigint }>(
    sql`select count(*) from events where type = 'role.created'`,
  );
  const { status, body } = await rest('POST', '/webhooks/test-event/role.created');
  assert.equal(status, 200, JSON.stringify(body));
  const [request] = await receiver.waitFor(1);
  assert.equal(request?.headers['gatewarden-test'], 'true');
  assert.deepEqual(JSON.parse(request?.body ?? ''), body.event_payload);
  assert.equal(body.event_payload.type, body.event_type);
  assert.deepEqual(
    await gatewarden.database.rows(sql`select count(*) from events where type = 'role.created'`),
    before,
  );
  await until(async () => {
    const list = await rest('GET', `${ENDPOINTS}/${id}/deliveries?states=retrying`);
    return list.body.deliveries?.[0]?.test === true;
  });
  const { body: after } = await rest('GET', `${ENDPOINTS}/${id}`);
  assert.equal(after.endpoint.failing_since, undefined, 'tests do not disable an endpoint');
  await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test('every type of the catalogue has a sample, and types that are opt-in are only sent where they are named (FSA-82)', async (t) => {
  const { body } = await rest('GET', '/webhooks/event_types');
  assert.equal(body.event_types.length, 41);
  for (const { type, object, display_name, sample } of body.event_types) {
    assert.equal(sample.type, type);
    assert.equal(sample.object, object);
    assert.equal(sample.display_name, display_name);
    assert.ok(Object.keys(sample.data).length > 0, type);
  }
  const all = await webhookReceiver(t);
  const named = await webhookReceiver(t);
  const ids = [await made(all.url), await made(named.url, ['user.created'])];
  const { body: sent } = await rest('POST', '/webhooks/test-event/user.created');
  assert.equal(sent.event_type, 'user.created');
  await rest('POST', '/webhooks/test-event/role.created');
  await Promise.all([all.waitFor(1), named.waitFor(1)]);
  assert.equal(JSON.parse(all.received[0]?.body ?? '').type, 'role.created');
  for (const id of ids) await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test("what the contract has of somebody else's console answers that this server does not have it", async () => {
  refused(await rest('GET', '/webhooks/portal-url'), 501);
  refused(await rest('GET', '/webhooks/wb/api/v1/app'), 403);
});

test('deliveries are listed newest first in parts, by state, type and time, and those that failed in a span are made once more', async (t) => {
  let working = false;
  const receiver = await webhookReceiver(t, (response) => {
    response.statusCode = working ? 204 : 500;
    response.end();
  });
  const id = await made(receiver.url, ['role.created', 'role.deleted']);
  const list = `${ENDPOINTS}/${id}/deliveries`;
  const start = gatewarden.clock.now();
  for (const name of ['list_1', 'list_2', 'list_3'])
    await rest('POST', '/roles', { name, display_name: 'L' });
  await rest('DELETE', '/roles/list_1');
  await receiver.waitFor(4);
  await until(
    async () => (await rest('GET', `${list}?states=retrying`)).body.deliveries?.length === 4,
  );
  const first = (await rest('GET', `${list}?page_size=3`)).body;
  assert.deepEqual(
    first.deliveries.map(({ event_type }: { event_type: string }) => event_type),
    ['role.deleted', 'role.created', 'role.created'],
  );
  const next = (
    await rest('GET', `${list}?page_size=3&page_token=${encodeURIComponent(first.next_page_token)}`)
  ).body;
  assert.equal(next.deliveries.length, 1);
  assert.equal(next.next_page_token ?? '', '');
  const back = (
    await rest('GET', `${list}?page_size=3&page_token=${encodeURIComponent(next.prev_page_token)}`)
  ).body;
  assert.deepEqual(back.deliveries, first.deliveries);
  refused(await rest('GET', `${list}?page_token=nonsense`), 400);
  refused(await rest('GET', `${list}?states=lost`), 400);
  refused(await rest('GET', `${list}?page_size=101`), 400);
  refused(
    await rest('GET', `${list}?start_time=2026-01-02T00:00:00Z&end_time=2026-01-01T00:00:00Z`),
    400,
    'start_time',
  );
  assert.equal((await rest('GET', `${list}?event_type=role.deleted`)).body.deliveries.length, 1);
  assert.equal(
    (await rest('GET', `${list}?end_time=2020-01-01T00:00:00Z`)).body.deliveries?.length ?? 0,
    0,
  );
  await rest('PATCH', `${ENDPOINTS}/${id}:disable`);
  const failed = (await rest('GET', `${list}?states=failed`)).body.deliveries;
  assert.deepEqual([failed.length, failed[0].last_error], [4, 'the endpoint was disabled']);
  const end = new Date(gatewarden.clock.now().getTime() + 60_000).toISOString();
  const span = { start_time: new Date(start.getTime() - 1000).toISOString(), end_time: end };
  refused(await rest('POST', `${list}:redeliver`, span), 400);
  refused(await rest('POST', `${list}:redeliver`, {}), 400);
  await rest('PATCH', `${ENDPOINTS}/${id}:enable`);
  working = true;
  assert.equal((await rest('POST', `${list}:redeliver`, span)).body.redelivered, 4);
  await receiver.waitFor(8);
  await until(
    async () => (await rest('GET', `${list}?states=succeeded`)).body.deliveries?.length === 4,
  );
  assert.equal((await rest('POST', `${list}:redeliver`, span)).body.redelivered ?? 0, 0);
  await rest('DELETE', `${ENDPOINTS}/${id}`);
});

test('events and deliveries go after thirty days, and a delivery without its event is not made', async (t) => {
  const receiver = await webhookReceiver(t);
  const id = await made(receiver.url, ['role.created']);
  await rest('POST', '/roles', { name: 'old', display_name: 'O' });
  await receiver.waitFor(1);
  const list = `${ENDPOINTS}/${id}/deliveries`;
  await until(
    async () => (await rest('GET', `${list}?states=succeeded`)).body.deliveries?.length === 1,
  );
  gatewarden.clock.advance({ days: 29 });
  await cleanUpEvents(gatewarden.app);
  assert.equal((await rest('GET', list)).body.deliveries.length, 1);
  const [delivery] = (await rest('GET', list)).body.deliveries;
  await gatewarden.database.rows(sql`delete from events where type = 'role.created'`);
  refused(await rest('POST', `${list}/${delivery.id}:redeliver`), 400);
  gatewarden.clock.advance({ days: 2 });
  await rest('POST', '/roles', { name: 'young', display_name: 'Y' });
  await cleanUpEvents(gatewarden.app);
  const types = await gatewarden.database.rows<{ old: bigint; young: bigint }>(sql`
    select count(*) filter (where occurred_at < ${new Date(gatewarden.clock.now().getTime() - 30 * 86_400_000)}) as old, count(*) as young from events`);
  assert.equal(types[0]?.old, 0n);
  assert.ok((types[0]?.young ?? 0n) > 0n);
  assert.equal((await rest('GET', list)).body.deliveries.length, 1, 'only that of the young one');
  await rest('DELETE', `${ENDPOINTS}/${id}`);
});
