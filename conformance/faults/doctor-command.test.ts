import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { CORPUS } from './corpus.ts';
import type { Fault } from './fault.ts';
import { freePort } from './foreign/free-port.ts';
import { startReferenceServer } from './good-server.ts';
import { startFault } from './start-fault.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/bin/gatewarden.js');

/** Runs the command as a user would, to its end. */
async function doctor(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [COMMAND, 'doctor', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.resume();
  const code = await new Promise<number | null>((done) => child.once('close', done));
  return { code, output };
}

function fault(id: string): Fault {
  const found = CORPUS.find((one) => one.id === id);
  assert.ok(found);
  return found;
}

test('gatewarden doctor: exit 0 and no finding for a good server, 3 where nothing answers (SKILL-69)', async (t) => {
  const { mcp } = await startReferenceServer(t);
  const good = await doctor('mcp', mcp, '--json');
  assert.deepEqual([good.code, idsOf(good.output)], [0, []], good.output);
  const nobody = await doctor('mcp', `http://127.0.0.1:${await freePort()}/mcp`, '--json');
  assert.equal(nobody.code, 3, nobody.output);
});

test('gatewarden doctor: exit 1 and the finding, for people, as JSON and as SARIF (SKILL-69)', async (t) => {
  const [forged, self] = [fault('forged-token-accepted'), fault('tls-invalid')];
  const [{ mcp }, other] = await Promise.all([startFault(t, forged), startFault(t, self)]);
  const [asJson, forPeople, asSarif, unsafe] = await Promise.all([
    doctor(mcp, '--json'),
    doctor(mcp),
    doctor(mcp, '--sarif'),
    doctor(other.mcp, '--json'),
  ]);
  assert.deepEqual([asJson.code, forPeople.code, asSarif.code, unsafe.code], [1, 1, 1, 1]);
  assert.deepEqual(idsOf(asJson.output), [forged.id]);
  assert.match(forPeople.output, /^error forged-token-accepted: /m);
  assert.equal(JSON.parse(asSarif.output).runs[0].results[0].ruleId, forged.id);
  assert.deepEqual(idsOf(unsafe.output), [self.id]);
});

function idsOf(output: string): readonly string[] {
  return JSON.parse(output).findings.map(({ id }: { id: string }) => id);
}
