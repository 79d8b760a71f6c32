import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { readArguments } from './test.mjs';

const ALL = ['packages/a/b.test.ts', 'packages/a/c.browser.test.ts', 'scripts/d.test.ts'];
const matching = (glob: string): string[] => ALL.filter((path) => path.startsWith(glob));

test('npm test chooses files by kind, by glob and by name, and passes other options on', () => {
  assert.deepEqual(readArguments([], ALL, matching).files, ALL);
  assert.deepEqual(readArguments(['--browser'], ALL, matching).files, [ALL[1]]);
  assert.deepEqual(readArguments(['--only', 'packages'], ALL, matching).files, ALL.slice(0, 2));
  assert.deepEqual(readArguments(['x.test.ts', '--watch'], ALL, matching), {
    files: ['x.test.ts'],
    runner: ['--watch'],
  });
  assert.throws(() => readArguments(['--only'], ALL, matching), /needs a glob/);
});

test('a run that would test nothing fails with one sentence', () => {
  const nothing = spawnSync(
    process.execPath,
    [join(import.meta.dirname, 'test.mjs'), '--only', 'no/such/**'],
    { encoding: 'utf8' },
  );

  assert.deepEqual([nothing.status, nothing.stderr], [1, 'no test file matches\n']);
});

test('a root command nobody knows ends with one sentence that names the known ones', () => {
  const unknown = spawnSync(process.execPath, [join(import.meta.dirname, 'run.mjs'), 'sing'], {
    encoding: 'utf8',
  });

  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /^unknown command "sing"; there are start, test, check, .*\n$/);
});
