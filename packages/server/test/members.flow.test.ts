import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { changeOperator, deleteOperator, ensureFirstOperator } from '../src/operators/operators.ts';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Headers, operator } from './every-caller.ts';
import { managementToken } from './management-api.ts';

let gatewarden: TestGatewarden;
let client: Headers;
let owner: { id: string; headers: Headers };

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
  client = { authorization: `Bearer ${await managementToken(gatewarden)}` };
  owner = await operator(gatewarden, 'owner');
});

type Member = {
  id: string;
  email: string;
  role: string;
  first_name?: string;
  last_name?: string;
  metadata?: object;
};
type Body = {
  member?: Member;
  members?: Member[];
  total_size?: number;
  next_page_token?: string;
  code?: number;
  details?: {
    error_code: string;
    validation_error_info?: { field_violations: { field: string }[] };
  }[];
};

async function call(
  headers: Headers,
  verb: string,
  path: string,
  body?: unknown,
): Promise<{ code: number; body: Body; errorCode: string | undefined; field: string | undefined }> {
  const response = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method: verb,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Body;
  const detail = answer.details?.[0];
  return {
    code: response.ok ? 0 : (answer.code ?? -1),
    body: answer,
    errorCode: detail?.error_code,
    field: detail?.validation_error_info?.field_violations[0]?.field,
  };
}

async function events(
  type: string,
): Promise<{ data: Record<string, unknown>; actor_kind: string | null }[]> {
  return await gatewarden.database.rows(
    sql`select data, actor_kind from events where type = ${type} order by id`,
  );
}

test('members are made, read, listed, changed and removed; duplicates, unknown ones and bad members are refused', async () => {
  const made = await call(client, 'POST', '/members', {
    email: 'Ana@Example.com',
    role: 'ADMIN',
    first_name: 'Ana',
    metadata: { team: 'core' },
  });
  assert.equal(made.code, 0, JSON.stringify(made.body));
  const { id } = made.body.member ?? { id: '' };
  assert.match(id, /^mem_[0-9]{18,19}$/);
  const got = await call(client, 'GET', `/members/${id}`);
  assert.deepEqual(got.body, made.body);
  assert.equal(got.body.member?.role, 'ADMIN');
  assert.equal(got.body.member?.email, 'Ana@example.com');

  const twice = await call(client, 'POST', '/members', { email: 'ana@example.COM' });
  assert.deepEqual([twice.code, twice.field], [3, 'member.email']);
  for (const member of [
    undefined,
    {},
    { email: 'not an address' },
    { email: 'x@example.com', first_name: 'a'.repeat(201) },
    { email: 'x@example.com', first_name: 'a\0' },
    { email: 'x@example.com', metadata: { ab: 'too short a key' } },
  ])
    assert.equal((await call(client, 'POST', '/members', member)).code, 3, JSON.stringify(member));

  const changed = await call(client, 'PATCH', `/members/${id}`, { last_name: 'Lovelace' });
  const { first_name, last_name, metadata } = changed.body.member ?? {};
  assert.deepEqual([first_name, last_name, metadata], ['Ana', 'Lovelace', { team: 'core' }]);
  assert.equal((await call(client, 'PATCH', `/members/${id}`, {})).code, 0);
  assert.equal((await events('operator.updated')).length, 1, 'a change of nothing leaves no trace');

  for (const [verb, path] of [
    ['GET', '/members/mem_100000000000000001'],
    ['PATCH', '/members/mem_100000000000000001'],
    ['DELETE', '/members/mem_100000000000000001'],
  ] as const)
    assert.equal((await call(client, verb, path, verb === 'PATCH' ? {} : undefined)).code, 5, path);
  assert.equal((await call(client, 'GET', '/members/usr_100000000000000001')).code, 3);

  await call(client, 'POST', '/members', { email: 'ben@example.com' });
  const first = await call(client, 'GET', '/members?page_size=1');
  assert.equal(first.body.members?.[0]?.email, 'ben@example.com', 'newest first');
  assert.equal(first.body.members?.[0]?.role, 'USER', 'the least, where nothing is said');
  const second = await call(
    client,
    'GET',
    `/members?page_size=1&page_token=${encodeURIComponent(first.body.next_page_token ?? '')}`,
  );
  assert.equal(second.body.members?.[0]?.id, id);
  assert.equal(second.body.total_size, 3);
  assert.equal((await call(client, 'GET', '/members?page_token=%3E:abc')).code, 3);
  assert.equal((await call(client, 'GET', '/members?page_size=101')).code, 3);

  assert.equal((await call(client, 'DELETE', `/members/${id}`)).code, 0);
  assert.equal((await call(client, 'GET', `/members/${id}`)).code, 5);
  const [gone] = await events('operator.deleted');
  assert.deepEqual(
    [gone?.data, gone?.actor_kind],
    [{ operator_id: id, email: 'Ana@example.com', role: 'admin' }, 'environment-client'],
  );
});

test('the members of another environment are unknown here', async () => {
  const { rows } = gatewarden.database;
  const now = gatewarden.clock.now();
  await rows(
    sql`insert into environments (id, url, display_name, kind, created_at) values ('env_2', 'https://two.example.com', 'Two', 'DEVELOPMENT', ${now})`,
  );
  const id = 'mem_200000000000000001';
  await rows(sql`
    insert into operators (environment_id, id, email, email_key, role, created_at, updated_at)
    values ('env_2', ${id}, 'two@example.com', 'two@example.com', 'viewer', ${now}, ${now})`);
  for (const headers of [client, owner.headers]) {
    assert.equal((await call(headers, 'GET', `/members/${id}`)).code, 5);
    assert.equal((await call(headers, 'PATCH', `/members/${id}`, { first_name: 'x' })).code, 5);
    assert.equal((await call(headers, 'DELETE', `/members/${id}`)).code, 5);
  }
  const { body } = await call(client, 'GET', '/members?page_size=100');
  assert.ok(body.members?.every((member) => member.id !== id));
});

test('an operator is a member, a client is none; roles bound who manages members', async () => {
  const admin = await operator(gatewarden, 'admin');
  const viewer = await operator(gatewarden, 'viewer');
  for (const { id, headers } of [owner, admin, viewer])
    assert.equal((await call(headers, 'GET', '/members:this')).body.member?.id, id);
  assert.equal((await call(client, 'GET', '/members:this')).code, 7);
  assert.equal((await call(client, 'PATCH', '/members:this', { first_name: 'x' })).code, 7);
  const renamed = await call(admin.headers, 'PATCH', '/members:this', { first_name: 'Ada' });
  assert.deepEqual([renamed.body.member?.id, renamed.body.member?.first_name], [admin.id, 'Ada']);
  assert.equal((await call(viewer.headers, 'PATCH', '/members:this', { first_name: 'x' })).code, 7);
  for (const { headers } of [admin, viewer]) {
    assert.equal((await call(headers, 'POST', '/members', { email: 'mole@example.com' })).code, 7);
    assert.equal(
      (await call(headers, 'PATCH', `/members/${viewer.id}`, { first_name: 'x' })).code,
      7,
    );
    assert.equal((await call(headers, 'DELETE', `/members/${viewer.id}`)).code, 7);
  }
  assert.equal((await call(owner.headers, 'DELETE', `/members/${viewer.id}`)).code, 0);
  assert.equal((await call(viewer.headers, 'GET', '/members:this')).code, 16, 'signed out at once');
});

test('an environment keeps an owner: the last one is neither removed nor demoted, and a stolen client secret removes none', async () => {
  const ctx = gatewarden.context();
  const last = await call(owner.headers, 'DELETE', `/members/${owner.id}`);
  assert.deepEqual([last.code, last.errorCode], [9, 'LAST_OWNER']);
  const demoted = await changeOperator(ctx, owner.id, () => ({ role: 'admin' }));
  assert.equal(demoted.kind, 'last-owner');
  const second = await operator(gatewarden, 'owner', 'second@example.com');
  assert.equal((await call(client, 'DELETE', `/members/${second.id}`)).code, 7);
  assert.equal(
    (await call(owner.headers, 'GET', `/members/${second.id}`)).body.member?.role,
    'ADMIN',
  );
  assert.equal((await call(owner.headers, 'DELETE', `/members/${second.id}`)).code, 0);
});

test('two owners who remove, or demote, each other at once leave one', async () => {
  const ctx = gatewarden.context();
  const { environmentId } = ctx;
  const owners = async () =>
    await gatewarden.database.rows<{ id: string }>(
      sql`select id from operators where environment_id = ${environmentId} and role = 'owner'`,
    );
  for (let round = 0; round < 5; round += 1) {
    const other = await operator(gatewarden, 'owner', `race-${round}@example.com`);
    const [keep] = await owners();
    assert.ok(keep);
    const ids = (await owners()).map(({ id }) => id);
    assert.equal(ids.length, 2);
    const outcomes = await Promise.all(
      ids.map((id) =>
        round % 2 === 0
          ? deleteOperator(ctx, id)
          : changeOperator(ctx, id, () => ({ role: 'admin' })),
      ),
    );
    assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['last-owner', 'written']);
    assert.equal((await owners()).length, 1, `round ${round}, ${other.id}`);
  }
});

test('GATEWARDEN_OPERATOR_EMAIL names the owner of an environment without operators, once, whoever starts', async (t) => {
  const operatorEmail = 'first@example.com';
  const own = await startTestGatewarden(t, { engine: 'postgres', config: { operatorEmail } });
  const all = async () =>
    await own.database.rows<{ email: string; role: string }>(
      sql`select email, role from operators`,
    );
  assert.deepEqual(await all(), [{ email: operatorEmail, role: 'owner' }]);
  const other = {
    ...own.context(),
    config: { ...own.app.config, operatorEmail: 'late@example.com' },
  };
  await ensureFirstOperator(other);
  assert.equal((await all()).length, 1, 'whoever is there stays the only one');
  await own.database.rows(sql`delete from operators`);
  await Promise.all([1, 2, 3].map(() => ensureFirstOperator(other)));
  assert.deepEqual(await all(), [{ email: 'late@example.com', role: 'owner' }]);
  const bad = { ...other, config: { ...other.config, operatorEmail: 'nobody' } };
  await assert.rejects(ensureFirstOperator(bad), /GATEWARDEN_OPERATOR_EMAIL is "nobody"/);
});
