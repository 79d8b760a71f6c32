import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { resourceId, startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import {
  clientOf,
  type Guarded,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';

const pathOf = (example: string): string =>
  fileURLToPath(new URL(`../examples/${example}.ts`, import.meta.url));

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function startExample(
  t: TestContext,
  example: string,
  env: Record<string, string>,
): Promise<Pick<Guarded, 'port' | 'send'>> {
  const port = await freePort();
  const child = spawn(process.execPath, [pathOf(example)], {
    env: { ...process.env, ...env, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await Promise.race([once(child.stdout, 'data'), ended]);
  assert.equal(child.exitCode, null, 'the example has ended');
  return clientOf(port);
}

test('an unprotected Express MCP server and the same with protection differ by six lines, and only one answers strangers (RS-51)', async (t) => {
  const issuer = await startFakeIssuer(t);
  issuer.clock.now = new Date();
  const env = { GATEWARDEN_ENVIRONMENT_URL: issuer.url, MCP_RESOURCE_ID: resourceId };
  const open = await startExample(t, 'unprotected', env);
  const closed = await startExample(t, 'protected', env);
  const headers: [string, string][] = [['Accept', 'application/json, text/event-stream']];
  const call = { body: toolCall('list_todos'), headers };

  const answered = await open.send(call);
  const refused = await closed.send(call);
  const admitted = await closed.send({ ...call, token: await issuer.token() });

  assert.deepEqual([answered.status, refused.status, admitted.status], [200, 401, 200]);
  assert.match(answered.text, /Buy milk/);
  assert.doesNotMatch(refused.text, /Buy milk/);
  assert.match(admitted.text, /Buy milk/);
});

test('the two examples differ by at most six lines, counted as a diff counts them', () => {
  const [before, after] = ['unprotected', 'protected'].map((name) =>
    readFileSync(pathOf(name), 'utf8').split('\n'),
  );
  const added = after?.filter((line) => !before?.includes(line)) ?? [];
  const removed = before?.filter((line) => !after?.includes(line)) ?? [];
  assert.ok(added.length > 0 && added.length + removed.length <= 6, added.join('\n'));
  const kept = (lines: string[] | undefined, changed: string[]): string[] | undefined =>
    lines?.filter((line) => !changed.includes(line));
  assert.deepEqual(kept(after, added), kept(before, removed));
});
