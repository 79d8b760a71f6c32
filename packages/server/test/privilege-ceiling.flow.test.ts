import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  sql,
  startTestGatewarden,
  type TestGatewarden,
  upsertDirectoryGroup,
} from '../src/testing.ts';
import { newDirectory } from './directory-steps.ts';
import { type Headers, join, organization, type Person, person } from './every-caller.ts';
import { type Api, managementApi, ok } from './management-api.ts';
import { roleSteps } from './role-steps.ts';

let gatewarden: TestGatewarden;
let api: Api;
let own: string;
let mcpServerId: string;
let lead: Person;
let peer: Person;
let boss: Person;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
  api = await managementApi(t as never, gatewarden);
  const server = await gatewarden.mcpServer({ serverUrl: 'https://mcp.example.com/mcp' });
  mcpServerId = server.id;
  own = await organization(gatewarden, 'Acme');
  const role = (name: string, permissions: string[], base?: string) =>
    api(
      roleSteps.create({
        name,
        display_name: name,
        permissions,
        ...(base === undefined ? {} : { extends: base }),
      }),
    );
  ok(await role('reader', ['sk_org_users_read']));
  ok(await role('team_lead', ['sk_org_users_role_change', 'sk_org_users_delete'], 'reader'));
  ok(await role('sneaky', [], 'admin'));
  const joined = async (email: string, roles: readonly string[]): Promise<Person> => {
    const one = await person(gatewarden, server.id, email);
    await join(gatewarden, { userId: one.userId, organizationId: own, roles });
    return one;
  };
  lead = await joined('lead+sktest@example.com', ['team_lead']);
  peer = await joined('peer+sktest@example.com', ['reader']);
  boss = await joined('boss+sktest@example.com', ['admin']);
});

async function call(headers: Headers, verb: string, path: string, body?: unknown) {
  const answer = await fetch(`${gatewarden.origin}/api/v1${path}`, {
    method: verb,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const { code } = JSON.parse(await answer.text()) as { code?: number };
  return { status: answer.status, code };
}

async function rolesOf({ userId }: Person): Promise<string> {
  const rows = await gatewarden.database.rows<{ name: string }>(sql`
    select r.name from membership_roles m join roles r on r.id = m.role_id where m.user_id = ${userId} order by r.name`);
  return rows.map(({ name }) => name).join(' ');
}

const rolesPath = ({ userId }: Person): string => `/organizations/${own}/users/${userId}/roles`;
const membershipPath = ({ userId }: Person): string =>
  `/memberships/organizations/${own}/users/${userId}`;
const forbidden = { status: 403, code: 7 };

test('whoever may change roles grants none with permissions they do not hold, neither to themselves nor to others (FSA-100: privilege escalation)', async () => {
  const events = async () =>
    await gatewarden.database.rows(sql`select id from events where organization_id = ${own}`);
  const before = (await events()).length;
  for (const who of [lead, peer]) {
    const kept = await rolesOf(who);
    for (const name of ['admin', 'sneaky']) {
      assert.deepEqual(
        await call(lead.headers, 'POST', rolesPath(who), [{ role_name: name }]),
        forbidden,
      );
      assert.deepEqual(
        await call(lead.headers, 'POST', rolesPath(who), [
          { role_name: 'reader' },
          { role_name: name },
        ]),
        forbidden,
      );
      const change = { roles: [{ name: 'reader' }, { name }] };
      assert.deepEqual(await call(lead.headers, 'PATCH', membershipPath(who), change), forbidden);
    }
    assert.equal(await rolesOf(who), kept);
  }
  assert.equal((await events()).length, before, 'refused calls leave no trace');
  assert.equal(
    (await call(lead.headers, 'POST', rolesPath(peer), [{ role_name: 'team_lead' }])).status,
    200,
  );
  assert.equal(await rolesOf(peer), 'reader team_lead');
  const back = { roles: [{ name: 'reader' }] };
  assert.equal((await call(lead.headers, 'PATCH', membershipPath(peer), back)).status, 200);
  assert.equal(await rolesOf(peer), 'reader');
});

test('nobody takes roles or the membership from a member who may do more than they (FSA-100)', async () => {
  const back = { roles: [{ name: 'reader' }] };
  assert.deepEqual(await call(lead.headers, 'PATCH', membershipPath(boss), back), forbidden);
  assert.deepEqual(await call(lead.headers, 'DELETE', `${rolesPath(boss)}/admin`), forbidden);
  assert.deepEqual(
    await call(lead.headers, 'POST', rolesPath(boss), [{ role_name: 'reader' }]),
    forbidden,
  );
  assert.deepEqual(await call(lead.headers, 'DELETE', membershipPath(boss)), forbidden);
  assert.equal(await rolesOf(boss), 'admin');
});

test('an administrator of the organization and the application grant what they like (FSA-100)', async () => {
  assert.equal(
    (await call(boss.headers, 'POST', rolesPath(peer), [{ role_name: 'admin' }])).status,
    200,
  );
  assert.equal((await call(boss.headers, 'DELETE', `${rolesPath(peer)}/admin`)).status, 200);
  assert.equal(await rolesOf(peer), 'reader');
});

test('whoever may set directories up gives its groups no role with permissions they do not hold, and takes none away (FSA-100: privilege escalation by way of a group)', async () => {
  const ctx = gatewarden.context();
  const path = `/organizations/${own}/directories`;
  const id = String((await newDirectory(api, own))['id']);
  const key = { environmentId: ctx.environmentId, organizationId: own, id };
  const everybody = { displayName: 'All', externalId: 'all', raw: { displayName: 'All' } };
  const outcome = await upsertDirectoryGroup(ctx, key, everybody);
  assert.equal(outcome.kind, 'created');
  const group_id = outcome.group.id;
  const assign = async (who: Person, ...names: string[]) =>
    await call(who.headers, 'PUT', `${path}/${id}/groups/-/roles:assign`, {
      assignments: names.map((role_name) => ({ group_id, role_name })),
    });
  ok(
    await api(
      roleSteps.create({
        name: 'provisioner',
        display_name: 'P',
        permissions: ['sk_org_scim_manage'],
      }),
    ),
  );
  const clerk = await person(gatewarden, mcpServerId, 'clerk+sktest@example.com');
  await join(gatewarden, { userId: clerk.userId, organizationId: own, roles: ['provisioner'] });
  for (const name of ['admin', 'sneaky', 'reader'])
    assert.deepEqual(await assign(clerk, name), forbidden, name);
  assert.equal((await assign(clerk, 'provisioner')).status, 200);
  assert.equal((await assign(boss, 'admin', 'provisioner')).status, 200);
  assert.deepEqual(await assign(clerk, 'provisioner'), forbidden, 'takes nobody above them down');
  assert.equal((await assign(clerk, 'admin', 'provisioner')).status, 200, 'as it was');
  assert.equal((await assign(boss)).status, 200);
});
