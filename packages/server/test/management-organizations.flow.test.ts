import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { OrganizationService } from '@gatewarden/contract/scalekit/v1/organizations/organizations_pb';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import {
  managementApi,
  managementToken,
  member,
  members,
  ok,
  protocols,
} from './management-api.ts';
import { newOrganization, organizationSteps as steps } from './organization-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const NOBODY = 'org_123456789012345678';
const OFF = [
  { name: 'sso', enabled: false },
  { name: 'dir_sync', enabled: false },
];
const asSent = (features: JsonObject[]): unknown[] =>
  features.map(({ name, enabled }) => [name, enabled ?? false]);

for (const protocol of protocols) {
  test(`an organization is created, found by both its ids, changed in part, and deleted for good, over ${protocol} (FSA-53)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const sent = {
      display_name: 'Acme Rockets',
      external_id: `customer/7 ${protocol}`,
      slug: `${protocol.toLowerCase()}.acme.example`,
      logo_url: 'https://acme.example/logo.png',
      metadata: { plan: 'enterprise', tier: '3rd' },
    };
    const created = await newOrganization(api, sent);
    const { id, create_time, update_time, settings, ...rest } = created;
    assert.match(String(id), /^org_[0-9]{15,19}$/);
    assert.deepEqual(rest, { ...sent, region_code: 'US' });
    assert.equal(create_time, update_time);
    assert.deepEqual(asSent(members(settings as JsonObject, 'features')), asSent(OFF));
    const found = ok(await api(steps.get(String(id))));
    assert.deepEqual(found, { organization: created });
    assert.deepEqual(ok(await api(steps.getByExternalId(sent.external_id))), found);

    gatewarden.clock.advance({ seconds: 5 });
    const update = steps.update(String(id), { display_name: 'Acme', metadata: { plan: 'free' } });
    const changed = member(ok(await api(update)), 'organization');
    assert.ok(String(changed['update_time']) > String(update_time));
    assert.deepEqual(
      { ...changed, update_time: update_time ?? '' },
      { ...created, display_name: 'Acme', metadata: { plan: 'free' } },
    );
    const cleared = member(
      ok(await api(steps.update(String(id), { slug: '', logo_url: '', external_id: '' }))),
      'organization',
    );
    for (const gone of ['slug', 'logo_url', 'external_id'])
      assert.equal(Object.hasOwn(cleared, gone), false, gone);
    assert.equal(cleared['display_name'], 'Acme');

    assert.deepEqual(ok(await api(steps.delete(String(id)))), {});
    for (const step of [
      steps.get(String(id)),
      steps.delete(String(id)),
      steps.update(String(id), { display_name: 'Again' }),
      steps.settings(String(id), OFF),
    ]) {
      const answer = await api(step);
      assert.deepEqual([answer.code, answer.errorCode], [5, 'ORGANIZATION_NOT_FOUND']);
    }
    // The names of one that is gone are free.
    await newOrganization(api, { external_id: sent.external_id, slug: sent.slug });
  });
}

test('the same calls name an organization by its external id over gRPC, as the SDKs do (contract: OrganizationService)', async (t) => {
  const api = await managementApi(t, gatewarden, 'gRPC');
  const { id } = await newOrganization(api, { external_id: 'ext-1' });
  const { method } = OrganizationService;
  const call = async (rpc: keyof typeof method, input: JsonObject) =>
    await api({ method: method[rpc], input, rest: ['GET', ''] });
  const own = { external_id: 'ext-1' };
  assert.equal(member(ok(await call('getOrganization', own)), 'organization')['id'], id);
  const organization = { external_id: 'ext-2', slug: 'ext-two' };
  const renamed = member(
    ok(await call('updateOrganization', { ...own, organization })),
    'organization',
  );
  assert.deepEqual([renamed['id'], renamed['external_id']], [id, 'ext-2']);
  assert.equal((await call('getOrganization', own)).code, 5);
  // A mask says more than presence: what it names and the message lacks is taken away.
  const masked = await call('updateOrganization', {
    external_id: 'ext-2',
    organization: { display_name: 'Masked' },
    update_mask: 'slug,metadata',
  });
  const after = member(ok(masked), 'organization');
  assert.deepEqual([after['display_name'], after['slug']], ['Acme', undefined]);
  for (const mask of ['regionCode', 'metadata.plan', 'displayName'])
    assert.equal(
      (await call('updateOrganization', { id: id ?? '', organization: {}, update_mask: mask }))
        .code,
      3,
      mask,
    );
  assert.deepEqual(ok(await call('deleteOrganization', { external_id: 'ext-2' })), {});
  assert.equal((await call('deleteOrganization', { external_id: 'ext-2' })).code, 5);
  for (const rpc of ['getOrganization', 'deleteOrganization', 'updateOrganization'] as const)
    assert.equal(
      (await call(rpc, rpc === 'updateOrganization' ? { organization: {} } : {})).code,
      3,
      'names nobody',
    );
  assert.equal((await call('getOrganizationByExternalId', { id: id ?? '' })).code, 3);
});

test('REST answers 201 to a create, 200 to the rest, and refuses an id beside an external id (contract: GetOrganizationByExternalId)', async () => {
  const authorization = `Bearer ${await managementToken(gatewarden)}`;
  const send = async (verb: string, path: string, body?: unknown) =>
    await fetch(`${gatewarden.origin}/api/v1${path}`, {
      method: verb,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const created = await send('POST', '/organizations', { display_name: 'R', external_id: 'rest' });
  const { organization } = (await created.json()) as { organization: { id: string } };
  assert.equal(created.status, 201);
  const both = `/organizations:external/rest?id=${organization.id}`;
  assert.equal((await send('GET', both)).status, 400);
  assert.equal((await send('GET', '/organizations:external/rest')).status, 200);
  // What nobody may change, or nobody knows, changes nothing.
  const region = await send('PATCH', `/organizations/${organization.id}`, { region_code: 'EU' });
  assert.ok([200, 400].includes(region.status));
  const after = await send('GET', `/organizations/${organization.id}`);
  assert.match(await after.text(), /"region_code":\s*"US"/);
  const deleted = await send('DELETE', `/organizations/${organization.id}`);
  assert.deepEqual([deleted.status, await deleted.text()], [200, '{}']);
});

test('what an organization may be called has limits, and each refusal names the field (FSA-53)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const taken = { external_id: 'taken', slug: 'taken.example' };
  const { id } = await newOrganization(api, taken);
  const pairs = (count: number): JsonObject =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`key-${index}`, 'v']));
  const refused: [JsonObject, string][] = [
    [{ display_name: '' }, 'organization.display_name'],
    [{ display_name: 'x'.repeat(201) }, 'organization.display_name'],
    [{ display_name: 'a\0b' }, 'organization.display_name'],
    [{ slug: 'Upper' }, 'organization.slug'],
    [{ slug: '-a' }, 'organization.slug'],
    [{ slug: 'a..b' }, 'organization.slug'],
    [{ slug: 'a\nb' }, 'organization.slug'],
    [{ slug: `${'a'.repeat(64)}` }, 'organization.slug'],
    [{ slug: taken.slug }, 'organization.slug'],
    [{ external_id: taken.external_id }, 'organization.external_id'],
    [{ external_id: 'x'.repeat(511) }, 'organization.external_id'],
    [{ external_id: 'a\0b' }, 'organization.external_id'],
    [{ logo_url: 'http://acme.example/logo.png' }, 'organization.logo_url'],
    [{ logo_url: 'javascript:alert(1)' }, 'organization.logo_url'],
    [{ logo_url: 'https://a:b@acme.example/' }, 'organization.logo_url'],
    [{ logo_url: 'https://acme.example/a b' }, 'organization.logo_url'],
    [{ logo_url: `https://acme.example/${'x'.repeat(1010)}` }, 'organization.logo_url'],
    [{ metadata: pairs(11) }, 'organization.metadata'],
    [{ metadata: { ab: 'v' } }, 'organization.metadata["ab"]'],
    [{ metadata: { ['k'.repeat(26)]: 'v' } }, `organization.metadata["${'k'.repeat(26)}"]`],
    [{ metadata: { key: '' } }, 'organization.metadata["key"]'],
    [{ metadata: { key: 'v'.repeat(257) } }, 'organization.metadata["key"]'],
    [{ metadata: { key: 'a\0b' } }, 'organization.metadata'],
  ];
  const before = ok(await api(steps.list()))['total_size'];
  const own = String((await newOrganization(api))['id']);
  for (const [members_, field] of refused) {
    for (const step of [
      steps.create({ display_name: 'Acme', ...members_ }),
      steps.update(own, members_),
    ]) {
      const answer = await api(step);
      const what = `${step.method.name} ${JSON.stringify(members_).slice(0, 80)}: ${answer.message}`;
      assert.equal(answer.code, 3, what);
      assert.deepEqual(answer.fields, [field], what);
    }
  }
  assert.equal((await api(steps.create({ display_name: 'A', region_code: 7 }))).code, 3);
  assert.equal((await api(steps.update(own, { display_name: null }))).code, 3);
  for (const text of [{ display_name: 'a\ud800b' }, { metadata: { key: '\udc00' } }])
    assert.equal((await api(steps.create({ display_name: 'A', ...text }))).code, 3);
  assert.equal(ok(await api(steps.list()))['total_size'], Number(before) + 1, 'nothing was made');
  // The edges are inside, and an organization may be given the names it has.
  await newOrganization(api, {
    display_name: '𝒳'.repeat(200),
    external_id: '𝒳'.repeat(510),
    slug: `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`,
    metadata: { ...pairs(9), ['k'.repeat(25)]: 'v'.repeat(256) },
    region_code: 'EU',
  });
  ok(await api(steps.update(String(id), taken)));
});

test('malformed ids are refused, unknown ones and those of another environment are not found (FSA-1)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const other = await startTestGatewarden(t);
  const elsewhere = await managementApi(t, other);
  const foreign = String((await newOrganization(elsewhere, { external_id: 'foreign' }))['id']);
  const calls = [
    steps.get,
    steps.delete,
    (id: string) => steps.update(id, { display_name: 'Mine' }),
    (id: string) => steps.settings(id, OFF),
    steps.getPolicy,
    (id: string) => steps.setPolicy(id, { policy_source: 'APPLICATION' }),
    steps.applicationPolicy,
    (id: string) => steps.setUserManagement(id, { max_allowed_users: 1 }),
    steps.getUserManagement,
  ];
  for (const call of calls) {
    for (const id of [NOBODY, foreign])
      assert.equal((await api(call(id))).code, 5, `${call('x').method.name} ${id}`);
    for (const id of ['org_1', 'usr_123456789012345678', 'org_12345678901234567x', 'x'.repeat(40)])
      assert.equal((await api(call(id))).code, 3, `${call('x').method.name} ${id}`);
  }
  assert.equal((await api(steps.getByExternalId('foreign'))).code, 5);
  assert.equal(member(ok(await elsewhere(steps.get(foreign))), 'organization')['id'], foreign);
});

test('a list has pages of 1 to 100 in both directions and a filter; a search looks in names and both ids (FSA-104)', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const ids: string[] = [];
  for (let index = 0; index < 12; index += 1) {
    const name = index % 2 === 0 ? `Łódź Foods ${index}` : `100%_Rockets ${index}`;
    const made = await newOrganization(api, { display_name: name, external_id: `CRM-${index}` });
    ids.unshift(String(made['id']));
    own.clock.advance({ seconds: 1 });
  }
  const page = async (params: JsonObject, search = false) => {
    const body = ok(await api(search ? steps.search(params) : steps.list(params)));
    return {
      ids: members(body, 'organizations').map(({ id }) => String(id)),
      next: String(body['next_page_token'] ?? ''),
      prev: String(body['prev_page_token'] ?? ''),
      total: body['total_size'] ?? 0,
    };
  };
  const first = await page({});
  assert.deepEqual([first.ids, first.total, first.prev], [ids.slice(0, 10), 12, '']);
  const second = await page({ page_token: first.next });
  assert.deepEqual([second.ids, second.next], [ids.slice(10), '']);
  assert.deepEqual((await page({ page_token: second.prev })).ids, ids.slice(0, 10));
  assert.deepEqual((await page({ page_size: 5 })).ids, ids.slice(0, 5));
  assert.equal((await page({ page_size: 100 })).ids.length, 12);
  assert.equal((await api(steps.list({ page_size: 101 }))).code, 3);
  const one = await page({ external_id: 'CRM-3' });
  assert.deepEqual([one.ids, one.total], [[ids[8]], 1]);
  assert.deepEqual((await page({ external_id: 'crm-3' })).ids, [], 'an external id is exact');
  // A page is not moved by what comes in between.
  await newOrganization(api, { display_name: 'Late' });
  assert.deepEqual((await page({ page_token: first.next })).ids, ids.slice(10));

  const even = ids.filter((_, index) => index % 2 === 1);
  const found = await page({ query: 'łódź', page_size: 4 }, true);
  assert.deepEqual([found.ids, found.total], [even.slice(0, 4), 6]);
  const rest = await page({ query: 'łódź', page_size: 4, page_token: found.next }, true);
  assert.deepEqual([rest.ids, rest.next], [even.slice(4), '']);
  const hits = async (text: string): Promise<number> =>
    (await page({ query: text }, true)).ids.length;
  assert.equal(await hits('crm-11'), 1);
  assert.equal(await hits(ids[0] ?? ''), 1);
  assert.equal(await hits('100%_ROCK'), 6);
  assert.equal(await hits('%%%'), 0, 'no character has a meaning of its own');
  assert.equal(await hits('Foods Rockets'), 0);
  assert.deepEqual(ok(await api(steps.search({ query: 'nothing' }))), {});
  for (const bad of [
    { query: 'ab' },
    { query: 'x'.repeat(101) },
    { query: 'a\0b' },
    { query: 'abc', page_size: 31 },
    { query: 'abc', page_token: found.next },
    { query: 'łódź', page_token: first.next },
    {},
  ])
    assert.equal((await api(steps.search(bad))).code, 3, JSON.stringify(bad).slice(0, 80));
  assert.equal((await api(steps.list({ page_token: found.next }))).code, 3);
  assert.equal((await api(steps.list({ page_token: 'x' }))).errorCode, 'INVALID_PAGE_TOKEN');
  // Gone from the index with the change, and with the deletion.
  ok(await api(steps.update(ids[0] ?? '', { display_name: 'Changed' })));
  assert.equal(await hits('100%_rock'), 5);
  assert.equal(await hits('changed'), 1);
  ok(await api(steps.delete(ids[0] ?? '')));
  assert.equal(await hits('changed'), 0);
});

test('features go by two spellings and read back as one; an unknown one changes nothing (FSA-57)', async (t) => {
  for (const protocol of protocols) {
    const api = await managementApi(t, gatewarden, protocol);
    const id = String((await newOrganization(api))['id']);
    const set = async (features: JsonObject[]): Promise<unknown[]> => {
      const organization = member(ok(await api(steps.settings(id, features))), 'organization');
      return asSent(members(member(organization, 'settings'), 'features'));
    };
    const [sso, dirSync] = [
      ['sso', true],
      ['dir_sync', true],
    ];
    assert.deepEqual(await set([{ name: 'sso', enabled: true }, ...OFF.slice(1)]), [
      sso,
      ['dir_sync', false],
    ]);
    for (const name of ['directory_sync', 'dir_sync', 'scim']) {
      assert.deepEqual(await set([{ name, enabled: true }]), [sso, dirSync], name);
      assert.deepEqual(await set([{ name, enabled: false }]), [sso, ['dir_sync', false]], name);
    }
    const all = await set([
      { name: 'session_policy', enabled: true },
      { name: 'domain_verification', enabled: false },
    ]);
    const shown = [
      sso,
      ['dir_sync', false],
      ['domain_verification', false],
      ['session_policy', true],
    ];
    assert.deepEqual(all, shown);
    for (const features of [
      [{ name: 'sso', enabled: false }, { name: 'saml' }],
      [{ name: 'sso', enabled: false }, { name: '__proto__' }],
      [{ name: 'dir_sync' }, { name: 'directory_sync', enabled: true }],
    ]) {
      const answer = await api(steps.settings(id, features));
      assert.deepEqual([answer.code, answer.fields], [3, ['settings.features[1].name']]);
    }
    assert.deepEqual(await set([]), shown);
  }
});

test('every change writes its event with the organization as it then is; a refused or empty one writes none', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  const made = await newOrganization(api, { external_id: 'e', metadata: { plan: 'pro' } });
  const id = String(made['id']);
  await api(steps.create({ display_name: 'x', external_id: 'e' }));
  ok(await api(steps.update(id, {})));
  await api(steps.update(id, { slug: 'NO' }));
  ok(await api(steps.update(id, { display_name: 'New' })));
  ok(await api(steps.settings(id, [{ name: 'sso', enabled: true }])));
  ok(await api(steps.setPolicy(id, { policy_source: 'CUSTOM', absolute_session_timeout: 60 })));
  ok(await api(steps.setUserManagement(id, { max_allowed_users: 5 })));
  ok(await api(steps.delete(id)));
  await api(steps.delete(id));
  const events = await own.database.rows<{
    type: string;
    organization_id: string;
    data: JsonObject;
  }>(
    sql`select type, organization_id, data from events where type like 'organization.%' order by id`,
  );
  assert.deepEqual(
    events.map(({ type }) => type),
    [
      'organization.created',
      ...Array.from({ length: 4 }, () => 'organization.updated'),
      'organization.deleted',
    ],
  );
  assert.ok(events.every((event) => event.organization_id === id && event.data['id'] === id));
  assert.deepEqual(events[0]?.data, {
    id,
    display_name: 'Acme',
    external_id: 'e',
    region_code: 'US',
    create_time: new Date(String(made['create_time'])).toISOString(),
    update_time: new Date(String(made['create_time'])).toISOString(),
    metadata: { plan: 'pro' },
    settings: { features: OFF },
  });
  assert.equal(events[1]?.data['display_name'], 'New');
  const last = events.at(-1)?.data ?? {};
  assert.deepEqual(asSent(members(last['settings'] as JsonObject, 'features')), [
    ['sso', true],
    ['dir_sync', false],
  ]);
  assert.match(String(last['deleted_at']), /^\d{4}-\d\d-\d\dT/);
});
