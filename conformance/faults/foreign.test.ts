import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '@gatewarden/doctor';
import { agree } from './examine-fault.ts';
import { PEERS } from './foreign/peers.ts';
import { startSdkExample } from './foreign/sdk-example.ts';

for (const { name, start, findings } of PEERS) {
  test(`the doctor and a server that others wrote: ${name} (SKILL-69)`, async (t) => {
    const report = await examine(await start(t), { requestsPerSecond: 500 });
    assert.equal(report.reachable, true);
    assert.deepEqual(
      report.findings.map(({ id }) => id),
      findings,
      JSON.stringify(report.findings, undefined, 2),
    );
    assert.ok(report.clients.length > 0);
  });
}

test('a whole sign-in at a server that others wrote: the SDK example lets the doctor in and has no finding there (SKILL-69)', async (t) => {
  const report = await examine(await startSdkExample(t), {
    requestsPerSecond: 500,
    login: { openBrowser: agree, timeoutSeconds: 8 },
  });
  const login = report.steps.find(({ step }) => step === 'login');
  assert.equal(login?.outcome, 'passed');
  assert.ok(login.notes.some((note) => note.includes('No refresh token was issued')));
});
