import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Db } from '../src/storage/db.ts';
import { startTestGatewarden, type TestGatewarden, testPglite, token } from '../src/testing.ts';
import { environmentClientSteps as apps } from './environment-client-steps.ts';
import { type Api, managementApi, member, ok, type Step } from './management-api.ts';
import { organizationClientSteps as machines } from './organization-client-steps.ts';
import { newOrganization } from './organization-steps.ts';

const OURS = /\b(clients|client_secrets|organizations|mcp_servers)\b/;

let gatewarden: TestGatewarden;
let statements = 0;

/** Counts statements about clients; what runs in the background does not disturb. */
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
});

async function cost(api: Api, step: Step): Promise<number> {
  statements = 0;
  ok(await api(step));
  return statements;
}

test('how many statements a call about clients takes does not depend on how many there are', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = String((await newOrganization(api))['id']);
  const made = ok(await api(machines.create(org, { name: 'Robot', scopes: ['a'] })));
  const id = String(member(made, 'client')['client_id']);
  const app = { name: 'Shop', client_type: 'WEB_APP' };
  const appId = String(member(ok(await api(apps.create(app))), 'client')['id']);
  // One statement of each is the caller's.
  const calls: readonly (readonly [Step, number])[] = [
    [machines.get(org, id), 2],
    [machines.list(org), 5],
    [machines.update(org, id, { name: 'Robot' }), 7],
    [apps.get(appId), 2],
    [apps.list(['WEB_APP']), 4],
    [apps.update(appId, { name: 'Shop' }), 7],
  ];
  const check = async (): Promise<void> => {
    for (const [step, most] of calls) {
      const taken = await cost(api, step);
      assert.ok(taken <= most, `${step.method.name}: ${taken} statements`);
    }
  };
  await check();
  for (let index = 0; index < 9; index += 1) {
    ok(await api(machines.create(org, { name: 'Robot' })));
    ok(await api(apps.create(app)));
  }
  await check();

  const form = {
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: String(made['plain_secret']),
  };
  assert.equal((await token(gatewarden.url, form)).status, 200);
  statements = 0;
  assert.equal((await token(gatewarden.url, form)).status, 200);
  assert.ok(
    statements <= 3,
    `a token takes ${statements}: one reads, one notes the use, one is the gate`,
  );
});
