import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Db, sql } from '../storage/db.ts';
import { engines, openTestDatabase } from '../testing/databases.ts';
import { findContext, findTestResult, writeContext } from './connection-details.store.ts';
import {
  findConnectionById,
  listConnectionsForDomain,
  listConnectionsInUse,
} from './connections.store.ts';

const environmentId = 'env_1';
const now = new Date('2026-05-01T12:00:00Z');
const [ACME, OTHER] = ['org_100000000000000001', 'org_100000000000000002'];

async function begin(db: Db): Promise<void> {
  await db.rows(sql`
    insert into environments (id, url, display_name, kind, created_at) values (${environmentId}, 'https://e.example', '', 'DEVELOPMENT', ${now})`);
  for (const id of [ACME, OTHER])
    await db.rows(sql`
      insert into organizations (environment_id, id, display_name, created_at, updated_at) values (${environmentId}, ${id}, ${id}, ${now}, ${now})`);
}

async function connection(
  db: Db,
  id: string,
  by: { organizationId?: string; enabled?: boolean } = {},
): Promise<void> {
  await db.rows(sql`
    insert into connections (environment_id, id, organization_id, type, provider, provider_key, enabled, status, created_at, updated_at)
    values (${environmentId}, ${id}, ${by.organizationId}, 'OIDC', 'OKTA', 'OKTA', ${by.enabled ?? true}, 'COMPLETED', ${now}, ${now})`);
}

async function domain(
  db: Db,
  name: string,
  by: { organizationId: string; type?: string; status?: string },
): Promise<void> {
  await db.rows(sql`
    insert into domains (environment_id, id, organization_id, domain, domain_type, verification_method, verification_status, created_at, updated_at)
    values (${environmentId}, ${`dom_${name}`}, ${by.organizationId}, ${name}, ${by.type ?? 'ORGANIZATION_DOMAIN'}, 'DNS', ${by.status ?? 'VERIFIED'}, ${now}, ${now})`);
}

async function assign(db: Db, connectionId: string, name: string): Promise<void> {
  await db.rows(sql`
    insert into connection_domains (environment_id, organization_id, connection_id, domain_id) values (${environmentId}, ${ACME}, ${connectionId}, ${`dom_${name}`})`);
}

for (const engine of engines) {
  test(`a domain leads to the connections in use of its owner: those it was assigned to, then the oldest (SSO-3, ${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await begin(db);
    const found = async (name: string) =>
      (await listConnectionsForDomain(db, { environmentId, domain: name })).map(({ id }) => id);
    await connection(db, 'conn_1', { organizationId: ACME });
    await connection(db, 'conn_2', { organizationId: ACME });
    await connection(db, 'conn_3', { organizationId: ACME, enabled: false });
    await connection(db, 'conn_4', { organizationId: OTHER });
    await connection(db, 'conn_5');
    await domain(db, 'acme.example', { organizationId: ACME });
    await domain(db, 'sub.acme.example', { organizationId: ACME });
    await domain(db, 'pending.example', { organizationId: ACME, status: 'PENDING' });
    await domain(db, 'failed.example', { organizationId: ACME, status: 'FAILED' });
    await domain(db, 'admin.example', { organizationId: OTHER, status: 'AUTO_VERIFIED' });
    const type = 'ALLOWED_EMAIL_DOMAIN';
    await domain(db, 'suggested.example', { organizationId: ACME, type, status: 'AUTO_VERIFIED' });

    assert.deepEqual(await found('acme.example'), ['conn_1', 'conn_2']);
    assert.deepEqual(await found('admin.example'), ['conn_4']);
    for (const nowhere of [
      'ACME.example',
      'x.acme.example',
      'pending.example',
      'failed.example',
      'suggested.example',
      'unknown.example',
    ])
      assert.deepEqual(await found(nowhere), [], nowhere);
    await assign(db, 'conn_2', 'acme.example');
    assert.deepEqual(await found('acme.example'), ['conn_2', 'conn_1']);
    assert.deepEqual(await found('sub.acme.example'), ['conn_1'], 'the other one is for its own');
    await assign(db, 'conn_3', 'sub.acme.example');
    assert.deepEqual(
      await found('sub.acme.example'),
      ['conn_1'],
      'one that is disabled leads nowhere',
    );

    const inUse = await listConnectionsInUse(db, { environmentId, organizationId: ACME });
    assert.deepEqual(
      inUse.map(({ id }) => id),
      ['conn_1', 'conn_2'],
    );
    const disabled = await findConnectionById(db, { environmentId, id: 'conn_3' });
    assert.deepEqual([disabled?.enabled, disabled?.organizationId], [false, ACME]);
    assert.equal(await findConnectionById(db, { environmentId: 'env_2', id: 'conn_3' }), undefined);
    await db.rows(
      sql`delete from organizations where environment_id = ${environmentId} and id = ${ACME}`,
    );
    const left = await db.rows<{ id: string }>(
      sql`select id from connections union all select id from domains order by id`,
    );
    assert.deepEqual(
      left.map(({ id }) => id),
      ['conn_4', 'conn_5', 'dom_admin.example'],
    );
  });

  test(`notes about a connection are each organization's own, and those of others cannot be reached (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await begin(db);
    await connection(db, 'conn_1', { organizationId: ACME });
    await connection(db, 'conn_2');
    const key = (connectionId: string, organizationId?: string) => ({
      environmentId,
      connectionId,
      organizationId,
    });
    const write = async (connectionId: string, organizationId: string | undefined, step: number) =>
      await writeContext(db, { ...key(connectionId, organizationId), context: { step }, now });
    assert.deepEqual(await findContext(db, key('conn_1', ACME)), {});
    assert.equal(await write('conn_1', ACME, 1), true);
    assert.equal(await write('conn_1', ACME, 2), true);
    assert.deepEqual(await findContext(db, key('conn_1', ACME)), { step: 2 });
    for (const stranger of [key('conn_1', OTHER), key('conn_1'), key('conn_9', ACME)]) {
      assert.equal(await findContext(db, stranger), undefined);
      assert.equal(await writeContext(db, { ...stranger, context: {}, now }), false);
    }
    for (const [organizationId, step] of [
      [ACME, 3],
      [OTHER, 4],
      [undefined, 5],
    ] as const)
      await write('conn_2', organizationId, step);
    assert.deepEqual(await findContext(db, key('conn_2', ACME)), { step: 3 });
    assert.deepEqual(await findContext(db, key('conn_2', OTHER)), { step: 4 });
    assert.deepEqual(await findContext(db, key('conn_2')), { step: 5 });
    await assert.rejects(write('conn_2', 'org_100000000000000009', 6));
  });

  test(`how trying a connection out went is found by both ids (${engine})`, async (t) => {
    const db = await openTestDatabase(t, engine);
    await begin(db);
    await connection(db, 'conn_1');
    await connection(db, 'conn_2');
    await db.rows(sql`
      insert into connection_test_requests (environment_id, id, connection_id, status, user_info, error, created_at) values
        (${environmentId}, 'test_1', 'conn_1', 'SUCCESS', '{"email": "a@acme.example"}', null, ${now}),
        (${environmentId}, 'test_2', 'conn_1', 'FAILURE', null, 'invalid_id_token', ${now})`);
    const result = async (connectionId: string, id: string) =>
      await findTestResult(db, { environmentId, connectionId, id });
    const success = await result('conn_1', 'test_1');
    assert.deepEqual(
      [success?.status, success?.userInfo],
      ['SUCCESS', { email: 'a@acme.example' }],
    );
    const failure = await result('conn_1', 'test_2');
    assert.deepEqual(
      [failure?.status, failure?.error, failure?.userInfo],
      ['FAILURE', 'invalid_id_token', undefined],
    );
    assert.equal(await result('conn_2', 'test_1'), undefined);
  });
}
