import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Log } from '../src/index.ts';
import { guardNodeRequest, protectMcp } from '../src/index.ts';
import { startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration, serve } from '../src/testing/guarded-server.ts';

test('a stranger cannot use a log that fails, at once or later, to end the process or to get another answer than 401 (RS-12, RS-29)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  let told = 0;
  const failing: readonly Log[] = [
    () => {
      told += 1;
      throw new Error('the disk is full');
    },
    async () => {
      told += 1;
      throw new Error('the collector is away');
    },
  ];
  for (const log of failing) {
    const guard = protectMcp(declaration(issuer, { log }));
    t.after(() => guard.close());
    const server = await serve(t, async (request, response) => {
      if (await guardNodeRequest(guard, request, response)) response.end('handled');
    });
    const foreign = await issuer.token({ aud: 'https://other.example/mcp' });
    for (const token of ['garbage', foreign])
      assert.equal((await server.send({ token })).status, 401);
    assert.equal((await server.send({ path: '/mcp?access_token=x' })).status, 401);
  }
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told, 6);
  assert.deepEqual(unhandled, []);
});
