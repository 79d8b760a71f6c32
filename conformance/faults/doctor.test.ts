import assert from 'node:assert/strict';
import { test } from 'node:test';
import { examine } from '@gatewarden/doctor';
import { LOGIN } from './corpus/login.ts';
import { LOGIN_SECOND_LOOKS } from './corpus/login-second-looks.ts';
import { CORPUS } from './corpus.ts';
import { examineServer, testFaults } from './examine-fault.ts';
import { PUBLIC, redirectTo } from './fault.ts';
import { startReferenceServer } from './good-server.ts';

testFaults([...LOGIN, ...LOGIN_SECOND_LOOKS]);

test('a good server has no finding, and nothing was left out (SKILL-69)', async (t) => {
  for (const names of [undefined, PUBLIC]) {
    const report = await examineServer(await startReferenceServer(t, { names }));
    assert.deepEqual(report.findings, []);
    assert.equal(report.ok, true);
    assert.deepEqual(
      report.steps.filter(({ outcome }) => outcome !== 'passed').map(({ step }) => step),
      ['login'],
    );
  }
});

test('a good server has no finding after a whole sign-in either (SKILL-69)', async (t) => {
  const report = await examineServer(await startReferenceServer(t), true);
  assert.deepEqual(report.findings, []);
  assert.ok(report.steps.every(({ outcome }) => outcome === 'passed'));
});

test('without a sign-in the doctor leaves nothing behind: no registration, no code, no token request that could succeed (SKILL-69)', async (t) => {
  const seen: string[] = [];
  const at = await startReferenceServer(t, {
    change: ({ place }) => ({
      authorizationFront: async (request, next) => {
        const answer = await next();
        const path = request.path.slice(new URL(place.issuer).pathname.length);
        if (answer.status < 400 && ['/register', '/authorize', '/token'].includes(path))
          if (request.method !== 'OPTIONS') seen.push(`${request.method} ${path}`);
        return answer;
      },
    }),
  });
  await examineServer(at);
  assert.deepEqual(seen, []);
});

test('nothing at the address: not reachable, and no finding (SKILL-69)', async (t) => {
  const at = await startReferenceServer(t);
  const closed = await new Promise<string>((done) => {
    let close: () => Promise<void> = async () => {};
    void startReferenceServer({ after: (work) => (close = work) }).then(async ({ mcp }) => {
      await close();
      done(mcp);
    });
  });
  assert.notEqual(closed, at.mcp);
  const report = await examine(closed, { timeoutMs: 2_000 });
  assert.deepEqual([report.reachable, report.ok, report.findings], [false, false, []]);
  assert.equal(report.steps[0]?.outcome, 'failed', 'the first step is not called passed');
});

test('the corpus has a server for at least 45 findings (SKILL-69)', () => {
  assert.ok(new Set(CORPUS.map(({ id }) => id)).size >= 45);
});

test('an https address that leads to plain http is named, and no token is asked for there (SKILL-69, downgrade)', async (t) => {
  const open = await startReferenceServer(t, {
    names: { ...PUBLIC, resource: 'http://mcp.example.test' },
  });
  const at = await startReferenceServer(t, {
    names: PUBLIC,
    change: () => ({
      resourceFront: async (request, next) =>
        request.path === '/mcp' ? { ...redirectTo(open.mcp), status: 308 } : next(),
    }),
  });
  const report = await examineServer(at, true);
  assert.deepEqual(
    report.findings.filter(({ id }) => id === 'insecure-http').map(({ url }) => url),
    [at.mcp],
    JSON.stringify(report.findings),
  );
  assert.equal(report.steps.at(-1)?.outcome, 'not reached');
  assert.match(report.steps.at(-1)?.notes.join() ?? '', /not encrypted/);
});
