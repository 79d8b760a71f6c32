import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type ExamineOptions, examine, type Report } from '@gatewarden/doctor';
import { type Fault, nameOf } from './fault.ts';
import type { ReferenceServer } from './good-server.ts';
import { startFault } from './start-fault.ts';

const MOST_MS = 10_000;

/** A person who agrees to everything: follows the address and its redirects to the client's own listener. */
export async function agree(url: string): Promise<void> {
  await (await fetch(url)).text();
}

/** Chance that is the same in each run. */
export function counting(): (bytes: number) => Uint8Array {
  let next = 0;
  return (bytes) => Uint8Array.from({ length: bytes }, () => (next++ * 37) % 256);
}

/** What the doctor is told about one server. `example.test` is this machine, and everybody else's name leads nowhere. */
export function optionsFor(at: ReferenceServer, login = false): ExamineOptions {
  return {
    resolve: at.resolve,
    allowPrivate: true,
    requestsPerSecond: 500,
    timeoutMs: 2_000,
    random: counting(),
    ...(login && {
      login: { openBrowser: agree, scopes: ['todo:read'], tool: 'delete_todo', timeoutSeconds: 5 },
    }),
  };
}

export async function examineServer(at: ReferenceServer, login = false): Promise<Report> {
  return await examine(at.mcp, optionsFor(at, login));
}

/** A test per fault, then one that counts. */
export function testFaults(faults: readonly Fault[]): void {
  const found: string[] = [];
  for (const fault of faults) {
    test(`the doctor finds exactly ${fault.id}${fault.name ? ` (${fault.name})` : ''} (SKILL-69)`, async (t) => {
      await checkFault(t, fault);
      found.push(nameOf(fault));
    });
  }
  test(`all ${faults.length} of these faults were found (SKILL-69)`, (t) => {
    t.diagnostic(`${found.length} of ${faults.length} faults found`);
    assert.deepEqual(found, faults.map(nameOf));
  });
}

async function checkFault(t: TestContext, fault: Fault): Promise<void> {
  const at = await startFault(t, fault);
  const report = await examineServer(at, fault.login);
  assert.deepEqual(
    report.findings.map(({ id }) => id),
    [fault.id],
    JSON.stringify(report.findings, undefined, 2),
  );
  const [finding] = report.findings;
  assert.ok(finding);
  assert.equal(finding.step, fault.step);
  assert.equal(report.reachable, true);
  assert.equal(report.ok, finding.severity === 'warning');
  assert.equal(report.steps.find(({ step }) => step === fault.step)?.outcome, 'failed');
  assert.ok(report.durationMs <= MOST_MS, `${report.durationMs} ms`);
  for (const text of [finding.message, finding.fix, finding.rule.says])
    assert.ok(text.length >= 20, `"${text}" says little`);
  for (const text of [finding.evidence, finding.url, finding.rule.source, finding.rule.section])
    assert.notEqual(text, '');
  assert.notEqual(finding.message, finding.fix);
  // Specific: something of this very server is shown.
  const shown = `${finding.message} ${finding.evidence} ${finding.url}`;
  assert.ok(
    [at.resourceOrigin, at.issuerOrigin, 'example'].some((text) => shown.includes(text)),
    shown,
  );
}
