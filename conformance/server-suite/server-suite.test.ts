import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startProxy } from '@gatewarden/proxy';
import { guardNodeRequest, protectMcp } from '@gatewarden/resource-server';
import {
  type FakeIssuer,
  resourceId,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import { type McpEndpoint, sessionsServer } from './sessions-server.ts';
import { statelessServer } from './stateless-server.ts';
import { listen, runSuite, tokenAdder } from './suite.ts';

/** Scenarios of extensions that our example servers leave out: nothing of them is expected to pass. */
const leftOut = /^server-(tasks-|json-schema-2020-12\/)/;

const revisions: readonly (readonly [revision: string, make: () => McpEndpoint])[] = [
  ['2025-11-25', sessionsServer],
  ['2026-07-28', statelessServer],
];

/** How often a scenario noticed something depends on time; what it judged does not. */
const judged = (checks: readonly string[]): string[] => [
  ...new Set(checks.filter((check) => !check.endsWith(': INFO'))),
];

for (const [revision, make] of revisions) {
  test(`the MCP conformance suite of ${revision} judges a server the same unprotected, behind the middleware and behind the proxy (RS-46, RS-50)`, async (t) => {
    const bare = make();
    const port = await listen(t, (request, response) => void bare(request, response));
    const unprotected = judged(await runSuite(t, `http://localhost:${port}/mcp`, revision));
    assert.ok(unprotected.length > 60, `${unprotected.length} checks`);
    assert.deepEqual(
      unprotected.filter((check) => !check.endsWith(': SUCCESS') && !leftOut.test(check)),
      [],
    );

    const issuer = await startFakeIssuer(t);
    issuer.clock.now = new Date();
    assert.deepEqual(judged(await behindMiddleware(t, issuer, make(), revision)), unprotected);
    assert.deepEqual(judged(await behindProxy(t, issuer, make(), revision)), unprotected);
  });
}

async function behindMiddleware(
  t: TestContext,
  issuer: FakeIssuer,
  endpoint: McpEndpoint,
  revision: string,
): Promise<string[]> {
  const adder = await tokenAdder(t, () => issuer.token());
  const serverUrl = `http://localhost:${adder.port}/mcp`;
  const guard = protectMcp({
    environmentUrl: issuer.url,
    resourceId,
    serverUrl,
    log: () => undefined,
  });
  let passed = 0;
  const port = await listen(t, async (request, response) => {
    const admitted = await guardNodeRequest(guard, request, response);
    if (!admitted) return;
    passed += 1;
    await endpoint(request, response, admitted.body);
  });
  adder.lead(port);
  const checks = await runSuite(t, serverUrl, revision);
  assert.ok(passed > 30, `${passed} requests passed the guard`);
  assert.equal(
    (await fetch(`http://localhost:${port}/mcp`, { headers: { host: 'localhost' } })).status,
    401,
  );
  return checks;
}

async function behindProxy(
  t: TestContext,
  issuer: FakeIssuer,
  endpoint: McpEndpoint,
  revision: string,
): Promise<string[]> {
  const adder = await tokenAdder(t, () => issuer.token());
  const serverUrl = `http://localhost:${adder.port}/mcp`;
  let tokens = 0;
  const port = await listen(t, async (request, response) => {
    if (request.headers.authorization !== undefined) tokens += 1;
    await endpoint(request, response);
  });
  const proxy = await startProxy({
    upstream: `http://127.0.0.1:${port}/mcp`,
    port: 0,
    protect: { environmentUrl: issuer.url, resourceId, serverUrl },
  });
  t.after(() => proxy.close());
  adder.lead(proxy.port);
  const checks = await runSuite(t, serverUrl, revision);
  assert.equal(tokens, 0, 'a token reached the upstream');
  return checks;
}
