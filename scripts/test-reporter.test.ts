import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { plant } from './test-plant.ts';

const REPORTER = join(import.meta.dirname, 'test-reporter.mjs');

test('a run closes with the failures, the slowest files and then the summary of the runner', (t) => {
  const root = plant(t, {
    'quick.test.mjs': "import { test } from 'node:test'; test('works', () => {});",
    'slow.test.mjs':
      "import { test } from 'node:test'; test('breaks', async () => { await new Promise((r) => setTimeout(r, 300)); throw new Error('on purpose'); });",
  });
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const files = ['quick.test.mjs', 'slow.test.mjs'];

  const run = spawnSync(process.execPath, ['--test', `--test-reporter=${REPORTER}`, ...files], {
    cwd: root,
    env,
    encoding: 'utf8',
  });

  assert.equal(run.status, 1);
  const order = [
    'failing tests:',
    'on purpose',
    'Slowest of 2 files',
    'slow.test.mjs',
    'quick.test.mjs',
    'tests 2',
    'pass 1',
    'fail 1',
  ];
  let from = 0;
  for (const words of order) {
    const at = run.stdout.indexOf(words, from);
    assert.notEqual(at, -1, `"${words}" is missing or too early in:\n${run.stdout}`);
    from = at;
  }
});
