import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type GuardRequest, type McpGuard, protectMcp } from '../src/index.ts';
import { newKey, startFakeIssuer } from '../src/testing/fake-issuer.ts';
import { declaration } from '../src/testing/guarded-server.ts';

function requestWith(token: string): GuardRequest {
  return {
    method: 'GET',
    target: '/mcp',
    header: (name) => ({ host: ['localhost'], authorization: [`Bearer ${token}`] })[name] ?? [],
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  };
}

async function admits(guard: McpGuard, token: string): Promise<boolean> {
  return (await guard.decide(requestWith(token))).kind === 'allow';
}

/** Milliseconds until each of the guards refuses a token that all of them accept. */
async function refusals(guards: readonly McpGuard[], token: string): Promise<number[]> {
  const began = performance.now();
  return Promise.all(
    guards.map(async (guard) => {
      while (await admits(guard, token)) {
        assert.ok(performance.now() - began < 5_000, 'still accepted after 5 seconds');
        await sleep(20);
      }
      return performance.now() - began;
    }),
  );
}

for (const longPolls of [true, false]) {
  test(`50 verifiers refuse a revoked token within 5 seconds, ${longPolls ? 'with long polls' : 'where the server has no room for long polls'} (RS-58, RS-25)`, async (t) => {
    const issuer = await startFakeIssuer(t);
    issuer.feed.longPolls = longPolls;
    const guards = Array.from({ length: 50 }, () =>
      protectMcp(declaration(issuer, { now: () => new Date() })),
    );
    t.after(() => {
      for (const guard of guards) guard.close();
    });
    issuer.clock.now = new Date();
    const token = await issuer.token({ rvk: ['h1'] });
    for (const guard of guards) assert.equal(await admits(guard, token), true);
    await sleep(500);
    const asked = issuer.feed.fetches + issuer.feed.polls;

    issuer.clock.now = new Date();
    issuer.feed.revoke({ handle: 'h1' });
    const times = (await refusals(guards, token)).sort((a, b) => a - b);

    t.diagnostic(`p50 ${times[25]?.toFixed(0)} ms, slowest ${times.at(-1)?.toFixed(0)} ms`);
    assert.ok(asked <= 50 * 2 + 50, `${asked} requests in half a second`);
  });
}

test('a feed that answers every poll at once, with all it has, is asked every two seconds and not in a circle (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const guard = protectMcp(declaration(issuer, { now: () => new Date() }));
  t.after(() => guard.close());
  issuer.clock.now = new Date();
  issuer.feed.revoke({ handle: 'nobody' });
  issuer.feed.answer = (response, request) => {
    issuer.clock.now = new Date();
    const [path] = (request.url ?? '').split('?');
    void issuer.feed.document({ aud: `${issuer.url}${path}` }).then((text) => response.end(text));
  };
  const token = await issuer.token();
  const end = performance.now() + 3_000;
  while (performance.now() < end) {
    assert.equal(await admits(guard, token), true);
    await sleep(10);
  }
  const asked = issuer.feed.fetches + issuer.feed.polls;
  assert.ok(asked <= 5, `${asked} requests in 3 seconds`);
});

test('a process ends when its work is done, although a guard still listens for revocations (RS-58)', async (t) => {
  const issuer = await startFakeIssuer(t, await newKey('snk_1'));
  issuer.clock.now = new Date();
  const script = fileURLToPath(new URL('./guarded-once.ts', import.meta.url));
  const child = spawn(process.execPath, [script, issuer.url, await issuer.token()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = once(child, 'close');
  const began = performance.now();
  while (issuer.feed.waiting.size === 0) {
    assert.ok(performance.now() - began < 5_000, said);
    await sleep(10);
  }
  const polled = performance.now();
  const [code] = await ended;
  assert.deepEqual([code, said.trim()], [0, 'allow']);
  assert.ok(performance.now() - polled < 5_000, 'did not wait for the long poll');
});
