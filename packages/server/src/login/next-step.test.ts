import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextStep, satisfies } from './next-step.ts';

const minute = 60_000;
const now = new Date('2026-05-01T12:00:00Z');
const at = (minutesAgo: number) => new Date(now.getTime() - minutesAgo * minute);

function login(prompts: string[], more: { promptDone?: boolean; maxAge?: number } = {}) {
  const purpose = { kind: 'app', app: 'Acme' } as const;
  const { maxAge, promptDone = false } = more;
  return {
    details: { purpose, prompts, maxAge, parameters: {} },
    promptDone,
    createdAt: at(5),
    decision: undefined,
  };
}

function session(minutesAgo: number) {
  return {
    id: 'ses_1',
    userId: 'usr_1',
    browserHash: new Uint8Array(32),
    method: 'email-code',
    authenticatedAt: at(minutesAgo),
    lastActiveAt: at(minutesAgo),
    email: 'ana@example.com',
    connectionId: undefined,
    name: '',
  };
}

const nobody = { current: undefined, others: 0, codeAskedAt: undefined, signUpAllowed: true, now };

test('nobody signed in: address, then code; a row alone never finishes a login (AS-30)', () => {
  assert.equal(nextStep(login([]), nobody).kind, 'identify');
  assert.equal(nextStep(login([]), { ...nobody, codeAskedAt: at(1) }).kind, 'email-code');
  assert.equal(nextStep(login(['login'], { promptDone: true }), nobody).kind, 'identify');
  assert.equal(nextStep(login(['create']), nobody).kind, 'sign-up');
  assert.equal(nextStep(login(['create']), { ...nobody, signUpAllowed: false }).kind, 'identify');
});

test('somebody signed in is done, unless the request wants a new proof or a choice (AS-28, AS-29)', () => {
  const facts = { ...nobody, current: session(30) };
  assert.equal(nextStep(login([]), facts).kind, 'done');
  assert.equal(nextStep(login(['consent']), facts).kind, 'done');
  assert.equal(nextStep(login(['login']), facts).kind, 'identify');
  assert.equal(nextStep(login(['select_account']), facts).kind, 'pick-account');
  assert.equal(nextStep(login(['login', 'select_account']), facts).kind, 'identify');
  assert.equal(nextStep(login([], { maxAge: 3600 }), facts).kind, 'done');
  assert.equal(nextStep(login([], { maxAge: 60 }), facts).kind, 'identify');
});

test('a code asked for after the last proof comes first: the person wants to be somebody else', () => {
  const facts = { ...nobody, current: session(10), codeAskedAt: at(2) };
  assert.equal(nextStep(login([]), facts).kind, 'email-code');
  assert.equal(nextStep(login([]), { ...facts, current: session(1) }).kind, 'done');
});

test('a forced proof counts only if it was made in this request and after it began (AS-28)', () => {
  assert.equal(satisfies(login(['login'], { promptDone: true }), session(1), now), true);
  assert.equal(satisfies(login(['login'], { promptDone: true }), session(30), now), false);
  assert.equal(satisfies(login(['login']), session(1), now), false);
  assert.equal(satisfies(login([], { maxAge: 0 }), session(1), now), false);
  assert.equal(satisfies(login([], { maxAge: 0, promptDone: true }), session(1), now), true);
});

test('people signed in here but none of them current: the picker', () => {
  assert.equal(nextStep(login([]), { ...nobody, others: 2 }).kind, 'pick-account');
  assert.equal(nextStep(login(['login']), { ...nobody, others: 2 }).kind, 'identify');
});
