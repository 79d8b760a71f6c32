import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { startTestGatewarden, testPglite } from '../testing.ts';
import { addEnvironment } from './environments.store.ts';
import { allEnvironments, derivedUrl, ensureFirstEnvironment } from './environments.ts';

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

test('when the address of the deployment changes, the names below it follow; others stay, and nothing is below an address', async (t) => {
  const { app } = await startTestGatewarden(t);
  const [id, strange] = ['env_100000000000000001', 'env_100000000000000002'];
  const of = { displayName: 'Other', kind: 'DEVELOPMENT', createdAt: app.now() } as const;
  await addEnvironment(app.db, { id, url: derivedUrl(app.config.url, id) ?? '', ...of });
  await addEnvironment(app.db, { id: strange, url: 'https://other.example', ...of });
  const urlsAt = async (url: string): Promise<string[]> => {
    await ensureFirstEnvironment({ ...app, config: { ...app.config, url } });
    return (await allEnvironments(app)).map((environment) => environment.url);
  };
  const below = 'http://env-100000000000000001.localhost:1';
  assert.deepEqual(await urlsAt('http://localhost:1'), [
    'http://localhost:1',
    below,
    'https://other.example',
  ]);
  assert.equal((await urlsAt('http://127.0.0.1:1'))[1], below);
  const moved = 'https://env-100000000000000001.auth.example.com:8443';
  assert.equal((await urlsAt('https://auth.example.com:8443'))[1], moved);
  for (const url of ['http://127.0.0.1:1', 'http://[::1]:1', `https://${'a.'.repeat(120)}example`])
    assert.equal(derivedUrl(url, id), undefined, url);
});
