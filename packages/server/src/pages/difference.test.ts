import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, nearest } from './difference.ts';

test('differences between two addresses are found from both ends', () => {
  assert.deepEqual(difference('https://a.example/cb/', 'https://a.example/cb'), {
    start: 'https://a.example/cb',
    left: '/',
    right: '',
    end: '',
  });
  assert.deepEqual(difference('aXa', 'aYYa'), { start: 'a', left: 'X', right: 'YY', end: 'a' });
  assert.deepEqual(difference('aa', 'aaa'), { start: 'aa', left: '', right: 'a', end: '' });
  assert.deepEqual(difference('', ''), { start: '', left: '', right: '', end: '' });
});

test('the nearest registered address is the one that differs least', () => {
  const registered = ['https://a.example/other', 'https://a.example/cb', 'http://b.example/cb'];
  assert.equal(nearest('https://a.example/cb/', registered), 'https://a.example/cb');
  assert.equal(nearest('x', []), undefined);
});
