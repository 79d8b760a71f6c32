import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { eventsRpc } from '../src/events/events.rpc.ts';
import { record } from '../src/events/events.ts';
import { ApiError } from '../src/http/api-error.ts';
import type { Caller } from '../src/http/callers.ts';
import type { Db, Sql } from '../src/storage/db.ts';
import { sql, startTestGatewarden, testPostgres } from '../src/testing.ts';
import { customEventsRpc } from '../src/webhooks/custom-events.rpc.ts';
import { type RestAnswer, restApi } from './webhook-receiver.ts';

let statements: Sql[] = [];

/** Remembers the statements about events; what runs in the background does not disturb. */
function counting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (/from events e|from unnest/.test(query.text)) statements.push(query);
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  };
}

const postgres = await testPostgres({ after });
const database = counting(postgres.database);
const gatewarden = await startTestGatewarden({ after }, { database });
const rest = await restApi(gatewarden);
const environmentId = gatewarden.environment.id;

type Listed = { id: string; type: string; object?: string; organization_id?: string; data: object };

async function list(
  filter: object = {},
  query = '',
): Promise<{ events: Listed[]; next: string; prev: string }> {
  const { status, body } = await rest('POST', `/events/paginated${query}`, filter);
  assert.equal(status, 200, JSON.stringify(body));
  return {
    events: body.events ?? [],
    next: body.next_page_token ?? '',
    prev: body.prev_page_token ?? '',
  };
}

const typesOf = ({ events }: { events: Listed[] }): string[] => events.map(({ type }) => type);

function refused({ status, body }: RestAnswer, field = ''): void {
  assert.equal(status, 400, JSON.stringify(body));
  const violations = body.details[0].validation_error_info?.field_violations ?? [];
  if (field !== '') assert.equal(violations[0]?.field, field, JSON.stringify(body));
}

async function add(type: string, more: Partial<Parameters<typeof record>[1]> = {}): Promise<void> {
  await record(postgres.database, {
    environmentId,
    type,
    occurredAt: gatewarden.clock.now(),
    ...more,
  });
}

test('the list has what happened, newest first, with the envelope of webhooks and who it is about', async () => {
  const { body } = await rest('POST', '/organizations', { display_name: 'Acme' });
  const acme = body.organization.id;
  await rest('POST', '/roles', { name: 'editor', display_name: 'Editor' });
  const { events } = await list({ event_types: ['organization.created', 'role.created'] });
  assert.deepEqual(
    events.map(({ type, object, organization_id }) => [type, object, organization_id]),
    [
      ['role.created', 'Role', undefined],
      ['organization.created', 'Organization', acme],
    ],
  );
  const [, created] = events;
  assert.deepEqual(Object.keys(created ?? {}).sort(), [
    'data',
    'display_name',
    'environment_id',
    'id',
    'object',
    'occurred_at',
    'organization_id',
    'spec_version',
    'type',
  ]);
  const [actor] = await postgres.database.rows<{ actor_kind: string; actor_id: string }>(
    sql`select actor_kind, actor_id from events where type = 'role.created'`,
  );
  assert.deepEqual(actor, { actor_kind: 'environment-client', actor_id: gatewarden.client.id });
  assert.ok(typesOf(await list()).includes('token.issued'), 'the audit log is there as well');
});

test('pages go forth and back without gaps or repeats; tokens of another list, and others, are refused', async () => {
  for (let index = 0; index < 25; index += 1) await add('paged.event', { data: { index } });
  const filter = { event_types: ['paged.event'] };
  const first = await list(filter);
  assert.equal(first.events.length, 10, 'ten unless asked otherwise');
  assert.match(first.next, /^>:/);
  assert.equal(first.prev, '');
  const second = await list(filter, `?page_token=${encodeURIComponent(first.next)}`);
  const third = await list(filter, `?page_token=${encodeURIComponent(second.next)}`);
  assert.equal(third.next, '');
  assert.match(third.prev, /^<:/);
  const all = [first, second, third].flatMap(({ events }) => events.map(({ id }) => id));
  assert.equal(new Set(all).size, 25);
  assert.deepEqual(all, [...all].sort().reverse());
  const back = await list(filter, `?page_token=${encodeURIComponent(third.prev)}`);
  assert.deepEqual(back.events, second.events);
  assert.equal((await list({}, '?page_size=100000')).events.length <= 100, true);
  for (let index = 0; index < 100; index += 1) await add('clamped.event');
  assert.equal((await list({}, '?page_size=100000')).events.length, 100);
  for (const token of ['nonsense', '>:', first.next.replace('>', '<'), `${first.next}x`, '<:e30'])
    refused(
      await rest('POST', `/events/paginated?page_token=${encodeURIComponent(token)}`, filter),
    );
  refused(await rest('POST', `/events/paginated?page_token=${encodeURIComponent(first.next)}`, {}));
  const { body } = await rest('POST', '/events', filter);
  assert.equal(body.total_size, 25);
  assert.equal(body.events.length, 10);
});

test('each filter narrows the list, alone and together', async () => {
  const organizationId = 'org_200000000000000001';
  const start = gatewarden.clock.now();
  gatewarden.clock.advance({ minutes: 30 });
  await add('filtered.a', { organizationId, flowId: 'flw_filtered' });
  const middle = gatewarden.clock.now();
  gatewarden.clock.advance({ minutes: 30 });
  await add('filtered.b', {
    data: { interceptor_id: 'icp_1', status: 'SUCCEEDED', decision: 'DENY' },
  });
  await add('organization.sso_enabled', { organizationId, data: { id: 'conn_1', enabled: true } });
  await add('filtered.c', { data: { connection_id: 'conn_1' } });
  await add('filtered.d', { actor: { kind: 'directory', id: 'dir_1' } as never });
  await add('organization.directory.user_created', { organizationId, data: { id: 'diruser_1' } });
  await postgres.database.rows(sql`
    insert into auth_requests (environment_id, id, state, workflow, flow_id, created_at, updated_at)
    values (${environmentId}, 'req_300000000000000001', 'INITIATED', 'HOSTED', 'flw_filtered', now(), now())`);
  const types = async (filter: object) => typesOf(await list(filter, '?page_size=100'));
  const own = ['organization.directory.user_created', 'organization.sso_enabled', 'filtered.a'];
  assert.deepEqual(await types({ organization_id: organizationId }), own);
  assert.deepEqual(await types({ organization_id: organizationId, event_types: ['filtered.a'] }), [
    'filtered.a',
  ]);
  assert.deepEqual(await types({ source: 'DIR_SYNC' }), [
    'organization.directory.user_created',
    'filtered.d',
  ]);
  assert.ok(!(await types({ source: 'SCALEKIT' })).includes('filtered.d'));
  assert.deepEqual(await types({ auth_request_id: 'req_300000000000000001' }), ['filtered.a']);
  assert.deepEqual(await types({ auth_request_id: 'flw_filtered' }), ['filtered.a']);
  assert.deepEqual(await types({ connection_id: 'conn_1' }), [
    'filtered.c',
    'organization.sso_enabled',
  ]);
  assert.deepEqual(await types({ interceptor_id: 'icp_1' }), ['filtered.b']);
  assert.deepEqual(await types({ interceptor_status: 'SUCCEEDED' }), ['filtered.b']);
  assert.deepEqual(await types({ interceptor_decision: 'DENY', interceptor_status: 'FAILED' }), []);
  assert.deepEqual(await types({ connected_account_id: 'ca_1' }), []);
  const window = {
    start_time: new Date(start.getTime() + 60_000).toISOString(),
    end_time: middle.toISOString(),
  };
  assert.deepEqual(await types({ ...window, event_types: ['filtered.a', 'filtered.b'] }), [
    'filtered.a',
  ]);
  assert.deepEqual(
    await types({
      start_time: new Date(middle.getTime() + 60_000).toISOString(),
      event_types: ['filtered.a', 'filtered.b'],
    }),
    ['filtered.b'],
  );
  refused(
    await rest('POST', '/events/paginated', {
      start_time: window.end_time,
      end_time: window.start_time,
    }),
    'filter.start_time',
  );
  refused(
    await rest('POST', '/events', { start_time: window.end_time, end_time: window.start_time }),
    'filter.start_time',
  );
  refused(
    await rest('POST', '/events/paginated', { organization_id: 'acme' }),
    'filter.organization_id',
  );
  refused(
    await rest('POST', '/events/paginated', {
      event_types: Array.from({ length: 101 }, () => 'a'),
    }),
    'filter.event_types',
  );
  refused(await rest('POST', '/events/paginated', { event_types: ['a\0b'] }));
});

test('events of another environment are in no list', async () => {
  await postgres.database.rows(sql`
    insert into environments (id, url, display_name, kind, created_at) values ('env_999999999999999999', 'https://other.example', 'Other', 'PRODUCTION', now())`);
  await add('foreign.event', { environmentId: 'env_999999999999999999' });
  assert.deepEqual(typesOf(await list({ event_types: ['foreign.event'] })), []);
  assert.deepEqual(
    typesOf(await list({ event_types: ['foreign.event'], start_time: '2020-01-01T00:00:00Z' })),
    [],
  );
});

test('whoever opened the portal of an organization sees what its endpoints would be told of it, and nothing of others', async () => {
  const organizationId = 'org_200000000000000002';
  const portal: Caller = {
    kind: 'portal',
    portalSessionId: 'pts_100000000000000001',
    organizationId,
    features: new Set(),
  };
  await add('organization.sso_enabled', { organizationId, data: { id: 'conn_2' } });
  await add('sign_in.failed', { organizationId });
  await add('organization.sso_enabled', { organizationId: 'org_200000000000000003' });
  const ctx = gatewarden.context();
  const ask = async (filter: object) => {
    const call = { caller: portal, header: new Headers() };
    const request = { filter: { eventTypes: [], ...filter }, pageSize: 0, pageToken: '' };
    // The wire's message has only what the method reads.
    const answer = await eventsRpc.listEvents?.(ctx, request as never, call);
    return (answer?.events ?? []).map(({ type, organizationId: of }) => [type, of]);
  };
  assert.deepEqual(await ask({}), [['organization.sso_enabled', organizationId]]);
  assert.deepEqual(await ask({ organizationId: 'org_200000000000000003' }), []);
});

test('pages of ours may report events, which are told from those of the server, and not without end', async () => {
  const caller: Caller = { kind: 'operator', operatorId: 'mem_100000000000000001', role: 'owner' };
  const ctx = {
    ...gatewarden.context(),
    actor: { kind: 'operator', id: caller.operatorId } as const,
  };
  const send = async (eventType: string, event: object = {}) =>
    // The wire's message has only what the method reads.
    await customEventsRpc.sendCustomEvent?.(ctx, { eventType, event } as never, {
      caller,
      header: new Headers(),
    });
  const sent = await send('organization.deleted', { page: 'home' });
  const { events } = await list({ event_types: ['custom.organization.deleted'] });
  assert.deepEqual(
    [events[0]?.id, events[0]?.data, events[0]?.object],
    [sent?.eventId, { page: 'home' }, undefined],
  );
  assert.deepEqual(typesOf(await list({ event_types: ['organization.deleted'] })), []);
  // What a page says is not what an interceptor or an identity provider did.
  const connectionId = 'conn_100000000000000009';
  const interceptorId = 'icp_100000000000000009';
  const decided = { interceptor_id: interceptorId, status: 'SUCCESS', decision: 'ALLOW' };
  await send('forged', { ...decided, connection_id: connectionId });
  for (const filter of [{ interceptor_id: interceptorId }, { connection_id: connectionId }])
    assert.deepEqual(typesOf(await list(filter)), []);
  for (const type of ['', 'Up', '../x', 'a'.repeat(101)])
    await assert.rejects(send(type), ApiError);
  await assert.rejects(send('big', { text: 'x'.repeat(9000) }), /8192/);
  for (const text of ['\0', '\ud800']) {
    await assert.rejects(send('broken', { text }), ApiError);
    await assert.rejects(send('broken', { [text]: 1 }), ApiError);
  }
  const many = Array.from({ length: 70 }, () => send('often'));
  const outcomes = await Promise.allSettled(many);
  assert.ok(outcomes.some(({ status }) => status === 'rejected'));
  const { status, body } = await rest('POST', '/events/frontend_events/opened', {});
  assert.equal(status, 403, JSON.stringify(body));
});

test('a list is one statement that reads an index, whatever it is narrowed by', async () => {
  await postgres.database.rows(sql`
    insert into events (environment_id, type, occurred_at, organization_id, data)
    select ${environmentId}, case when n % 1000 = 0 then 'rare.event' else 'token.issued' end, now() - interval '20 days' + n * interval '10 seconds',
      case when n % 5000 = 0 then 'org_200000000000000009' end, '{}'
      from generate_series(1, 60000) as n`);
  await postgres.database.rows(sql`analyze events`);
  const filters: object[] = [
    {},
    { event_types: ['rare.event'] },
    { event_types: ['rare.event', 'token.issued', 'nothing.such'] },
    { organization_id: 'org_200000000000000009' },
    { connection_id: 'conn_1' },
    { interceptor_id: 'icp_1' },
    { source: 'DIR_SYNC' },
    { start_time: '2020-01-01T00:00:00Z', end_time: '2020-01-02T00:00:00Z' },
    { auth_request_id: 'req_300000000000000001' },
  ];
  for (const filter of filters) {
    statements = [];
    const began = performance.now();
    await list(filter);
    const took = performance.now() - began;
    assert.equal(statements.length, 1, JSON.stringify(filter));
    assert.ok(took < 500, `${JSON.stringify(filter)} took ${took} ms`);
    const read = await pagesOf(statements[0]);
    assert.ok(read < 200, `${JSON.stringify(filter)} read ${read} pages`);
  }
});

/** Pages of the database that a statement reads, as the database counts them. */
async function pagesOf(query: Sql | undefined): Promise<number> {
  const rows = await postgres.database.rows<{ 'QUERY PLAN': { Plan: Record<string, number> }[] }>(
    sql`explain (analyze, buffers, format json) ${query}`,
  );
  const plan = rows[0]?.['QUERY PLAN'][0]?.Plan ?? {};
  const pages = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);
  assert.ok(pages > 0, JSON.stringify(plan));
  return pages;
}
