import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CORPUS } from './corpus.ts';
import { nameOf, PUBLIC } from './fault.ts';
import { startReferenceServer } from './good-server.ts';
import { startFault } from './start-fault.ts';

for (const fault of CORPUS) {
  test(`${nameOf(fault)}: the mistake shows from outside, and the good server does not make it (SKILL-69)`, async (t) => {
    assert.equal(await fault.visible(await startFault(t, fault)), true);
    assert.equal(
      await fault.visible(await startReferenceServer(t, { names: fault.names && PUBLIC })),
      false,
    );
  });
}

test('the corpus holds at least 45 kinds of mistakes, each named and described once (SKILL-69)', () => {
  assert.ok(new Set(CORPUS.map(({ id }) => id)).size >= 45);
  assert.equal(new Set(CORPUS.map(nameOf)).size, CORPUS.length);
  assert.equal(new Set(CORPUS.map(({ wrong }) => wrong)).size, CORPUS.length);
});
