import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkThreatModel } from './check-threat-model.ts';
import { plant } from './test-plant.ts';

const REQUIREMENTS = [
  '| Id | Level | Requirement | Status | Tests |',
  '| --- | --- | --- | --- | --- |',
  '| AS-1 | MUST | one | tested | [a test](x.test.ts) |',
  '| AS-2 | MUST | two | missing |  |',
  '| RS-1 | MAY | three | deferred: later |  |',
].join('\n');

function modelWith(...rows: string[]): string {
  const head = '| attacker | threat | what stops it | shown by |\n| --- | --- | --- | --- |';
  return `# Model\n\n| asset | where |\n| --- | --- |\n| a | b |\n\n## Threats\n\n${head}\n${rows.join('\n')}\n\n## What remains\n\n| AS-9 | not a threat |\n`;
}

function problemsOf(t: { after(work: () => void): void }, ...rows: string[]): Findings {
  return checkThreatModel(
    plant(t, {
      'docs/security/threat-model.md': modelWith(...rows),
      'docs/requirements.md': REQUIREMENTS,
    }),
  );
}

type Findings = ReturnType<typeof checkThreatModel>;

test('threat model check: a threat whose requirement is tested passes', (t) => {
  const { looked, problems } = problemsOf(t, '| thief | steals | a lock | AS-1 |');

  assert.deepEqual([looked, problems], [1, []]);
});

for (const [what, row] of [
  ['an untested requirement', '| thief | steals | a lock | AS-1, AS-2 |'],
  ['a deferred requirement', '| thief | steals | a lock | RS-1 |'],
  ['a requirement that does not exist', '| thief | steals | a lock | AS-99 |'],
  ['no requirement', '| thief | steals | a lock |  |'],
  ['no countermeasure', '| thief | steals |  | AS-1 |'],
] as const) {
  test(`threat model check: ${what} is refused`, (t) => {
    assert.equal(problemsOf(t, row).problems.length, 1);
  });
}

test('threat model check: requirements outside of the table count by the titles of tests, not by other text', (t) => {
  const row = (id: string) => `| thief | steals by ${id} | a lock | ${id} |`;
  const { problems } = checkThreatModel(
    plant(t, {
      'docs/security/threat-model.md': modelWith(row('FSA-1'), row('SSO-2'), row('FSA-12')),
      'docs/requirements.md': REQUIREMENTS,
      'packages/server/test/a.flow.test.ts':
        "// FSA-12 is not here\ntest('a lock holds (FSA-1, AS-1)', () => {});\ntest(\n  `and another (SSO-2)`, () => {});\n",
    }),
  );
  assert.equal(problems.length, 1, problems.join('\n'));
  assert.match(problems[0] ?? '', /FSA-12/);
});
