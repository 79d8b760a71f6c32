import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { JsonObject } from '@bufbuild/protobuf';
import { startTestGatewarden, type TestGatewarden } from '../src/testing.ts';
import { type Api, managementApi, member, ok, protocols } from './management-api.ts';
import { newOrganization, organizationSteps as steps } from './organization-steps.ts';

let gatewarden: TestGatewarden;

before(async (t) => {
  gatewarden = await startTestGatewarden(t as never);
});

const policyOf = async (api: Api, id: string): Promise<JsonObject> =>
  member(ok(await api(steps.getPolicy(id))), 'policy');

for (const protocol of protocols) {
  test(`an organization has a session policy of its own, in minutes whatever unit it was set in, and gives it up again, over ${protocol} (FSA-40)`, async (t) => {
    const api = await managementApi(t, gatewarden, protocol);
    const id = String((await newOrganization(api))['id']);
    assert.deepEqual(await policyOf(api, id), { policy_source: 'APPLICATION' });
    const set = async (policy: JsonObject): Promise<JsonObject> => {
      const answered = member(ok(await api(steps.setPolicy(id, policy))), 'policy');
      assert.deepEqual(await policyOf(api, id), answered);
      return answered;
    };
    const absolute = { absolute_session_timeout: 8, absolute_session_timeout_unit: 'HOURS' };
    const custom = {
      policy_source: 'CUSTOM',
      absolute_session_timeout: 480,
      absolute_session_timeout_unit: 'MINUTES',
    };
    // That idle is off is said in words, not by silence.
    assert.deepEqual(await set({ policy_source: 'CUSTOM', ...absolute }), {
      ...custom,
      idle_session_timeout_enabled: false,
    });
    const idle = { idle_session_timeout: 30, idle_session_timeout_unit: 'MINUTES' };
    const both = { ...custom, idle_session_timeout_enabled: true, ...idle };
    assert.deepEqual(
      await set({
        policy_source: 'CUSTOM',
        idle_session_timeout_enabled: true,
        idle_session_timeout: 30,
      }),
      both,
      'what is not named stays',
    );
    assert.deepEqual(
      await set({
        policy_source: 'CUSTOM',
        absolute_session_timeout: 2,
        absolute_session_timeout_unit: 'DAYS',
        idle_session_timeout: 1,
        idle_session_timeout_unit: 'DAYS',
      }),
      { ...both, absolute_session_timeout: 2880, idle_session_timeout: 1440 },
    );
    assert.deepEqual(await set({ policy_source: 'CUSTOM', idle_session_timeout_enabled: false }), {
      ...both,
      absolute_session_timeout: 2880,
      idle_session_timeout: 1440,
      idle_session_timeout_enabled: false,
    });
    assert.deepEqual(await set({ policy_source: 'APPLICATION' }), { policy_source: 'APPLICATION' });
    const forgotten = await api(steps.setPolicy(id, { policy_source: 'CUSTOM' }));
    assert.deepEqual([forgotten.code, forgotten.fields], [3, ['absolute_session_timeout']]);
  });
}

test('a session outlives its idle time, which outlives an access token: a policy against that order, or without a source, is refused and changes nothing (FSA-39, FSA-40)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const id = String((await newOrganization(api))['id']);
  const custom = (more: JsonObject): JsonObject => ({ policy_source: 'CUSTOM', ...more });
  const idle = (minutes: number): JsonObject => ({
    idle_session_timeout_enabled: true,
    idle_session_timeout: minutes,
  });
  ok(await api(steps.setPolicy(id, custom({ absolute_session_timeout: 60, ...idle(6) }))));
  const before_ = await policyOf(api, id);
  const refused: [JsonObject, string][] = [
    [{}, 'policy_source'],
    [{ policy_source: 'SESSION_POLICY_TYPE_UNSPECIFIED' }, 'policy_source'],
    [{ policy_source: 9 }, 'policy_source'],
    [custom({ absolute_session_timeout: 0 }), 'absolute_session_timeout'],
    [custom({ absolute_session_timeout: -5 }), 'absolute_session_timeout'],
    [custom({ absolute_session_timeout: 5 }), 'absolute_session_timeout'],
    [custom({ absolute_session_timeout: 6 }), 'absolute_session_timeout'],
    [custom({ absolute_session_timeout: 525_601 }), 'absolute_session_timeout'],
    [
      custom({ absolute_session_timeout: 2_147_483_647, absolute_session_timeout_unit: 'DAYS' }),
      'absolute_session_timeout',
    ],
    [
      custom({ absolute_session_timeout: 60, absolute_session_timeout_unit: 9 }),
      'absolute_session_timeout_unit',
    ],
    [custom(idle(0)), 'idle_session_timeout'],
    [custom(idle(5)), 'idle_session_timeout'],
    [custom(idle(60)), 'absolute_session_timeout'],
    [custom({ ...idle(1), idle_session_timeout_unit: 'HOURS' }), 'absolute_session_timeout'],
  ];
  for (const [policy, field] of refused) {
    const answer = await api(steps.setPolicy(id, policy));
    assert.deepEqual([answer.code, answer.fields], [3, [field]], JSON.stringify(policy));
  }
  assert.deepEqual(await policyOf(api, id), before_);
  const fresh = String((await newOrganization(api))['id']);
  const noTime = custom({ absolute_session_timeout: 60, idle_session_timeout_enabled: true });
  const answer = await api(steps.setPolicy(fresh, noTime));
  assert.deepEqual([answer.code, answer.fields], [3, ['idle_session_timeout']]);
  const short = await api(steps.setPolicy(fresh, custom({ absolute_session_timeout: 5 })));
  assert.deepEqual([short.code, short.fields], [3, ['absolute_session_timeout']]);
});

test('the policy of the application is what sessions and tokens really have (contract: GetApplicationSessionPolicy)', async (t) => {
  const api = await managementApi(t, gatewarden);
  const id = String((await newOrganization(api))['id']);
  const expected = {
    absolute_session_timeout: 43_200,
    absolute_session_timeout_unit: 'MINUTES',
    idle_session_timeout_enabled: true,
    idle_session_timeout: 10_080,
    idle_session_timeout_unit: 'MINUTES',
    access_token_expiry: 5,
  };
  assert.deepEqual(ok(await api(steps.applicationPolicy(id))), { application_policy: expected });
  // A policy of the organization leaves the application's as it is.
  const custom = { policy_source: 'CUSTOM', absolute_session_timeout: 60 };
  ok(await api(steps.setPolicy(id, custom)));
  assert.deepEqual(ok(await api(steps.applicationPolicy(id))), { application_policy: expected });
});

test('the number of people an organization may have: absent is not managed, 0 is no limit (FSA-56)', async (t) => {
  for (const protocol of protocols) {
    const api = await managementApi(t, gatewarden, protocol);
    const id = String((await newOrganization(api))['id']);
    assert.deepEqual(ok(await api(steps.getUserManagement(id))), { settings: {} });
    for (const settings of [{ max_allowed_users: 25 }, { max_allowed_users: 0 }, {}]) {
      assert.deepEqual(ok(await api(steps.setUserManagement(id, settings))), { settings });
      assert.deepEqual(ok(await api(steps.getUserManagement(id))), { settings });
    }
    ok(await api(steps.setUserManagement(id, { max_allowed_users: 7 })));
    const negative = await api(steps.setUserManagement(id, { max_allowed_users: -1 }));
    assert.deepEqual([negative.code, negative.fields], [3, ['settings.max_allowed_users']]);
    const settings = { max_allowed_users: 7 };
    // Other changes keep it.
    ok(await api(steps.update(id, { display_name: 'Other' })));
    ok(await api(steps.settings(id, [{ name: 'sso', enabled: true }])));
    ok(await api(steps.setPolicy(id, { policy_source: 'APPLICATION' })));
    assert.deepEqual(ok(await api(steps.getUserManagement(id))), { settings });
  }
});
