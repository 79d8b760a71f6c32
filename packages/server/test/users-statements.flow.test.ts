import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import type { Db } from '../src/storage/db.ts';
import { startTestGatewarden, type TestGatewarden, testPglite } from '../src/testing.ts';
import { type Api, managementApi, ok, type Step } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';
import { organizationRoleSteps } from './role-steps.ts';
import { memberSteps, newMember, userSteps } from './user-steps.ts';

const OURS =
  /\b(users|memberships|membership_roles|invitations|roles|role_permissions|organizations|grants|sessions|mails|events|row_counts)\b/;
const BACKGROUND = /skip locked|next_attempt_at/;

let gatewarden: TestGatewarden;
let statements: string[] = [];

/** Remembers statements of calls about people; what runs in the background does not disturb. */
function remembering<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text) && !BACKGROUND.test(query.text)) statements.push(query.text);
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(remembering(tx))),
  };
}

before(async (t) => {
  const database = remembering(await testPglite(t as never));
  gatewarden = await startTestGatewarden(t as never, { database });
});

const idOf = (thing: JsonObject): string => String(thing['id']);

async function cost(api: Api, step: Step): Promise<number> {
  statements = [];
  ok(await api(step));
  return statements.length;
}

/** An organization with so many roles and members, each with so many roles and other organizations. */
async function crowd(api: Api, size: number): Promise<{ organization: string; users: string[] }> {
  const organization = idOf(await newOrganization(api));
  const elsewhere: string[] = [];
  for (let index = 0; index < size; index += 1) elsewhere.push(idOf(await newOrganization(api)));
  const roles = Array.from({ length: size }, (_, index) => ({ name: `own_${index}` }));
  for (const { name } of roles)
    ok(await api(organizationRoleSteps(organization).create({ name, display_name: name })));
  const users: string[] = [];
  for (let index = 0; index < size + 3; index += 1) {
    const user = idOf(await newMember(api, organization, { membership: { roles } }));
    for (const other of elsewhere) ok(await api(memberSteps(other).join(user)));
    users.push(user);
  }
  return { organization, users };
}

test('how many statements a call about people takes depends neither on how many there are nor on what they have', async (t) => {
  const api = await managementApi(t, gatewarden);
  let sent = 0;
  const costs = async (size: number): Promise<Record<string, number>> => {
    const { organization, users } = await crowd(api, size);
    const [user = '', second = '', third = ''] = users;
    const own = memberSteps(organization);
    const roles = Array.from({ length: size }, (_, index) => ({ name: `own_${index}` }));
    const fresh = (): string => {
      sent += 1;
      return `cost${sent}@example.com`;
    };
    const seen: Record<string, number> = {};
    for (const [name, step] of Object.entries({
      get: userSteps.get(user),
      list: userSteps.list({ page_size: 100 }),
      search: userSteps.search({ query: 'example.com' }),
      members: own.list({ page_size: 100 }),
      searchMembers: own.search({ query: 'example.com' }),
      update: userSteps.update(user, { metadata: { plan: `p${size}` } }),
      create: own.create({ email: fresh(), membership: { roles } }, false),
      invite: own.create({ email: fresh(), membership: { roles } }, true),
      change: own.change(user, { roles, metadata: { desk: `d${size}` } }),
      assign: own.assign(
        user,
        roles.map(({ name }) => ({ role_name: name })),
      ),
      withdraw: own.withdraw(user, 'own_0'),
      roles: own.roles(user),
      permissions: own.permissions(user),
      leave: own.leave(second),
      delete: userSteps.delete(third),
      close: organizationSteps.delete(organization),
    }))
      seen[name] = await cost(api, step);
    return seen;
  };
  const few = await costs(1);
  assert.deepEqual(await costs(6), few);
  const most: Record<string, number> = {
    get: 3,
    list: 4,
    search: 4,
    members: 5,
    searchMembers: 5,
    update: 5,
    create: 9,
    invite: 11,
    change: 11,
    assign: 9,
    withdraw: 7,
    roles: 1,
    permissions: 2,
    leave: 9,
    delete: 9,
    close: 10,
  };
  for (const [name, count] of Object.entries(few))
    assert.ok(count <= (most[name] ?? 0), `${name}: ${count} statements`);
});
