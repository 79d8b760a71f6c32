import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
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
