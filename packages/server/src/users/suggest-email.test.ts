import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggestEmail } from './suggest-email.ts';

test('a domain one slip away from a common one is suggested, every other is left alone', () => {
  for (const typed of [
    'gmial.com',
    'gmail.co',
    'gmaill.com',
    'gnail.com',
    'Gmai.com',
    'gmail.cmo',
  ]) {
    assert.equal(suggestEmail(`Ana@${typed}`), 'Ana@gmail.com', typed);
  }
  assert.equal(suggestEmail('ana@yaho.com'), 'ana@yahoo.com');
  for (const fine of [
    'gmail.com',
    'mail.com',
    'ymail.com',
    'example.com',
    'gmx.de',
    'yahoo.co.jp',
    'ymail.com.example',
  ]) {
    assert.equal(suggestEmail(`ana@${fine}`), undefined, fine);
  }
});
