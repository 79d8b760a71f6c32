import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { catalogue, knownClients, STEPS } from '../src/index.ts';

const manual = readFileSync(new URL('../../../docs/doctor.md', import.meta.url), 'utf8');

/** The table of findings as the manual has it, in the order of the steps. */
function table(): string {
  const faults = Object.entries(catalogue);
  const rows = STEPS.flatMap((step) => faults.filter(([, fault]) => fault.step === step)).map(
    ([id, { step, severity, title, rule }]) =>
      `| \`${id}\` | ${step} | ${severity} | ${title} | ${rule.source}, ${rule.section} |`,
  );
  return [
    '| id | step | severity | what is wrong | rule |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

test('the manual lists each finding as the catalogue has it (SKILL-69)', () => {
  const heading = '## Findings\n\n';
  const printed = manual.slice(manual.indexOf(heading) + heading.length).trimEnd();
  assert.equal(printed, table(), `The table belongs in docs/doctor.md:\n${table()}`);
});

test('the manual names a spelling of each known client (SKILL-69)', () => {
  for (const { name, aliases } of knownClients)
    assert.ok(
      aliases.some((alias) => new RegExp(`[ ,]${alias}[, ]`).test(manual)),
      name,
    );
});
