import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../runtime/metrics.ts';
import { mountHealth } from './health.routes.ts';
import { send, start } from './test-edge.ts';

test('health, readiness and metrics answer for any Host; not ready says why', async (t) => {
  let reason: string | undefined = 'the database does not answer';
  const { port } = await start(t, (app) =>
    mountHealth(app, {
      ready: async () => reason,
      metrics: createMetrics(),
      token: 't'.repeat(32),
    }),
  );
  const host = { host: 'anything.example' };
  assert.equal((await send(port, 'GET', '/healthz', host)).status, 200);
  const notReady = await send(port, 'GET', '/readyz', host);
  assert.deepEqual([notReady.status, JSON.parse(notReady.body).reason], [503, reason]);
  reason = undefined;
  assert.equal((await send(port, 'GET', '/readyz', host)).status, 200);
  const metrics = await send(port, 'GET', '/metrics', host);
  assert.equal(metrics.status, 200);
  assert.match(metrics.body, /gatewarden_rpc_total/);
});

test('a readiness check that throws does not tell the outside what it threw', async (t) => {
  const { port } = await start(t, (app) =>
    mountHealth(app, {
      ready: () => Promise.reject(new Error('10.0.0.7 refused')),
      metrics: createMetrics(),
      token: undefined,
    }),
  );
  const answer = await send(port, 'GET', '/readyz');
  assert.equal(answer.status, 503);
  assert.doesNotMatch(answer.body, /10\.0\.0\.7/);
});

test('metrics behind a proxy need the token, whatever the proxy says about the caller', async (t) => {
  const token = 'm'.repeat(32);
  const { port } = await start(t, (app) =>
    mountHealth(app, { ready: async () => undefined, metrics: createMetrics(), token }),
  );
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await send(port, 'GET', '/metrics', headers)).status;
  assert.equal(await status({ 'x-forwarded-for': '127.0.0.1' }), 401);
  assert.equal(await status({ forwarded: 'for=127.0.0.1' }), 401);
  assert.equal(
    await status({ 'x-forwarded-for': '203.0.113.9', authorization: 'Bearer wrong' }),
    401,
  );
  assert.equal(
    await status({ 'x-forwarded-for': '203.0.113.9', authorization: `Bearer ${token}` }),
    200,
  );
});
