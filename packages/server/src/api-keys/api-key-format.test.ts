import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { isApiKey, newApiKey } from './api-key-format.ts';

const made = (fill?: number): string =>
  newApiKey({
    random: (bytes) => (fill === undefined ? randomBytes(bytes) : new Uint8Array(bytes).fill(fill)),
  });

test('a key has a prefix that people recognise, 256 random bits and check digits (FSA-78)', () => {
  const keys = Array.from({ length: 50 }, () => made());
  for (const key of keys) assert.match(key, /^gwk_[0-9A-Za-z]{49}$/);
  assert.ok(keys.every(isApiKey));
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(made(0).slice(4, 47), '0'.repeat(43));
  assert.notEqual(made(255).slice(4, 47), made(254).slice(4, 47));
});

test('one character more, less, another or in another place is no key (FSA-78)', () => {
  const key = made(7);
  const other = (at: number): string =>
    `${key.slice(0, at)}${key[at] === 'x' ? 'y' : 'x'}${key.slice(at + 1)}`;
  for (let at = 0; at < key.length; at += 1) assert.equal(isApiKey(other(at)), false, String(at));
  for (const wrong of ['', key.slice(1), `${key}0`, ` ${key}`, `${key}\n`, key.toLowerCase()])
    assert.equal(isApiKey(wrong), false, JSON.stringify(wrong));
});
