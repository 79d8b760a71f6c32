import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { environmentConnectionSteps as environment, newConnection } from './connection-steps.ts';
import { type Headers, organization, portal } from './every-caller.ts';
import { managementApi, member, ok } from './management-api.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

type Answer = { readonly status: number; readonly body: Record<string, unknown> };

async function call(headers: Headers, verb: string, path: string, body?: unknown): Promise<Answer> {
  const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method: verb,
    headers: { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}

test('an attacker with a portal cannot claim a domain by saying so: it has to be proven by DNS (SSO-47)', async () => {
  const acme = await organization(gatewarden, 'Acme');
  await gatewarden.database.rows(
    sql`update organizations set settings = '{"features": {"sso": true}}' where id = ${acme}`,
  );
  const { headers } = await portal(gatewarden, acme, ['sso']);
  // The second one too: it would suggest the attacker's organization to the victim's people.
  for (const domain_type of ['ORGANIZATION_DOMAIN', 'ALLOWED_EMAIL_DOMAIN']) {
    const claim = { domain: 'victim.example', domain_type };
    const { status, body } = await call(headers, 'POST', `/organizations/${acme}/domains`, claim);
    assert.equal(status, 200, JSON.stringify(body));
    const made = body['domain'] as Record<string, unknown>;
    assert.deepEqual(
      [made['domain_type'], made['verification_method'], made['verification_status']],
      [domain_type, 'DNS', 'PENDING'],
    );
    assert.match(String(made['txt_record_secret']), /^.{43}$/);
    const path = `/organizations/${acme}/domains/${made['id']}`;
    const { verification_status } = (await call(headers, 'GET', path)).body['domain'] as Record<
      string,
      unknown
    >;
    assert.equal(verification_status, 'PENDING');
  }
});

test('pages about a connection keep notes of their own organization, whoever the connection belongs to', async (t) => {
  const api = await managementApi(t, gatewarden);
  const acme = await organization(gatewarden, 'Acme');
  const other = await organization(gatewarden, 'Other');
  const own = String((await newConnection(api, acme))['id']);
  const theirs = String((await newConnection(api, other))['id']);
  const social = environment.create({ provider: 'GITHUB', type: 'OAUTH' });
  const shared = String(member(ok(await api(social)), 'connection')['id']);
  const { headers } = await portal(gatewarden, acme, ['sso']);
  const stranger = await portal(gatewarden, other, ['sso']);
  const path = (organizationId: string, id: string) =>
    `/organizations/${organizationId}/connections/${id}/contexts`;
  for (const id of [own, shared]) {
    const empty = await call(headers, 'GET', path(acme, id));
    assert.deepEqual([empty.status, empty.body], [200, { context: {} }]);
    const notes = { step: 'metadata', done: [1, 2] };
    assert.equal((await call(headers, 'PUT', path(acme, id), notes)).status, 200);
    assert.deepEqual((await call(headers, 'GET', path(acme, id))).body, { context: notes });
  }
  const unseen = await call(stranger.headers, 'GET', path(other, shared));
  assert.deepEqual(unseen.body, { context: {} });
  for (const [who, at] of [
    [headers, path(acme, theirs)],
    [headers, path(other, theirs)],
    [stranger.headers, path(other, own)],
    [headers, path(acme, 'conn_123456789012345678')],
  ] as const) {
    assert.equal((await call(who, 'GET', at)).status, 404, at);
    assert.equal((await call(who, 'PUT', at, { step: 'stolen' })).status, 404, at);
  }
  const nameless = `/connections/${shared}/contexts`;
  assert.equal((await call(headers, 'PUT', nameless, { step: 'for all' })).status, 400);
  assert.equal(
    (await call(headers, 'PUT', path(acme, own), { text: 'x'.repeat(17_000) })).status,
    400,
  );
  for (const text of ['\u0000', '\ud800', 'a\udfff', '\\\ud800'])
    for (const notes of [{ text }, { [text]: 'text' }, { list: [{ text }] }])
      assert.equal((await call(headers, 'PUT', path(acme, own), notes)).status, 400, text);
  const fine = { text: '💩 \\u0000 \\ud800', '\\\\ud800': 1 };
  assert.equal((await call(headers, 'PUT', path(acme, own), fine)).status, 200);
  assert.deepEqual((await call(headers, 'GET', path(acme, own))).body, { context: fine });
  assert.equal((await call(headers, 'GET', path(acme, 'own'))).status, 400);
});

test('a portal reads how trying out a connection of its own organization went, and of no other (SSO-53)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const acme = await organization(gatewarden, 'Acme');
  const other = await organization(gatewarden, 'Other');
  const social = environment.create({ provider: 'GITLAB', type: 'OAUTH' });
  const shared = String(member(ok(await api(social)), 'connection')['id']);
  const [own, theirs] = [await newConnection(api, acme), await newConnection(api, other)];
  const { environmentId } = gatewarden.context();
  const ids = [String(own['id']), String(theirs['id']), shared];
  for (const [index, id] of ids.entries())
    await gatewarden.database.rows(sql`
      insert into connection_test_requests (environment_id, id, connection_id, status, user_info, created_at)
      values (${environmentId}, ${`test_10000000000000000${index}`}, ${id}, 'SUCCESS', '{"email": "ada@acme.example"}', now())`);
  const path = (index: number, at = index) =>
    `/connections/${ids[at]}/test-requests/test_10000000000000000${index}`;
  const { headers } = await portal(gatewarden, acme, ['sso']);
  const { status, body } = await call(headers, 'GET', path(0));
  assert.deepEqual(
    [status, body['status'], body['user_info']],
    [200, 'SUCCESS', '{"email":"ada@acme.example"}'],
  );
  for (const at of [path(1), path(2), path(1, 0), path(0, 1)])
    assert.equal((await call(headers, 'GET', at)).status, 404, at);
  const directories = await portal(gatewarden, acme, ['dir_sync']);
  assert.equal((await call(directories.headers, 'GET', path(0))).status, 403);
});
