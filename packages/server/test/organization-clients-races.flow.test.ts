import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { managementApi, member, members, ok } from './management-api.ts';
import { organizationClientSteps as own } from './organization-client-steps.ts';
import { newOrganization } from './organization-steps.ts';

let gatewarden: TestGatewarden;

// Only PostgreSQL has a second connection, so only there calls really meet.
before(async (t) => {
  gatewarden = await startTestGatewarden(t as never, { engine: 'postgres' });
});

test('of two deletions of the last two secrets, and of ten new ones, at once, each leaves what must stay (FSA-4, race)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const org = String((await newOrganization(api))['id']);
  for (let meeting = 0; meeting < 4; meeting += 1) {
    const made = ok(await api(own.create(org, { name: 'Robot' })));
    const id = String(member(made, 'client')['client_id']);
    const adding = Array.from({ length: 10 }, () => api(own.addSecret(org, id)));
    const codes = (await Promise.all(adding)).map(({ code }) => code).sort();
    assert.deepEqual(codes, [0, ...Array.from({ length: 9 }, () => 9)]);
    const held = members(member(ok(await api(own.get(org, id))), 'client'), 'secrets');
    const gone = await Promise.all(
      held.map((one) => api(own.deleteSecret(org, id, String(one['id'])))),
    );
    assert.deepEqual(gone.map(({ code }) => code).sort(), [0, 9]);
    const changes = [{ expiry: '60' }, { audience: ['https://a.example'] }];
    changes.push({ custom_claims: [{ key: 'a', value: 'b' }] } as never);
    await Promise.all(changes.map((change) => api(own.update(org, id, change as JsonObject))));
    const {
      expiry,
      audience,
      custom_claims: claims,
    } = member(ok(await api(own.get(org, id))), 'client');
    assert.deepEqual(
      [expiry, audience, claims],
      ['60', ['https://a.example'], [{ key: 'a', value: 'b' }]],
    );
  }
});
