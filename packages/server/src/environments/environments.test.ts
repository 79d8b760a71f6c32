import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startTestGatewarden, testPglite } from '../testing.ts';
import { ensureFirstEnvironment } from './environments.ts';

test('a database that was begun in development and is served for production has no development environment any more (AS-38, AS-152)', async (t) => {
  const gatewarden = await startTestGatewarden(t);
  assert.equal(gatewarden.environment.kind, 'DEVELOPMENT');
  const { app } = gatewarden;
  const serve = {
    ...app,
    config: { ...app.config, mode: 'serve', url: 'https://e.example' },
  } as const;
  const served = await ensureFirstEnvironment(serve);
  assert.deepEqual(
    [served.id, served.kind, served.url],
    [gatewarden.environment.id, 'PRODUCTION', 'https://e.example'],
  );
  const again = await ensureFirstEnvironment(app);
  assert.deepEqual([again.kind, again.url], ['PRODUCTION', gatewarden.url], 'and it stays so');
});

test('two processes that start at once end with one environment (AS-142)', async (t) => {
  const gatewarden = await startTestGatewarden(t);
  const db = await testPglite(t);
  const app = {
    ...gatewarden.app,
    db,
    random: (bytes: number) => new Uint8Array(randomBytes(bytes)),
  };
  const made = await Promise.all([ensureFirstEnvironment(app), ensureFirstEnvironment(app)]);
  assert.equal(new Set(made.map(({ id }) => id)).size, 1);
});
