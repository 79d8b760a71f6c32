import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { plant } from './test-plant.ts';

const REPORT = join(import.meta.dirname, 'report.ts');

test('a check fails on a problem, and also when it looked at nothing', (t) => {
  const exitCodeOf = (looked: number, problems: readonly string[]): number | null => {
    const findings = JSON.stringify({ looked, what: 'things', problems });
    const root = plant(t, {
      'check.mjs': `import { report } from ${JSON.stringify(REPORT)}; report('it', ${findings});`,
    });
    return spawnSync(process.execPath, [join(root, 'check.mjs')]).status;
  };

  assert.equal(exitCodeOf(3, []), 0);
  assert.equal(exitCodeOf(3, ['wrong']), 1);
  assert.equal(exitCodeOf(0, []), 1);
});
