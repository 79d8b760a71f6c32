import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { replaceOperatorKey } from '../src/operations/replace-operator-key.ts';
import { createSecrets } from '../src/runtime/secrets.ts';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPglite } from '../src/testing.ts';
import { type Received, type Rest, restApi, until, webhookReceiver } from './webhook-receiver.ts';

type Hook = { readonly id: string; readonly secret: string };

async function start(t: TestContext): Promise<{ gatewarden: TestGatewarden; rest: Rest }> {
  const gatewarden = await startTestGatewarden(t);
  return { gatewarden, rest: await restApi(gatewarden) };
}

async function endpoint(rest: Rest, url: string, types: readonly string[] = []): Promise<Hook> {
  const { status, body } = await rest('POST', '/webhooks/endpoints', { url, event_types: types });
  assert.equal(status, 201, JSON.stringify(body));
  return { id: body.endpoint.id, secret: body.secret };
}

async function organization(rest: Rest, name: string): Promise<string> {
  const { body } = await rest('POST', '/organizations', { display_name: name });
  return body.organization.id;
}

function signature(secret: string, { headers, body }: Received): string {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`;
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}

async function deliveriesOf(rest: Rest, hook: Hook, query = '') {
  const { status, body } = await rest('GET', `/webhooks/endpoints/${hook.id}/deliveries${query}`);
  assert.equal(status, 200, JSON.stringify(body));
  return (body.deliveries ?? []) as Record<string, string | number | boolean>[];
}

test('a change reaches the endpoints that want it, once, signed, with the documented envelope (FSA-81, FSA-83)', async (t) => {
  const { gatewarden, rest } = await start(t);
  const all = await webhookReceiver(t);
  const roles = await webhookReceiver(t);
  const hook = await endpoint(rest, all.url);
  await endpoint(rest, roles.url, ['role.created']);
  const acme = await organization(rest, 'Acme');
  const [request] = await all.waitFor(1);
  assert.ok(request);
  assert.equal(request.headers['content-type'], 'application/json');
  assert.equal(request.headers['webhook-signature'], signature(hook.secret, request));
  const envelope = JSON.parse(request.body);
  assert.equal(request.headers['webhook-id'], envelope.id);
  assert.deepEqual(Object.keys(envelope), [
    'spec_version',
    'id',
    'type',
    'object',
    'occurred_at',
    'environment_id',
    'organization_id',
    'data',
    'display_name',
  ]);
  assert.match(envelope.id, /^evt_[0-9]{15,19}$/);
  assert.equal(envelope.type, 'organization.created');
  assert.equal(envelope.object, 'Organization');
  assert.equal(envelope.display_name, 'Organization Created');
  assert.equal(envelope.organization_id, acme);
  assert.equal(envelope.environment_id, gatewarden.environment.id);
  assert.equal(envelope.data.display_name, 'Acme');
  await rest('POST', '/roles', { name: 'editor', display_name: 'Editor' });
  await roles.waitFor(1);
  await all.waitFor(2);
  assert.equal(JSON.parse(roles.received[0]?.body ?? '').organization_id, undefined);
  await until(async () => (await deliveriesOf(rest, hook, '?states=succeeded')).length === 2);
  assert.deepEqual([all.received.length, roles.received.length], [2, 1]);
  const { body } = await rest('GET', `/webhooks/endpoints/${hook.id}`);
  assert.deepEqual([body.endpoint.succeeded, body.endpoint.failed], ['2', undefined]);
  assert.equal(JSON.stringify(body).includes('whsec_'), false);
  const stored = await gatewarden.database.rows<{ secret: Uint8Array }>(
    sql`select secret from webhook_endpoints`,
  );
  for (const { secret } of stored) assert.equal(Buffer.from(secret).includes('whsec'), false);
});

test('an attempt that fails is made again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h with the same id and body, then never (FSA-84)', async (t) => {
  const { gatewarden, rest } = await start(t);
  const receiver = await webhookReceiver(t, (response) => {
    response.statusCode = 503;
    response.end('x'.repeat(10_000));
  });
  const hook = await endpoint(rest, receiver.url);
  await organization(rest, 'Acme');
  const waits = [5, 300, 1800, 7200, 18_000, 36_000, 36_000];
  for (const [index, seconds] of waits.entries()) {
    await receiver.waitFor(index + 1);
    await until(async () => (await deliveriesOf(rest, hook, '?states=retrying')).length === 1);
    const [delivery] = await deliveriesOf(rest, hook);
    assert.equal(delivery?.['attempts'], index + 1);
    const wait =
      Date.parse(String(delivery?.['next_attempt_at'])) -
      Date.parse(String(delivery?.['last_attempt_at']));
    assert.ok(
      wait >= seconds * 1000 && wait <= seconds * 1100 + 5000,
      `${wait} after attempt ${index + 1}`,
    );
    gatewarden.clock.advance({ seconds: seconds * 1.1 + 1 });
  }
  await receiver.waitFor(8);
  await until(async () => (await deliveriesOf(rest, hook, '?states=failed')).length === 1);
  gatewarden.clock.advance({ days: 2 });
  const ids = new Set(receiver.received.map(({ headers }) => headers['webhook-id']));
  const bodies = new Set(receiver.received.map(({ body }) => body));
  const times = new Set(receiver.received.map(({ headers }) => headers['webhook-timestamp']));
  assert.deepEqual([ids.size, bodies.size, times.size], [1, 1, 8]);
  for (const request of receiver.received)
    assert.equal(request.headers['webhook-signature'], signature(hook.secret, request));
  const [dead] = await deliveriesOf(rest, hook);
  const path = `/webhooks/endpoints/${hook.id}/deliveries/${dead?.['id']}`;
  const { body } = await rest('GET', path);
  assert.equal(body.last_answer.length, 4096, 'no more of an answer is kept');
  assert.equal(body.delivery.last_status, 503);
  assert.equal(body.payload.type, 'organization.created');
  assert.equal(receiver.received.length, 8);
  const again = await rest('POST', `${path}:redeliver`);
  assert.equal(again.body.delivery.state, 'queued');
  await receiver.waitFor(9);
  assert.equal(receiver.received[8]?.body, receiver.received[0]?.body);
});

test('after the operator key was replaced the old one is needed by no secret of an endpoint (AS-150)', async (t) => {
  const { gatewarden, rest } = await start(t);
  const receiver = await webhookReceiver(t);
  const hook = await endpoint(rest, receiver.url, ['role.created']);
  const path = `/webhooks/endpoints/${hook.id}:rotate_secret`;
  const { body: rotated } = await rest('POST', path, {});
  const [old] = gatewarden.secretKeys;
  assert.ok(old);
  const fresh = new Uint8Array(32).fill(7);
  const secretKeys = [fresh, old];
  const { app, environment } = gatewarden;
  const both = {
    ...app,
    config: { ...app.config, secretKeys },
    secrets: createSecrets(secretKeys, app.random),
  };
  const operations = {
    app: both,
    environments: [environment],
    contextOf: () => ({ ...gatewarden.context(), ...both }),
  };
  const { columns } = await replaceOperatorKey(operations, { checkOnly: false });
  const ours = columns.filter(({ column }) => column.startsWith('webhook_endpoints.'));
  assert.deepEqual(
    ours.map(({ column, resealed, left }) => [column, resealed, left]),
    [
      ['webhook_endpoints.secret', 1, 0],
      ['webhook_endpoints.previous_secret', 1, 0],
    ],
  );
  const alone = createSecrets([fresh], app.random);
  const rows = await gatewarden.database.rows<{ secret: Uint8Array; previous_secret: Uint8Array }>(
    sql`select secret, previous_secret from webhook_endpoints`,
  );
  const row = { table: 'webhook_endpoints', environmentId: environment.id, id: hook.id };
  const open = (sealed: Uint8Array | undefined) =>
    Buffer.from(alone.open('secrets-at-rest', row, sealed ?? new Uint8Array())).toString();
  assert.deepEqual(
    [open(rows[0]?.secret), open(rows[0]?.previous_secret)],
    [rotated.secret, hook.secret],
  );
});

test('how many statements a call about endpoints and deliveries takes does not depend on how many there are', async (t) => {
  let statements = 0;
  const counting = <D extends Db>(db: D): D => ({
    ...db,
    rows: (query) => {
      if (/webhook_(endpoints|deliveries)/.test(query.text) && !/with asked as/.test(query.text))
        statements += 1;
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  });
  const database = await testPglite(t);
  const gatewarden = await startTestGatewarden(t, { database: counting(database) });
  const rest = await restApi(gatewarden);
  const url = 'https://hooks.example.com/x';
  const [first] = await Promise.all(
    Array.from({ length: 15 }, () => endpoint(rest, url, ['user.created'])),
  );
  assert.ok(first);
  await database.rows(sql`
    insert into webhook_deliveries (environment_id, endpoint_id, event_id, event_type, state, created_at)
    select ${gatewarden.environment.id}, ${first.id}, n + 1000000, 'user.created', 'failed', now() from generate_series(1, 3000) n`);
  const [delivery] = await deliveriesOf(rest, first, '?page_size=1');
  const one = `/webhooks/endpoints/${first.id}`;
  const start = '2020-01-01T00:00:00Z';
  const calls: readonly (readonly [verb: string, path: string, body: unknown, most: number])[] = [
    ['GET', '/webhooks/endpoints', undefined, 1],
    ['GET', one, undefined, 1],
    ['PATCH', one, { description: 'x' }, 2],
    ['POST', `${one}:rotate_secret`, {}, 2],
    ['GET', `${one}/deliveries?page_size=100`, undefined, 2],
    ['GET', `${one}/deliveries?states=failed`, undefined, 2],
    ['GET', `${one}/deliveries/${delivery?.['id']}`, undefined, 2],
    [
      'POST',
      `${one}/deliveries:redeliver`,
      { start_time: start, end_time: '2100-01-01T00:00:00Z' },
      2,
    ],
    ['PATCH', `${one}:disable`, undefined, 1],
    ['PATCH', `${one}:enable`, undefined, 1],
    ['DELETE', one, undefined, 2],
  ];
  for (const [verb, path, body, most] of calls) {
    statements = 0;
    const answer = await rest(verb, path, body);
    assert.equal(answer.status, 200, `${verb} ${path}: ${JSON.stringify(answer.body)}`);
    assert.ok(statements <= most, `${verb} ${path}: ${statements} statements`);
  }
});
