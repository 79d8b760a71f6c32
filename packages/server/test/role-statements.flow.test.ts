import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Db } from '../src/storage/db.ts';
import { sql, startTestGatewarden, type TestGatewarden, testPglite } from '../src/testing.ts';
import { type Api, managementApi, ok, type Step, steps } from './management-api.ts';
import { organizationRoleSteps, roleSteps } from './role-steps.ts';

const OURS = /\b(roles|role_permissions|permissions|default_roles|organizations|memberships)\b/;
const ACME = 'org_123456789012345';

let gatewarden: TestGatewarden;
let statements = 0;

/** Counts statements about roles; what runs in the background does not disturb. */
function counting<D extends Db>(db: D): D {
  return {
    ...db,
    rows: (query) => {
      if (OURS.test(query.text)) statements += 1;
      return db.rows(query);
    },
    transaction: (work) => db.transaction((tx) => work(counting(tx))),
  };
}

before(async (t) => {
  const database = counting(await testPglite(t as never));
  gatewarden = await startTestGatewarden(t as never, { database });
  await database.rows(sql`
    insert into organizations (environment_id, id, display_name, created_at, updated_at)
    select id, ${ACME}, 'Acme', now(), now() from environments`);
});

async function cost(api: Api, step: Step): Promise<number> {
  statements = 0;
  ok(await api(step));
  return statements;
}

test('how many statements a call about roles takes does not depend on how many roles and permissions there are', async (t) => {
  const api = await managementApi(t, gatewarden);
  const own = organizationRoleSteps(ACME);
  const names = Array.from({ length: 12 }, (_, index) => `cost:${index}`);
  for (const name of names) ok(await api(steps.createPermission({ name })));
  ok(await api(roleSteps.create({ name: 'target', display_name: 'T', permissions: ['cost:0'] })));
  ok(await api(own.create({ name: 'target', display_name: 'T' })));
  const calls: readonly (readonly [Step, number])[] = [
    [roleSteps.list(), 1],
    [roleSteps.list('permissions'), 2],
    [roleSteps.list('permissions:all'), 2],
    [roleSteps.get('target', 'permissions:all'), 2],
    [roleSteps.effective('target'), 2],
    [roleSteps.permissions('target'), 2],
    [roleSteps.dependents('target'), 2],
    [roleSteps.addPermissions('target', names), 4],
    [roleSteps.update('target', { display_name: 'T', permissions: names }), 6],
    [roleSteps.setDefaults({ default_member_role: 'member' }), 4],
    [own.list('permissions:all'), 3],
    [own.get('target', 'permissions:all'), 3],
  ];
  for (const [step, most] of calls)
    assert.ok((await cost(api, step)) <= most, `${step.method.name}: ${statements} statements`);
  for (let index = 0; index < 15; index += 1)
    ok(
      await api(
        roleSteps.create({
          name: `many_${index}`,
          display_name: 'Many',
          extends: index % 5 === 0 ? 'target' : `many_${index - 1}`,
          permissions: names,
        }),
      ),
    );
  for (const [step, most] of calls)
    assert.ok((await cost(api, step)) <= most, `${step.method.name}: ${statements} statements`);
});
