import assert from 'node:assert/strict';
import { test } from 'node:test';
import { json, sql } from './db.ts';
import { encode, parserOf } from './values.ts';

test('an object is a value only through json(), so that nothing is stored as [object Object]', () => {
  assert.throws(() => encode({ a: 1 }), TypeError);
  assert.throws(() => encode([{ a: 1 }]), TypeError);
  assert.throws(() => encode(sql`select 1`), TypeError);
  assert.throws(() => encode(() => 1), TypeError);
  assert.throws(() => encode(Symbol('s')), TypeError);
  assert.equal(encode(json({ a: 1 })), '{"a":1}');
});

test('an attack: an object that claims to be json or a Date is refused', () => {
  assert.throws(() => encode({ kind: 'json' }), TypeError);
  assert.throws(() => encode({ toISOString: () => 'now()', getTime: () => 0 }), TypeError);
});

test('an invalid Date is refused and not stored as something else', () => {
  assert.throws(() => encode(new Date(Number.NaN)), RangeError);
});

test('an element of an array cannot break out of its quotes', () => {
  const text = encode(['plain', 'a"b', 'c\\', '{x,y}', 'NULL', '', undefined, 'é\n']);
  const expected = ['plain', 'a"b', 'c\\', '{x,y}', 'NULL', '', null, 'é\n'];
  assert.deepEqual(parserOf(1009)(text ?? ''), expected);
});

test('arrays are read as PostgreSQL writes them: nested, empty, with bounds', () => {
  assert.deepEqual(parserOf(1016)('{{1,2},{3,NULL}}'), [
    [1n, 2n],
    [3n, null],
  ]);
  assert.deepEqual(parserOf(1009)('{}'), []);
  assert.deepEqual(parserOf(1009)('[0:1]={a,"b,c"}'), ['a', 'b,c']);
  for (const malformed of ['{a', '{"a', '{"a"b}', '{"a\\'])
    assert.throws(() => parserOf(1009)(malformed), RangeError, malformed);
});

test('a time that a Date cannot hold is an error, not an invalid Date', () => {
  assert.throws(() => parserOf(1184)('infinity'), RangeError);
});
