import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UNUSUAL } from './corpus/unusual.ts';
import { examineServer } from './examine-fault.ts';
import { startReferenceServer } from './good-server.ts';

for (const { name, change, atRoot, withoutLogin } of UNUSUAL) {
  test(`the doctor says nothing against a server that is right in its own way: ${name} (SKILL-69)`, async (t) => {
    const at = await startReferenceServer(t, { change, atRoot });
    assert.deepEqual((await examineServer(at)).findings, []);
    if (!withoutLogin) assert.deepEqual((await examineServer(at, true)).findings, []);
  });
}
