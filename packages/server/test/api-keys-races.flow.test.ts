import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { ACME, ANA, type KeySite, keySite, keys, newKey } from './api-key-steps.ts';
import { managementApi } from './management-api.ts';

let site: KeySite;

before(async (t) => {
  site = await keySite(t as never);
});

test('how many statements a call takes depends neither on how many keys there are nor on whether one is known (FSA-78, timing)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { key, id } = await newKey(api, { user_id: ANA });
  assert.equal(await site.cost(api, keys.validate(key)), 2, 'and notes the use');
  for (const presented of [key, id, 'x', `${key}x`, 'apit_123456789012345678'])
    assert.equal(await site.cost(api, keys.validate(presented)), 1, presented.slice(0, 8));
  for (const [step, most] of [
    [keys.create({ organization_id: ACME, user_id: ANA }), 2],
    [keys.list({ organization_id: ACME, page_size: '30' }), 3],
    [keys.update(id, { description: 'x' }), 3],
    [keys.invalidate(id), 2],
    [keys.invalidate(id), 1],
  ] as const)
    assert.equal(await site.cost(api, step), most, step.method.name);
});

test('whoever checks a key while it is revoked sees it alive or dead, and from then on dead; of ten revocations one is told (FSA-78, race)', async (t) => {
  const api = await managementApi(t, site.gatewarden);
  const { key, id } = await newKey(api);
  const events = (await site.told('api_key.revoked')).length;
  const ten = <T>(make: () => Promise<T>): Promise<T>[] => Array.from({ length: 10 }, make);
  const [checks, ends] = await Promise.all([
    Promise.all(ten(() => api(keys.validate(key)))),
    Promise.all(ten(() => api(keys.invalidate(id)))),
  ]);
  assert.ok(checks.every(({ code }) => code === 0 || code === 5));
  assert.ok(ends.every(({ code }) => code === 0));
  assert.equal((await site.told('api_key.revoked')).length, events + 1);
  assert.ok(
    (await Promise.all(ten(() => api(keys.validate(key))))).every(({ code }) => code === 5),
  );

  const races = Array.from({ length: 5 }, async () => {
    const [made] = await Promise.all([
      api(keys.create({ organization_id: ACME, user_id: ANA })),
      site.leave(ACME, ANA),
    ]);
    return made;
  });
  for (const made of await Promise.all(races)) {
    assert.ok([0, 5].includes(made.code), made.message);
    if (made.code !== 0) continue;
    const answer = await api(keys.validate(String(made.body['token'])));
    assert.equal(answer.code, 5, 'made a moment before the membership ended');
  }
});
