import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { sql, startTestGatewarden } from '../src/testing.ts';
import { ACME, ANA, BOB, GLOBEX, type KeySite, keySite, keys, newKey } from './api-key-steps.ts';
import {
  type Api,
  managementApi,
  managementToken,
  member,
  members,
  ok,
  protocols,
  type Step,
} from './management-api.ts';

const NOT_VALID = [5, 'API_KEY_NOT_VALID'];
let site: KeySite;

before(async (t) => {
  site = await keySite(t as never);
});

const refusalOf = async (api: Api, step: Step): Promise<unknown[]> => {
  const { code, errorCode } = await api(step);
  return [code, errorCode];
};

for (const protocol of protocols) {
  test(`over ${protocol} a key is shown once, says what it stands for, and is dead as soon as it is revoked (FSA-78)`, async (t) => {
    const api = await managementApi(t, site.gatewarden, protocol);
    const claims = { env: 'production', scope: 'read' };
    const expiry = '2099-01-02T03:04:05.678Z';
    const made = await newKey(api, {
      user_id: ANA,
      custom_claims: claims,
      description: 'CI',
      expiry,
    });
    assert.match(made.key, /^gwk_[0-9A-Za-z]{49}$/);
    assert.match(made.id, /^apit_[0-9]{15,19}$/);
    const { created_at: created, ...info } = made.info;
    assert.ok(Date.parse(String(created)) <= Date.now() + 1000);
    assert.deepEqual(info, {
      token_id: made.id,
      organization_id: ACME,
      organization_external_id: 'acme-1',
      user_id: ANA,
      user_external_id: `x-${ANA}`,
      email: 'ana@example.com',
      roles: ['admin'],
      custom_claims: claims,
      description: 'CI',
      expiry,
      token_suffix: made.key.slice(-4),
    });
    for (const name of [made.key, made.id])
      assert.deepEqual(member(ok(await api(keys.validate(name))), 'token_info'), made.info);
    const shown = ok(await api(keys.list({ organization_id: ACME })));
    assert.deepEqual(members(shown, 'tokens')[0], made.info);
    assert.ok(!JSON.stringify(shown).includes(made.key), 'a list never shows the key');

    const plain = await newKey(api);
    for (const absent of ['user_id', 'email', 'roles', 'expiry', 'description'])
      assert.equal(plain.info[absent], undefined, absent);
    const events = (await site.told('api_key.revoked')).length;
    ok(await api(keys.invalidate(plain.id)));
    ok(await api(keys.invalidate(plain.key)));
    ok(await api(keys.invalidate(made.key)));
    assert.equal(
      (await site.told('api_key.revoked')).length,
      events + 2,
      'a second time is no event',
    );
    for (const name of [plain.key, plain.id, made.key, made.id])
      assert.deepEqual(await refusalOf(api, keys.validate(name)), NOT_VALID);
    assert.equal(ok(await api(keys.list({ organization_id: ACME })))['total_count'], undefined);
    assert.deepEqual(await refusalOf(api, keys.update(made.id, { description: 'x' })), NOT_VALID);
  });
}

test('malformed, unknown, expired, revoked and a stranger’s are one answer, and never 16 (FSA-78, probing)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { key } = await newKey(api);
  const hostile = [
    'x',
    'apit_1',
    'apit_123456789012345678',
    `${key.slice(0, -1)}${key.endsWith('x') ? 'y' : 'x'}`,
    ` ${key}`,
    key.toLowerCase(),
    `Bearer ${key}`,
    "' or true --",
    '\u0000',
    '%00',
    'x'.repeat(100_000),
    (await managementToken(site.gatewarden)).slice(0, 500),
  ];
  for (const presented of hostile)
    for (const step of [keys.validate(presented), keys.invalidate(presented)])
      assert.deepEqual(await refusalOf(api, step), NOT_VALID, presented.slice(0, 40));
  for (const step of [keys.validate(''), keys.invalidate(''), keys.update('', {})])
    assert.equal((await api(step)).code, 3);
  assert.equal((await api(keys.validate(key))).code, 0);
  const own = [keys.validate(key), keys.list({ organization_id: ACME })];
  for (const step of own) assert.equal((await api(step, `Bearer ${key}`)).code, 16);
  const [row] = await site.db.rows<{ row: string }>(
    sql`select row_to_json(k)::text as row from api_keys k order by id desc limit 1`,
  );
  assert.ok(row && !row.row.includes(key), 'the key is not stored');
  ok(await api(keys.invalidate(key)));
});

test('a key that has run out is dead and in no list (FSA-78)', async (t) => {
  const own = await startTestGatewarden(t);
  const api = await managementApi(t, own);
  await own.database.rows(sql`
    insert into organizations (environment_id, id, display_name, created_at, updated_at)
    select id, ${ACME}, 'Acme', now(), now() from environments`);
  const expiry = new Date(own.clock.now().getTime() + 60_000).toISOString();
  const { key, id } = await newKey(api, { expiry });
  await newKey(api);
  assert.equal(ok(await api(keys.list({ organization_id: ACME })))['total_count'], 2);
  own.clock.advance({ seconds: 61 });
  for (const name of [key, id])
    assert.deepEqual(await refusalOf(api, keys.validate(name)), NOT_VALID);
  const left = ok(await api(keys.list({ organization_id: ACME })));
  assert.deepEqual([left['total_count'], members(left, 'tokens').length], [1, 1]);
  ok(await api(keys.invalidate(id)));
});

test('a key follows the membership: away, switched off or disabled, the key is dead at once, and joining again revives nothing (FSA-78)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  assert.deepEqual(
    await refusalOf(api, keys.create({ organization_id: GLOBEX, user_id: BOB })),
    [5, 'MEMBERSHIP_NOT_FOUND'],
    'only for members',
  );
  await site.join(GLOBEX, BOB);
  const { key } = await newKey(api, { organization_id: GLOBEX, user_id: BOB });
  const state = async (change: ReturnType<typeof sql>) => {
    await site.db.rows(change);
    return (await api(keys.validate(key))).code;
  };
  const status = (value: string) =>
    sql`update memberships set status = ${value} where organization_id = ${GLOBEX}`;
  const enabled = (value: boolean) => sql`update users set enabled = ${value} where id = ${BOB}`;
  for (const [change, code] of [
    [status('INACTIVE'), 5],
    [status('PENDING_INVITE'), 5],
    [status('ACTIVE'), 0],
    [enabled(false), 5],
    [enabled(true), 0],
  ] as const)
    assert.equal(await state(change), code);
  await site.db.rows(status('INACTIVE'));
  assert.equal((await api(keys.create({ organization_id: GLOBEX, user_id: BOB }))).code, 5);
  await site.leave(GLOBEX, BOB);
  assert.deepEqual(await refusalOf(api, keys.validate(key)), NOT_VALID);
  await site.join(GLOBEX, BOB);
  assert.deepEqual(await refusalOf(api, keys.validate(key)), NOT_VALID);
  const again = await newKey(api, { organization_id: GLOBEX, user_id: BOB });
  await site.db.rows(sql`delete from organizations where id = ${GLOBEX}`);
  assert.deepEqual(await refusalOf(api, keys.validate(again.key)), NOT_VALID);
  await site.db.rows(sql`
    insert into organizations (environment_id, id, display_name, created_at, updated_at)
    values (${site.gatewarden.context().environmentId}, ${GLOBEX}, 'Customer', now(), now())`);
});

test('what a key cannot have is refused by name, and leaves no trace (FSA-78)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const count = async () => (await site.db.rows(sql`select id from api_keys`)).length;
  const earlier = [await count(), (await site.told('api_key.created')).length];
  const many = Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, 'v']));
  const refused: [JsonObject, number, string[]][] = [
    [{ organization_id: 'acme' }, 3, ['token.organization_id']],
    [{ organization_id: '' }, 3, ['token.organization_id']],
    [{ organization_id: 'org_999999999999999' }, 5, []],
    [{ user_id: 'ana' }, 3, ['token.user_id']],
    [{ user_id: 'usr_999999999999999999' }, 5, []],
    [{ user_id: BOB }, 5, []],
    [{ description: 'x'.repeat(256) }, 3, ['token.description']],
    [{ description: 'a\0' }, 3, ['token.description']],
    [{ custom_claims: { a: '\0' } }, 3, ['token.custom_claims']],
    [{ custom_claims: many }, 3, ['token.custom_claims']],
    [{ custom_claims: { a: '' } }, 3, ['token.custom_claims["a"]']],
    [{ custom_claims: { a: 'v'.repeat(257) } }, 3, ['token.custom_claims["a"]']],
    [{ custom_claims: { ['k'.repeat(31)]: 'v' } }, 3, [`token.custom_claims["${'k'.repeat(31)}"]`]],
    [{ expiry: new Date().toISOString() }, 3, ['token.expiry']],
    [{ expiry: '0001-01-01T00:00:00Z' }, 3, ['token.expiry']],
  ];
  for (const [token, code, fields] of refused) {
    const answer = await api(keys.create({ organization_id: ACME, ...token }));
    assert.deepEqual([answer.code, answer.fields], [code, fields], JSON.stringify(token));
  }
  for (const list of [
    { organization_id: 'acme' },
    { organization_id: ACME, user_id: 'ana' },
    { organization_id: ACME, page_size: '31' },
    { organization_id: ACME, page_size: '-1' },
    { organization_id: ACME, page_token: 'x' },
  ])
    assert.equal((await api(keys.list(list))).code, 3, JSON.stringify(list));
  assert.equal((await api(keys.list({ organization_id: 'org_999999999999999' }))).code, 5);
  assert.deepEqual([await count(), (await site.told('api_key.created')).length], earlier);
});

test('callers of an older version add claims, newer ones send them all; two at once lose nothing (contract: ApiTokenService)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const authorization = `Bearer ${await managementToken(site.gatewarden)}`;
  const update = async (version: string | undefined, change: JsonObject): Promise<JsonObject> => {
    const answer = await fetch(`${site.gatewarden.origin}/api/v1/tokens:update`, {
      method: 'POST',
      headers: {
        authorization,
        'content-type': 'application/json',
        ...(version === undefined ? {} : { 'x-api-version': version }),
      },
      body: JSON.stringify({ token: key, ...change }),
    });
    assert.equal(answer.status, 200, String(version));
    return member((await answer.json()) as JsonObject, 'token_info');
  };
  const { key } = await newKey(api, { custom_claims: { env: 'a', scope: 'b' }, description: 'CI' });
  const changes: [string | undefined, JsonObject, JsonObject][] = [
    [undefined, { env: 'x', team: 'c' }, { env: 'x', scope: 'b', team: 'c' }],
    ['20260513', { team: '' }, { env: 'x', scope: 'b' }],
    ['20260715', { k: 'v' }, { env: 'x', scope: 'b', k: 'v' }],
    ['20260716', { env: 'y', team: 'd' }, { env: 'y', team: 'd' }],
    ['20260727', {}, { env: 'y', team: 'd' }],
    ['latest', { z: '1' }, { env: 'y', team: 'd', z: '1' }],
    ['20270101', { only: 'this', gone: '' }, { only: 'this' }],
  ];
  for (const [version, sent, left] of changes)
    assert.deepEqual((await update(version, { custom_claims: sent }))['custom_claims'], left);
  assert.equal((await update(undefined, {}))['description'], 'CI');
  assert.equal((await update(undefined, { description: 'New' }))['description'], 'New');
  assert.equal((await update(undefined, { description: '' }))['description'], undefined);

  const names = Array.from({ length: 10 }, (_, index) => `claim${index}`);
  await Promise.all(names.map((name) => update(undefined, { custom_claims: { [name]: 'v' } })));
  const info = member(ok(await api(keys.validate(key))), 'token_info');
  assert.deepEqual(Object.keys(member(info, 'custom_claims')).sort(), [...names, 'only'].sort());
  const ten = Object.fromEntries(names.map((name) => [`more-${name}`, 'v']));
  const full = await api(keys.update(key, { custom_claims: ten }));
  assert.deepEqual([full.code, full.fields], [3, ['custom_claims']], 'twenty in all');
  ok(await api(keys.invalidate(key)));
});

test('pages go both ways, for an organization or one member, over keys that count', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const ids: string[] = [];
  for (let index = 0; index < 7; index += 1)
    ids.unshift((await newKey(api, index % 2 === 0 ? { user_id: ANA } : {})).id);
  ok(await api(keys.invalidate(ids[2] ?? '')));
  ids.splice(2, 1);
  const shown = (body: JsonObject): unknown[] =>
    members(body, 'tokens').map(({ token_id: id }) => id);
  const first = ok(await api(keys.list({ organization_id: ACME, page_size: '4' })));
  assert.deepEqual([shown(first), first['total_count']], [ids.slice(0, 4), 6]);
  const next = {
    organization_id: ACME,
    page_size: '4',
    page_token: String(first['next_page_token']),
  };
  const second = ok(await api(keys.list(next)));
  assert.deepEqual([shown(second), second['next_page_token']], [ids.slice(4), undefined]);
  const back = { ...next, page_token: String(second['prev_page_token']) };
  assert.deepEqual(shown(ok(await api(keys.list(back)))), ids.slice(0, 4));
  assert.equal(
    (await api(keys.list({ ...next, user_id: ANA }))).code,
    3,
    'a token of another list',
  );
  const own = ok(await api(keys.list({ organization_id: ACME, user_id: ANA })));
  assert.deepEqual([own['total_count'], shown(own).length], [3, 3]);
  assert.equal(
    ok(await api(keys.list({ organization_id: ACME, user_id: BOB })))['total_count'],
    undefined,
  );
});
