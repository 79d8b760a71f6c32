import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engines } from '@gatewarden/server/testing';
import { ScalekitClient } from '@scalekit-sdk/node';
import { vendorSite } from './vendor-site.ts';

async function refusedAs(name: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => assert.fail(`expected ${name}`),
    (caught: unknown) => caught,
  );
  assert.ok(error instanceof Error);
  assert.equal(error.constructor.name, name, error.message);
}

const BAD_REQUEST = 'ScalekitBadRequestException';
const timestamp = (milliseconds: number) => ({
  seconds: BigInt(Math.floor(milliseconds / 1000)),
  nanos: 0,
});

for (const engine of engines)
  test(`the vendor's unchanged SDK reads events, in parts and narrowed (contract: EventsService), ${engine}`, async (t) => {
    const { sdk, gatewarden } = await vendorSite(t, engine);
    const { events: api } = sdk;
    const ids: string[] = [];
    for (const name of ['One', 'Two', 'Three'])
      ids.push((await sdk.organization.createOrganization(name)).organization?.id ?? '');
    await sdk.role.createRole({ name: 'editor', displayName: 'Editor' } as never);

    const all = await api.listEventsPaginated();
    assert.equal(all.events[0]?.type, 'role.created', 'newest first');
    const created = { eventTypes: ['organization.created'] };
    const first = await api.listEventsPaginated(2, '', created);
    assert.deepEqual(
      first.events.map(({ organizationId }) => organizationId),
      [ids[2], ids[1]],
    );
    assert.match(first.nextPageToken, /^>:/);
    assert.equal(first.prevPageToken, '');
    const next = await api.listEventsPaginated(2, first.nextPageToken, created);
    assert.deepEqual(
      next.events.map(({ organizationId }) => organizationId),
      [ids[0]],
    );
    assert.equal(next.nextPageToken, '');
    assert.match(next.prevPageToken, /^<:/);
    const back = await api.listEventsPaginated(2, next.prevPageToken, created);
    assert.deepEqual(
      back.events.map(({ id }) => id),
      first.events.map(({ id }) => id),
    );

    const [event] = first.events;
    assert.ok(event);
    assert.match(event.id, /^evt_[0-9]{15,19}$/);
    assert.deepEqual(
      [event.specVersion, event.object, event.displayName, event.environmentId],
      // ObjectType.Organization
      ['1', 3, 'Organization Created', gatewarden.environment.id],
    );
    assert.equal(event.data?.['display_name'], 'Three');
    assert.ok(event.occurredAt && Number(event.occurredAt.seconds) > 1_700_000_000);

    const only = async (filter: object) =>
      (await api.listEventsPaginated(50, '', { ...created, ...filter })).events.length;
    assert.equal(await only({ organizationId: ids[0] }), 1);
    assert.equal(await only({ organizationId: 'org_999999999999999999' }), 0);
    assert.equal(await only({ startTime: timestamp(Date.now() - 60_000) }), 3);
    assert.equal(await only({ endTime: timestamp(Date.now() - 60_000) }), 0);
    assert.equal(await only({ source: 1 }), 3);
    assert.equal(await only({ source: 2 }), 0);
    assert.equal(await only({ authRequestId: 'req_999999999999999' }), 0);
    assert.equal(await only({ interceptorId: 'icp_1' }), 0);
    assert.equal(await only({ connectionId: 'conn_1' }), 0);
    assert.equal(await only({ connectedAccountId: 'ca_1' }), 0);
    assert.equal((await api.listEventsPaginated(1000, '')).events.length <= 100, true);

    await refusedAs(BAD_REQUEST, api.listEventsPaginated(10, 'nonsense'));
    await refusedAs(BAD_REQUEST, api.listEventsPaginated(10, first.nextPageToken));
    await refusedAs(
      BAD_REQUEST,
      api.listEventsPaginated(10, '', {
        startTime: timestamp(Date.now()),
        endTime: timestamp(Date.now() - 60_000),
      }),
    );
    const { id } = gatewarden.client;
    const stranger = new ScalekitClient(gatewarden.url, id, 'not the secret of this client at all');
    await assert.rejects(stranger.events.listEventsPaginated());
  });
