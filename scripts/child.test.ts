import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runsTypeScript } from './child.mjs';
import { plant } from './test-plant.ts';

const CHILD = join(import.meta.dirname, 'child.mjs');

/** A process that runs `inner` as its child, the way the root commands do; resolves when the child is up. */
async function startPair(t: TestContext, inner: string): Promise<ReturnType<typeof spawn>> {
  const root = plant(t, {
    'inner.mjs': inner,
    'outer.mjs': `import { endAs, run } from ${JSON.stringify(CHILD)};
      endAs(await run(process.execPath, [${JSON.stringify('inner.mjs')}]));`,
  });
  const outer = spawn(process.execPath, ['outer.mjs'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => outer.kill('SIGKILL'));
  await once(outer.stdout, 'data');
  return outer;
}

test('a root command passes signals on and ends with the exit code of what it runs', async (t) => {
  const outer = await startPair(
    t,
    "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('up');",
  );

  outer.kill('SIGTERM');

  assert.deepEqual(await once(outer, 'exit'), [5, null]);
});

test('a root command whose child is killed ends by the same signal', async (t) => {
  const outer = await startPair(
    t,
    "console.log('up'); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 50);",
  );

  assert.deepEqual(await once(outer, 'exit'), [null, 'SIGKILL']);
});

test('the sources need Node.js 22.18 or later', () => {
  const versions = ['v18.20.0', 'v20.19.5', 'v22.17.1', 'v22.18.0', 'v23.0.0', 'v24.21.0'];

  assert.deepEqual(versions.map(runsTypeScript), [false, false, false, true, true, true]);
});
