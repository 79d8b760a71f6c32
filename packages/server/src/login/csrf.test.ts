import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { sha256 } from '../runtime/hash.ts';
import { createSecrets } from '../runtime/secrets.ts';
import { csrfFits, csrfToken, type FormBinding } from './csrf.ts';

const random = (bytes: number) => new Uint8Array(randomBytes(bytes));
const oldKey = new Uint8Array(32).fill(1);
const newKey = new Uint8Array(32).fill(2);
const ctx = { environmentId: 'env_1', secrets: createSecrets([oldKey], random) };
const form: FormBinding = {
  browserHash: sha256('browser'),
  sessionId: 'ses_1',
  userId: 'usr_1',
  loginRequestId: 'request',
};

test('a form token fits exactly its browser, session, person, request and environment (AS-129)', () => {
  const token = csrfToken(ctx, form);
  assert.equal(csrfFits(ctx, form, token), true);
  const others: FormBinding[] = [
    { ...form, browserHash: sha256('other') },
    { ...form, sessionId: 'ses_2' },
    { ...form, sessionId: undefined },
    { ...form, userId: 'usr_2' },
    { ...form, loginRequestId: 'other' },
    // Values may not slide from one member into the next.
    { ...form, sessionId: 'ses_1usr_1', userId: '' },
  ];
  for (const other of others) assert.equal(csrfFits(ctx, other, token), false);
  assert.equal(csrfFits({ ...ctx, environmentId: 'env_2' }, form, token), false);
  for (const wrong of [undefined, '', `${token}A`, token.slice(1), token.toLowerCase()]) {
    assert.equal(csrfFits(ctx, form, wrong), false);
  }
});

test('a form shown before the operator key was rotated still works (AS-150)', () => {
  const token = csrfToken(ctx, form);
  const rotated = { ...ctx, secrets: createSecrets([newKey, oldKey], random) };
  assert.equal(csrfFits(rotated, form, token), true);
  const replaced = { ...ctx, secrets: createSecrets([newKey], random) };
  assert.equal(csrfFits(replaced, form, token), false);
});
