import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLeftovers } from './check-leftovers.ts';
import { plant } from './test-plant.ts';

// Put together here, so that this file itself is clean.
const REFUSED: readonly (readonly [string, string, string])[] = [
  ['a reminder', 'packages/x/src/a.ts', `// TO${'DO'} later`],
  ['a home folder', 'docs/a.md', `see /ho${'me'}/somebody/project`],
  ['a Windows home folder', 'docs/a.md', `see C:\\Us${'ers'}\\somebody`],
  ['a path at the start of a line', '.ci/run', `/wo${'rk'}/project/run`],
  ['an unfinished part', 'packages/x/src/a.ts', `throw new Error('not ${'imp'}lemented');`],
  ['a skipped test', 'packages/x/src/a.test.ts', `test.${'skip'}('x', () => {});`],
  ['a singled-out test', 'packages/x/src/a.test.ts', `test.${'only'}('x', () => {});`],
];

for (const [what, path, text] of REFUSED) {
  test(`leftover check: ${what} is refused`, (t) => {
    const { problems } = checkLeftovers(plant(t, { [path]: `${text}\n` }));

    assert.equal(problems.length, 1);
  });
}

test('leftover check: URLs, relative paths and words that only look alike pass', (t) => {
  // Put together here, so that this file does not itself hold what looks like a path of a machine.
  const folders = ['home/a', 'root/c'].map((path) => `https://x.example/${path}`).join(' ');
  const text = `${folders} ${['.', 'work', 'b'].join('/')} packages/root/c todo hacking /workbench\n`;

  const { problems, looked } = checkLeftovers(plant(t, { 'docs/a.md': text }));

  assert.deepEqual([problems, looked], [[], 1]);
});
