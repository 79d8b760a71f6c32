import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idsIn, readRequirements, requirementsTable, titlesOf } from './requirements.mjs';
import { readSource } from './source-files.ts';
import { plant } from './test-plant.ts';

const LIST = [
  { id: 'AS-1', level: 'MUST', says: 'one' },
  { id: 'AS-2', level: 'MUST', says: 'two' },
  { id: 'AS-3', level: 'MAY', says: 'three', deferred: 'later' },
];

test('requirements: ids are read from a title singly, as a list and as a range', () => {
  assert.deepEqual(idsIn('refused (AS-1, RS-22), like AS-108 to AS-110'), [
    'AS-1',
    'RS-22',
    'AS-108',
    'AS-109',
    'AS-110',
  ]);
  assert.deepEqual(idsIn('BIAS-1 and FSA-3 and AS-x'), []);
});

test('requirements: titles are literals, templates and sums of tests and subtests, nothing else', (t) => {
  const text = [
    "test('plain', () => {});",
    'test(`${name} templated`, { timeout: 1 }, async () => {});',
    "it('a ' + 'sum', function () {});",
    "await t.test('nested', () => {});",
    "assert.equal('not', 'a title');",
    "// test('commented out', () => {});",
  ].join('\n');
  const root = plant(t, { 'a.test.ts': text });

  assert.deepEqual(titlesOf(readSource(root, 'a.test.ts')), [
    'plain',
    '… templated',
    'a sum',
    'nested',
  ]);
});

test('requirements: the status is tested, missing or deferred with its reason', () => {
  const { text, problems } = requirementsTable(LIST, [
    { path: 'x.test.ts', titles: ['works (AS-1)', 'refuses a | b (AS-1)', 'unrelated'] },
  ]);

  assert.deepEqual(problems, []);
  assert.match(text, /\| AS-1 \| MUST \| one \| tested \| .*refuses a \\\| b .*x\.test\.ts/);
  assert.match(text, /\| AS-2 \| MUST \| two \| missing \| {2}\|/);
  assert.match(text, /\| AS-3 \| MAY \| three \| deferred: later \|/);
  assert.match(text, /3 requirements: 1 tested, 1 missing, 1 deferred/);
});

test('requirements: a title that names an id nobody listed is a problem', () => {
  const { problems } = requirementsTable(LIST, [{ path: 'x.test.ts', titles: ['works (AS-999)'] }]);

  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? '', /AS-999/);
});

test('requirements: a list with an id twice, an unknown level or a deferral without reason is refused', () => {
  const line = (id: string, level: string, more = ''): string =>
    `- { id: ${id}, level: ${level}, says: x${more} }\n`;

  assert.throws(() => readRequirements(line('AS-1', 'MUST') + line('AS-1', 'MUST')), /twice/);
  assert.throws(() => readRequirements(line('AS-1', 'WISH')), /level/);
  assert.throws(() => readRequirements(line('AS-1', 'MUST', ", deferred: ''")), /reason/);
  assert.throws(() => readRequirements(line('XX-1', 'MUST')), /not an id/);
});
