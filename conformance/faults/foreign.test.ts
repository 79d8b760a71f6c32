import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '@gatewarden/doctor';
import { PEERS } from './foreign/peers.ts';

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
