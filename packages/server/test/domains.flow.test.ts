import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type DnsServer, startDnsServer } from './dns-server.ts';
import { domainSteps, newDomain } from './domain-steps.ts';
import { managementApi, member, members, ok, protocols } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';

const NOBODY = 'org_123456789012345678';
const NOTHING = 'dom_123456789012345678';
const [INVALID, NOT_FOUND, UNAVAILABLE] = [3, 5, 14];

let gatewarden: TestGatewarden;
let dns: DnsServer;

before(async (t) => {
  dns = await startDnsServer(t as never);
  gatewarden = await startTestGatewarden(t as never, { config: { dnsServers: [dns.address] } });
});

type Written = { type: string; organization_id: string; data: JsonObject };

async function eventsOf(organizationId: string): Promise<Written[]> {
  return await gatewarden.database.rows<Written>(sql`
    select type, organization_id, data from events where organization_id = ${organizationId} and type like 'organization.domain%' order by id`);
}

for (const protocol of protocols)
  test(`a domain is added, read, listed and deleted, and each change is told (SSO-47, SSO-49, contract: DomainService), ${protocol}`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const { id } = await newOrganization(api);
    const organizationId = String(id);
    const name = `${protocol.toLowerCase()}.example.com`;

    const domain = await newDomain(api, organizationId, { domain: `${protocol}.Example.com.` });

    const { id: domainId, create_time, update_time, txt_record_secret, ...rest } = domain;
    assert.match(String(domainId), /^dom_[0-9]{15,19}$/);
    assert.ok(create_time && update_time);
    assert.match(String(txt_record_secret), /^[\w-]{43}$/);
    assert.deepEqual(rest, {
      domain: name,
      environment_id: gatewarden.environment.id,
      organization_id: organizationId,
      txt_record_key: '_gatewarden-challenge',
      verification_status: 'AUTO_VERIFIED',
      domain_type: 'ORGANIZATION_DOMAIN',
      verification_method: 'ADMIN',
    });
    const get = domainSteps.get(organizationId, String(domainId));
    assert.deepEqual(member(ok(await api(get)), 'domain'), domain);
    const update = domainSteps.update(organizationId, String(domainId));
    assert.deepEqual(member(ok(await api(update)), 'domain'), domain);
    const listed = ok(await api(domainSteps.list(organizationId)));
    assert.deepEqual([listed['page_size'], listed['page_number'] ?? 0], [30, 0]);
    const { txt_record_key, txt_record_secret: _secret, ...shown } = domain;
    assert.ok(txt_record_key);
    assert.deepEqual(listed['domains'], [shown]);
    assert.equal(
      ok(await api(domainSteps.verify(organizationId, String(domainId))))['verified'],
      true,
    );

    ok(await api(domainSteps.delete(organizationId, String(domainId))));

    assert.equal((await api(get)).code, NOT_FOUND);
    assert.equal((await api(domainSteps.delete(organizationId, String(domainId)))).code, NOT_FOUND);
    const [created, deleted, ...none] = await eventsOf(organizationId);
    assert.deepEqual(none, []);
    assert.equal(deleted?.type, 'organization.domain_deleted');
    assert.equal(created?.type, 'organization.domain_created');
    const { updated_at, ...data } = created?.data ?? {};
    assert.match(String(updated_at), /^20\d\d-.*Z$/);
    assert.deepEqual(data, {
      id: domainId,
      domain: name,
      domain_type: 'ORGANIZATION_DOMAIN',
      organization_id: organizationId,
      environment_id: gatewarden.environment.id,
      txt_record_key: '_gatewarden-challenge',
      txt_record_secret,
      verification_status: 'AUTO_VERIFIED',
      verification_method: 'ADMIN',
    });
  });

test('a name that everybody can have is no domain of an organization: public mail, throw-away mail, public suffixes, addresses, patterns (SSO-47)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const { id } = await newOrganization(api);
  const refused = [
    ...['invalid-domain-name', 'localhost', '10.0.0.1', '1.2.3.4', '[2001:db8::1]', '*.acme.com'],
    ...['acme..com', '-acme.com', 'acme.com/path', 'user@acme.com', 'acme.com:443', 'a b.com'],
    ...['acme_corp.com', `${'a'.repeat(64)}.com`, `${'abcdefgh.'.repeat(30)}com`, 'acme.123'],
    ...['co.uk', 'github.io', 'com.br'],
    ...['gmail.com', 'GMAIL.COM.', 'outlook.com', 'mail.yahoo.com', 'qq.com'],
    ...['mailinator.com', 'x.mailinator.com', 'guerrillamail.com', 'yopmail.com'],
  ];
  for (const domain of refused) {
    const answer = await api(domainSteps.create(String(id), { domain }));
    assert.deepEqual([answer.code, answer.fields], [INVALID, ['domain.domain']], domain);
  }
  for (const domain of ['a.b', '', `${'a'.repeat(250)}.com.x`])
    assert.equal((await api(domainSteps.create(String(id), { domain }))).code, INVALID, domain);
  const unknown = { domain: 'acme.com', domain_type: 7 };
  assert.equal((await api(domainSteps.create(String(id), unknown))).code, INVALID);
  assert.deepEqual(await eventsOf(String(id)), []);
  const kept = await newDomain(api, String(id), { domain: 'Bücher-Müller.example' });
  assert.equal(kept['domain'], 'xn--bcher-mller-thbg.example');
});

test('a domain leads to one organization of the environment; several may suggest themselves by it (SSO-4, FSA-60)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const first = String((await newOrganization(api))['id']);
  const second = String((await newOrganization(api))['id']);
  const owned = { domain: 'only-once.example' };
  const racers = await Promise.all(
    Array.from({ length: 6 }, (_, index) =>
      api(domainSteps.create(index % 2 === 0 ? first : second, owned)),
    ),
  );
  assert.equal(racers.filter(({ code }) => code === 0).length, 1);
  for (const { code, fields } of racers.filter((answer) => answer.code !== 0))
    assert.deepEqual([code, fields], [INVALID, ['domain.domain']]);
  const allowed = { domain: 'only-once.example', domain_type: 'ALLOWED_EMAIL_DOMAIN' };
  const suggestion = await newDomain(api, first, allowed);
  assert.deepEqual(
    [suggestion['verification_method'], suggestion['verification_status']],
    ['NOT_APPLICABLE', 'AUTO_VERIFIED'],
  );
  await newDomain(api, second, allowed);
  assert.equal((await api(domainSteps.create(first, allowed))).code, INVALID);
  const typed = ok(await api(domainSteps.list(first, { domain_type: 'ALLOWED_EMAIL_DOMAIN' })));
  assert.deepEqual(
    members(typed, 'domains').map(({ id }) => id),
    [suggestion['id']],
  );
});

test('DNS proves a domain when the organization has to: absent, wrong, in pieces, at the apex, no answer (SSO-48, SSO-52)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organizationId = String((await newOrganization(api))['id']);
  ok(
    await api(
      organizationSteps.settings(organizationId, [{ name: 'domain_verification', enabled: true }]),
    ),
  );
  const claim = async (domain: string) => {
    const made = await newDomain(api, organizationId, { domain });
    assert.deepEqual(
      [made['verification_method'], made['verification_status']],
      ['DNS', 'PENDING'],
    );
    return { id: String(made['id']), secret: String(made['txt_record_secret']) };
  };
  const verify = async (id: string) =>
    ok(await api(domainSteps.verify(organizationId, id)))['verified'] ?? false;
  const status = async (id: string) =>
    member(ok(await api(domainSteps.get(organizationId, id))), 'domain')['verification_status'];
  const told = async () =>
    (await eventsOf(organizationId))
      .map(({ type }) => type.split('_').at(-1))
      .filter((last) => last !== 'created');

  const own = await claim('proven.example');
  const other = await claim('other.example');
  assert.notEqual(own.secret, other.secret);
  dns.zone.set('_gatewarden-challenge.proven.example', 'SERVFAIL');
  dns.zone.set('proven.example', []);
  const silent = await api(domainSteps.verify(organizationId, own.id));
  assert.deepEqual([silent.code, silent.errorCode], [UNAVAILABLE, 'DNS_UNAVAILABLE']);
  assert.deepEqual([await status(own.id), await told()], ['PENDING', []]);
  dns.zone.delete('_gatewarden-challenge.proven.example');
  assert.equal(await verify(own.id), false);
  assert.equal(await verify(own.id), false);
  assert.deepEqual([await status(own.id), await told()], ['FAILED', ['failed']]);
  dns.zone.set('_gatewarden-challenge.proven.example', [['v=spf1 -all'], [other.secret]]);
  assert.equal(await verify(own.id), false);
  const { secret } = own;
  dns.zone.set('_gatewarden-challenge.proven.example', [[secret.slice(0, 20), secret.slice(20)]]);
  assert.deepEqual(await Promise.all([verify(own.id), verify(own.id), verify(own.id)]), [
    true,
    true,
    true,
  ]);
  assert.deepEqual([await status(own.id), await told()], ['VERIFIED', ['failed', 'success']]);
  const before = dns.asked();
  dns.zone.clear();
  assert.equal(await verify(own.id), true, 'what is proven is not asked again');
  assert.equal(dns.asked(), before);

  dns.zone.set('other.example', [[`_gatewarden-challenge=${other.secret}`]]);
  assert.equal(await verify(other.id), true);
  ok(await api(domainSteps.delete(organizationId, other.id)));
  assert.notEqual(
    (await claim('other.example')).secret,
    other.secret,
    'a new claim has to be proven anew',
  );
});

test('an attacker who claims the domain of others first keeps them from nothing: whoever proves it has it (SSO-4, SSO-48)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const feature = [{ name: 'domain_verification', enabled: true }];
  const claims: { organization: string; id: string; secret: string }[] = [];
  for (const name of ['Squatter', 'Owner']) {
    const organization = String((await newOrganization(api, { display_name: name }))['id']);
    ok(await api(organizationSteps.settings(organization, feature)));
    const made = await newDomain(api, organization, { domain: 'wanted.example' });
    claims.push({
      organization,
      id: String(made['id']),
      secret: String(made['txt_record_secret']),
    });
    const twice = await api(domainSteps.create(organization, { domain: 'wanted.example' }));
    assert.equal(twice.code, INVALID);
  }
  dns.zone.set(
    '_gatewarden-challenge.wanted.example',
    claims.map(({ secret }) => [secret]),
  );
  const answers = await Promise.all(
    claims.map(({ organization, id }) => api(domainSteps.verify(organization, id))),
  );
  const [won, ...others] = answers.filter(({ code }) => code === 0);
  assert.deepEqual([won?.body, others], [{ verified: true }, []]);
  const [lost] = answers.filter(({ code }) => code !== 0);
  assert.deepEqual([lost?.code, lost?.errorCode], [9, 'DOMAIN_TAKEN']);
  const late = String((await newOrganization(api))['id']);
  const refused = await api(domainSteps.create(late, { domain: 'wanted.example' }));
  assert.deepEqual([refused.code, refused.fields], [INVALID, ['domain.domain']]);
});

test('domains of another organization, unknown ids and malformed ones are refused by every call alike', async (t) => {
  const api = await managementApi(t, gatewarden);
  const own = String((await newOrganization(api, { external_id: 'tenant_1' }))['id']);
  const foreign = String((await newOrganization(api))['id']);
  const domainId = String((await newDomain(api, own, { domain: 'foreign.example' }))['id']);
  const named = [
    domainSteps.get,
    domainSteps.update,
    domainSteps.verify,
    domainSteps.delete,
  ] as const;
  for (const step of named) {
    const codes = [];
    for (const [organization, id] of [
      [foreign, domainId],
      [own, NOTHING],
      [NOBODY, domainId],
    ] as const)
      codes.push((await api(step(organization, id))).code);
    for (const [organization, id] of [
      ['invalid-org-id', domainId],
      [own, 'non-existent-domain-id'],
      [own, 'conn_123456789012345'],
    ] as const)
      codes.push((await api(step(organization, id))).code);
    assert.deepEqual(
      codes,
      [NOT_FOUND, NOT_FOUND, NOT_FOUND, INVALID, INVALID, INVALID],
      step('o', 'd').method.name,
    );
  }
  for (const step of [
    domainSteps.list(NOBODY),
    domainSteps.create(NOBODY, { domain: 'a-b.example' }),
  ])
    assert.equal((await api(step)).code, NOT_FOUND);
  for (const step of [
    domainSteps.list('invalid-org-id'),
    domainSteps.create('invalid-org-id', { domain: 'a-b.example' }),
  ])
    assert.equal((await api(step)).code, INVALID);
  const grpc = await managementApi(t, gatewarden, 'gRPC');
  const byName = {
    ...domainSteps.get(own, domainId),
    input: { external_id: 'tenant_1', id: domainId },
  };
  assert.equal(member(ok(await grpc(byName)), 'domain')['id'], domainId);
  const strange = { ...byName, input: { external_id: 'tenant_2', id: domainId } };
  assert.equal((await grpc(strange)).code, NOT_FOUND);
  assert.equal((await grpc({ ...byName, input: { id: domainId } })).code, INVALID);
});

test('the list of domains has pages by number from 0 on, and a limit', async (t) => {
  const api = await managementApi(t, gatewarden);
  const id = String((await newOrganization(api))['id']);
  for (const name of ['one', 'two', 'three'])
    await newDomain(api, id, { domain: `${name}-page.example` });
  const part = async (params: JsonObject) =>
    members(ok(await api(domainSteps.list(id, params))), 'domains').map(({ domain }) => domain);
  assert.deepEqual(await part({ page_size: 2 }), ['three-page.example', 'two-page.example']);
  assert.deepEqual(await part({ page_size: 2, page_number: 1 }), ['one-page.example']);
  assert.deepEqual(await part({ page_size: 2, page_number: 2 }), []);
  for (const params of [
    { page_size: 101 },
    { page_size: -1 },
    { page_number: -1 },
    { page_number: 2_000_000_000 },
  ])
    assert.equal((await api(domainSteps.list(id, params))).code, INVALID, JSON.stringify(params));
  const [details] = members(
    ok(await api(domainSteps.list(id, { include: 'verification_details' }))),
    'domains',
  );
  assert.equal(details?.['txt_record_key'], '_gatewarden-challenge');
});

test('an attacker without a token learns of an origin only what they know already: whether an application is there', async (t) => {
  const api = await managementApi(t, gatewarden);
  await gatewarden.database.rows(sql`
    update clients set redirect_uris = '{https://app.acme.example/callback,http://localhost:3000/cb}' where id = ${gatewarden.client.id}`);
  const ask = async (origin: string) =>
    ok(await api(domainSteps.authorized(origin), undefined))['domains'] ?? [];
  assert.deepEqual(await ask('https://app.acme.example'), ['https://app.acme.example']);
  assert.deepEqual(await ask('app.acme.example'), ['https://app.acme.example']);
  assert.deepEqual(await ask('http://localhost:3000'), ['http://localhost:3000']);
  for (const origin of [
    'https://app.acme',
    'https://app.acme.example.evil',
    'https://acme.example',
    'http://app.acme.example',
    'https://app.acme.example:444',
    '*',
    '%',
    'https://app.acme.example/callback',
    'null',
    'https://',
  ])
    assert.deepEqual(await ask(origin), [], origin);
  assert.equal((await api(domainSteps.authorized('a'.repeat(301)), undefined)).code, INVALID);
});
