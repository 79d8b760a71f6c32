import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { readMailbox } from '../src/email/mails.ts';
import { asPage } from '../src/testing/cookie-browser.ts';
import { cookieBrowser, sql, startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Api, managementApi, members, ok } from './management-api.ts';
import { newOrganization, organizationSteps } from './organization-steps.ts';
import { roleSteps } from './role-steps.ts';
import { memberSteps, newMember, userSteps } from './user-steps.ts';

// Only PostgreSQL has a second connection, so only there calls really meet.
let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

const MEETINGS = 4;
const idOf = (thing: JsonObject): string => String(thing['id']);
const codesOf = (answers: readonly { code: number }[]): number[] =>
  answers.map(({ code }) => code).sort((a, b) => a - b);
const ten = <T>(make: (index: number) => T): T[] =>
  Array.from({ length: 10 }, (_, index) => make(index));
const anOrganization = async (api: Api): Promise<string> => idOf(await newOrganization(api));

test('of ten calls at once that create one address, take one external id, or delete one person, one succeeds (FSA-62)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const own = memberSteps(await anOrganization(api));
  const others = memberSteps(await anOrganization(api));
  const created = await Promise.all(
    ten((index) =>
      api((index % 2 ? own : others).create({ email: `Once@example.com` }, index < 5)),
    ),
  );
  assert.deepEqual(codesOf(created), [0, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
  const mails = await readMailbox(gatewarden.context(), {
    recipient: 'once@example.com',
    limit: 20,
  });
  assert.ok(mails.length <= 1, 'a refused call sends no mail');
  const people = await Promise.all(
    ten((index) => api(own.create({ email: `p${index}@example.com` }, false))),
  );
  const users = people.map((answer) => String((ok(answer)['user'] as JsonObject)['id']));
  const taken = await Promise.all(
    users.map((user) => api(userSteps.update(user, { external_id: 'one' }))),
  );
  assert.deepEqual(codesOf(taken), [0, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
  const deleted = await Promise.all(ten(() => api(userSteps.delete(users[0] ?? ''))));
  assert.deepEqual(codesOf(deleted), [0, 5, 5, 5, 5, 5, 5, 5, 5, 5]);
});

test('of ten browsers that accept one invitation at once, one does (FSA-64)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const user = await newMember(api, await anOrganization(api), {}, true);
  const [mail] = await readMailbox(gatewarden.context(), {
    recipient: String(user['email']),
    limit: 1,
  });
  const visits = await Promise.all(
    ten(async () => {
      const browser = cookieBrowser(gatewarden.origin);
      return { browser, page: asPage(await browser.open(mail?.link ?? '')) };
    }),
  );
  const seen = await Promise.all(
    visits.map(async ({ browser, page }) =>
      asPage(await browser.submit(page, { action: 'accept' })),
    ),
  );
  assert.equal(seen.filter(({ status }) => status === 200).length, 1);
  assert.deepEqual([...new Set(seen.map(({ error }) => error))].sort(), [
    'invitation_expired',
    undefined,
  ]);
  const rows = await gatewarden.database.rows(
    sql`select id from events where user_id = ${idOf(user)} and type = 'user.organization_membership_created'`,
  );
  assert.equal(rows.length, 1);
  const sessions = await gatewarden.database.rows(
    sql`select id from sessions where user_id = ${idOf(user)}`,
  );
  assert.equal(sessions.length, 1);
});

test('ten who join an organization for three at once are three (FSA-56)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const elsewhere = await anOrganization(api);
  ok(await api(organizationSteps.setUserManagement(organization, { max_allowed_users: 3 })));
  const users: string[] = [];
  for (let index = 0; index < 5; index += 1) users.push(idOf(await newMember(api, elsewhere)));
  const own = memberSteps(organization);
  const answers = await Promise.all([
    ...users.map((user) => api(own.join(user))),
    ...users.map((_, index) =>
      api(own.create({ email: `crowd${index}@example.com` }, index % 2 === 0)),
    ),
  ]);
  assert.deepEqual(codesOf(answers), [0, 0, 0, 9, 9, 9, 9, 9, 9, 9]);
  assert.equal(ok(await api(own.list()))['total_size'], 3);
});

test('a role that is given to somebody while it is deleted is either kept or not given (FSA-74)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const organization = await anOrganization(api);
  const own = memberSteps(organization);
  const [ana, bea] = [
    idOf(await newMember(api, organization)),
    idOf(await newMember(api, organization)),
  ];
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const name = `met_${meeting}`;
    ok(await api(roleSteps.create({ name, display_name: name })));
    const [assigned, deleted] = await Promise.all([
      api(own.assign(ana, [{ role_name: name }])),
      api(roleSteps.delete(name)),
    ]);
    assert.ok(
      (assigned.code === 0 && deleted.code === 9) || (assigned.code === 3 && deleted.code === 0),
      `${assigned.code} ${deleted.code}`,
    );
    ok(await api(roleSteps.create({ name: `old_${meeting}`, display_name: name })));
    ok(await api(own.assign(ana, [{ role_name: `old_${meeting}` }])));
    const [given, moved] = await Promise.all([
      api(own.assign(bea, [{ role_name: `old_${meeting}` }])),
      api(roleSteps.delete(`old_${meeting}`, 'member')),
    ]);
    assert.deepEqual([moved.code, given.code === 0 || given.code === 3], [0, true]);
  }
  for (const user of [ana, bea]) {
    const roles = members(ok(await api(own.roles(user))), 'roles').map(({ name }) => String(name));
    assert.ok(
      roles.every((name) => !name.startsWith('old_')),
      roles.join(),
    );
  }
});

test('somebody who joins an organization while they, or it, are deleted leaves no half of a membership, nor does leaving the last two at once leave a person (FSA-59, FSA-66)', async (t) => {
  const api = await managementApi(t, gatewarden);
  for (let meeting = 0; meeting < MEETINGS; meeting += 1) {
    const [first, second] = [await anOrganization(api), await anOrganization(api)];
    const user = idOf(await newMember(api, first));
    const [joined, deleted] = await Promise.all([
      api(memberSteps(second).join(user)),
      api(userSteps.delete(user)),
    ]);
    assert.ok([0, 5].includes(joined.code) && deleted.code === 0, `${joined.code} ${deleted.code}`);
    const other = idOf(await newMember(api, first));
    const [added, closed] = await Promise.all([
      api(memberSteps(second).join(other)),
      api(organizationSteps.delete(second)),
    ]);
    assert.ok([0, 5].includes(added.code) && closed.code === 0, `${added.code} ${closed.code}`);
    assert.equal((await api(userSteps.get(other))).code, 0);
    const third = await anOrganization(api);
    ok(await api(memberSteps(third).join(other)));
    const left = await Promise.all([
      api(memberSteps(first).leave(other)),
      api(organizationSteps.delete(third)),
    ]);
    assert.deepEqual(codesOf(left), [0, 0]);
    assert.equal((await api(userSteps.get(other))).code, 5);
  }
});
