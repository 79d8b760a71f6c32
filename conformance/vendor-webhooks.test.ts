import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { engines, sql } from '@gatewarden/server/testing';
import { WebhookVerificationError } from '@scalekit-sdk/node';
import { type VendorSite, vendorSite } from './vendor-site.ts';
import { ROWS } from './vendor-webhooks-rows.ts';
import type { Shape } from './vendor-webhooks-shapes.ts';
import type { World } from './vendor-webhooks-world.ts';

type Delivered = {
  readonly headers: Record<string, string>;
  readonly body: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a receiver parses
  readonly event: any;
};

/** An application's endpoint: it answers at once and keeps what came. */
async function receiver(t: TestContext): Promise<{ url: string; delivered: Delivered[] }> {
  const delivered: Delivered[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => {
      body += chunk;
    });
    request.on('end', () => {
      delivered.push({ headers: plain(request.headers), body, event: JSON.parse(body) });
      response.writeHead(201).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // it listens at a port
  return { url: `http://127.0.0.1:${port}/webhooks`, delivered };
}

function plain(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

async function worldOf(site: VendorSite): Promise<World> {
  const { gatewarden, sdk } = site;
  const { id, secret = '' } = gatewarden.client;
  const token = await sdk.generateClientToken(id, secret);
  return {
    ...site,
    ids: {},
    async rest(verb, path, body) {
      const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
        method: verb,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json();
      assert.ok(response.ok, `${verb} ${path}: ${JSON.stringify(answer)}`);
      return answer;
    },
  };
}

/** Members that the documentation does not name, or that are missing. */
function differences(value: unknown, shape: Shape, path = 'data'): string[] {
  if (typeof value !== 'object' || value === null) return [`${path} is no object`];
  const names = new Map(Object.keys(shape).map((name) => [name.replace('?', ''), name]));
  const unknown = Object.keys(value).filter((name) => !names.has(name));
  const members = new Map(Object.entries(value));
  return [
    ...unknown.map((name) => `${path}.${name} is not documented`),
    ...[...names].flatMap(([name, documented]) => {
      const inner = shape[documented];
      if (!members.has(name)) return documented.endsWith('?') ? [] : [`${path}.${name} is missing`];
      return inner === true || inner === undefined
        ? []
        : differences(members.get(name), inner, `${path}.${name}`);
    }),
  ];
}

for (const engine of engines)
  test(`every type of event is delivered, verified by the vendor's unchanged SDK, with the documented payload (FSA-81, FSA-82, FSA-83), ${engine}`, async (t) => {
    const world = await worldOf(await vendorSite(t, engine));
    const { sdk, rest } = world;
    const { url, delivered } = await receiver(t);
    const { event_types: catalogue } = await rest('GET', '/webhooks/event_types');
    const types: string[] = catalogue.map(({ type }: { type: string }) => type);
    assert.deepEqual([...types].sort(), Object.keys(ROWS).sort(), 'one row for each type');
    const optIn = catalogue.filter(({ opt_in }: { opt_in?: boolean }) => opt_in);
    const { secret } = await rest('POST', '/webhooks/endpoints', {
      url,
      event_types: ['*', ...optIn.map(({ type }: { type: string }) => type)],
    });
    for (const { happen } of Object.values(ROWS)) await happen(world);
    for (const [type, row] of Object.entries(ROWS)) {
      const { headers, body, event } = await delivery(delivered, type);
      assert.equal(sdk.verifyWebhookPayload(secret, headers, body), true, type);
      assert.equal(headers['webhook-id'], event.id);
      assert.equal(headers['content-type'], 'application/json');
      const named = !/^(role|permission)\./.test(type) && event.organization_id !== undefined;
      assert.deepEqual(
        Object.keys(event).sort(),
        [
          'data',
          'display_name',
          'environment_id',
          'id',
          'object',
          'occurred_at',
          ...(named ? ['organization_id'] : []),
          'spec_version',
          'type',
        ],
        type,
      );
      if (type.startsWith('organization.') || type.includes('membership'))
        assert.equal(event.organization_id, world.ids['acme'], type);
      assert.deepEqual(
        [event.spec_version, event.object, event.display_name, event.environment_id],
        ['1', row.object, row.displayName, world.gatewarden.environment.id],
        type,
      );
      assert.match(event.id, /^evt_[0-9]{15,19}$/);
      assert.match(event.occurred_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.deepEqual(differences(event.data, row.data), [], type);
      const sample = catalogue.find((each: { type: string }) => each.type === type).sample;
      assert.deepEqual(differences(sample.data, row.data), [], `the sample of ${type}`);
      assert.doesNotMatch(body, /whsec_|secret-of-the-connection|"token"/, type);
    }
  });

async function delivery(delivered: readonly Delivered[], type: string): Promise<Delivered> {
  const end = Date.now() + 15_000;
  for (;;) {
    const found = delivered.find(({ event }) => event.type === type);
    if (found) return found;
    if (Date.now() > end) throw new Error(`${type} was not delivered`);
    await pause(20);
  }
}

test("what was changed, replayed or signed by somebody else is refused by the vendor's SDK; during a rotation both secrets verify (FSA-83)", async (t) => {
  const world = await worldOf(await vendorSite(t, 'pglite'));
  const { sdk, rest, gatewarden } = world;
  const { url, delivered } = await receiver(t);
  const made = await rest('POST', '/webhooks/endpoints', { url, event_types: ['role.created'] });
  const one = `/webhooks/endpoints/${made.endpoint.id}`;
  const { secret } = await rest('POST', `${one}:rotate_secret`, { overlap: 3600 });
  await sdk.role.createRole({ name: 'first', displayName: 'F' } as never);
  const { headers, body } = await delivery(delivered, 'role.created');
  for (const each of [secret, made.secret])
    assert.equal(sdk.verifyWebhookPayload(each, headers, body), true);
  const refuse = (with_: string, changed: Record<string, string>, text: string) =>
    assert.throws(
      () => sdk.verifyWebhookPayload(with_, { ...headers, ...changed }, text),
      WebhookVerificationError,
    );
  const now = Math.floor(Date.now() / 1000);
  refuse(secret, {}, body.replace('first', 'forst'));
  refuse(secret, {}, `${body} `);
  refuse(secret, { 'webhook-id': 'evt_100000000000000' }, body);
  refuse(secret, { 'webhook-timestamp': String(now - 5) }, body);
  refuse(secret, { 'webhook-timestamp': String(now - 3600) }, body);
  refuse(`whsec_${Buffer.alloc(32, 1).toString('base64')}`, {}, body);
  delivered.length = 0;
  await gatewarden.database.rows(
    sql`update webhook_endpoints set previous_secret_ends_at = now() - interval '1 second'`,
  );
  await sdk.role.createRole({ name: 'second', displayName: 'S' } as never);
  const later = await delivery(delivered, 'role.created');
  assert.equal(sdk.verifyWebhookPayload(secret, later.headers, later.body), true);
  assert.throws(
    () => sdk.verifyWebhookPayload(made.secret, later.headers, later.body),
    WebhookVerificationError,
  );
});
