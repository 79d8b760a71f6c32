import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capitalized, displayName, initial, maskedEmail } from './plain-text.ts';

test('names: control, bidirectional, zero-width and other invisible characters are dropped (AS-62)', () => {
  const cases: [string, string][] = [
    ['  Claude \n Code\t', 'Claude Code'],
    ['Cl\u200Baude\u200D\uFEFF', 'Claude'],
    ['\u202EedualC\u202C', 'edualC'],
    ['\u2066a\u2069\u061C\u200E\u200F', 'a'],
    ['a\u0000\u0007\u009Bb', 'ab'],
    ['a\u{E0041}\uE000\uFE0Fb', 'ab'],
    ['\u3164\u2800\u115F', ''],
    ['\u00AD\u034F', ''],
    ['a \u200B b', 'a b'],
    ['\uD800x', 'x'],
    ['\u0301\u0301', ''],
  ];
  for (const [raw, clean] of cases) assert.equal(displayName(raw, 60), clean, JSON.stringify(raw));
});

test('names: piles of combining marks are cut, real accents stay (AS-62)', () => {
  assert.equal(displayName(`Z${'\u0300'.repeat(200)}o`, 60), 'Z\u0300\u0300o'.normalize('NFC'));
  assert.equal(displayName('Cafe\u0301 Größe', 60), 'Café Größe');
});

test('names: longer names are cut at the limit, by what a person counts as a character (AS-62)', () => {
  assert.equal(displayName('x'.repeat(60), 60), 'x'.repeat(60));
  assert.equal(displayName('x'.repeat(61), 60), `${'x'.repeat(59)}…`);
  assert.equal(Array.from(displayName('🎈'.repeat(100), 60)).length, 60);
  assert.ok(displayName('\u200B'.repeat(5_000_000), 60).length <= 60);
});

test('tiles, masked addresses and label words', () => {
  assert.deepEqual(['claude', '§ß', '…', ''].map(initial), ['C', 'SS', '?', '?']);
  assert.deepEqual(['ana@example.com', '@x', 'nothing'].map(maskedEmail), [
    'a•••@example.com',
    '•••',
    '•••',
  ]);
  assert.deepEqual([capitalized('workspace'), capitalized('')], ['Workspace', '']);
});
