import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededChance } from '../testing/chance.ts';
import { parseParameters } from './forms.ts';
import { RequestError } from './request-error.ts';

const TEXT = [
  'a',
  'code',
  'é',
  '漢',
  '\u{1f600}',
  ' ',
  '+',
  '%',
  '&',
  '=',
  '%2B',
  '"',
  '\\',
  '\n',
  '\u202e',
  '\ufeff',
  '#',
  ';',
  '__proto__',
  'constructor',
];

test('whatever a form holds arrives as it was: first values, duplicates, resources, and nothing else (RFC 6749 appendix B, AS-21)', () => {
  const chance = seededChance(6749);
  const text = (most: number): string =>
    Array.from({ length: chance(most) }, () => TEXT[chance(TEXT.length)]).join('');
  for (let round = 0; round < 2000; round += 1) {
    const pairs = Array.from({ length: chance(12) }, (): [string, string] => [
      chance(6) === 0 ? 'resource' : `${TEXT[chance(TEXT.length)]}${text(2)}`,
      text(4),
    ]);
    const { params, resources, duplicates } = parseParameters(
      new URLSearchParams(pairs).toString(),
    );
    const others = pairs.filter(([name]) => name !== 'resource');
    assert.deepEqual(
      resources,
      pairs
        .filter(([name, value]) => name === 'resource' && value !== '')
        .map(([, value]) => value),
    );
    assert.equal(Object.getPrototypeOf(params), null);
    for (const name of new Set(others.map(([given]) => given))) {
      const values = others.filter(([given]) => given === name).map(([, value]) => value);
      assert.equal(params[name], values[0] === '' ? undefined : values[0], JSON.stringify(pairs));
      assert.equal(duplicates.includes(name), values.length > 1, JSON.stringify(pairs));
    }
    assert.equal(
      Object.keys(params).every((name) => others.some(([given]) => given === name)),
      true,
    );
  }
});

test('no bytes make the reader fail otherwise than with 400 (fuzzing)', () => {
  const chance = seededChance(400);
  const pieces = [
    '%',
    '%2',
    '%zz',
    '%00',
    '%C0%80',
    '%ed%a0%80',
    '%ff',
    '&',
    '&&',
    '=',
    '==',
    '+',
    'code',
    'a=b',
    '\0',
    '\ud800',
    '[]',
    'resource=',
  ];
  let refused = 0;
  for (let round = 0; round < 5000; round += 1) {
    const body = Array.from({ length: chance(10) }, () => pieces[chance(pieces.length)]).join('');
    try {
      const { params } = parseParameters(body);
      assert.doesNotMatch(JSON.stringify(params), /\\u0000/, body);
    } catch (error) {
      assert.ok(error instanceof RequestError && error.status === 400, `${body}: ${error}`);
      assert.doesNotMatch(error.message, /%|zz|\0/, 'it repeats nothing of the request');
      refused += 1;
    }
  }
  assert.ok(refused > 1000 && refused < 5000, `${refused} were refused`);
});

test('ten thousand parameters are refused before they are read (denial of service)', () => {
  const body = Array.from({ length: 10_000 }, (_, index) => `p${index}=%`).join('&');
  // The malformed escapes would be the complaint if anything had been decoded.
  assert.throws(() => parseParameters(body), { message: 'there are too many parameters' });
});
