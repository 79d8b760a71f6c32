import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { token } from '@gatewarden/server/testing';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { type Ready, type Spawned, spawnCommand, spawnDev } from './spawn-dev.ts';

// Everything is what a person would start: `gatewarden dev`, `gatewarden proxy`, an MCP server and a client of the official SDK.

const LIMIT_MS = 5_000;

/** An MCP server without sessions and without any idea of authorization. */
async function startMcpServer(t: TestContext): Promise<string> {
  const server = createServer(async (request, response) => {
    const todos = new McpServer({ name: 'todos', version: '1' });
    todos.registerTool('list_todos', { description: 'All' }, () => ({
      content: [{ type: 'text', text: 'milk' }],
    }));
    const transport = new StreamableHTTPServerTransport();
    response.once('close', () => void todos.close());
    await todos.connect(transport as Transport);
    await transport.handleRequest(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
}

/** `gatewarden proxy` in front of an MCP server, for the resource of the demo. */
async function startProxy(
  t: TestContext,
  cwd: string,
  { environmentUrl, demo }: Ready,
): Promise<{ url: string; log: Record<string, unknown>[]; errors: Spawned['errors'] }> {
  const run = spawnCommand(
    [
      ...['proxy', '--json', '--port', '0', '--management-port', '0'],
      ...['--upstream', await startMcpServer(t)],
      ...['--environment-url', environmentUrl, '--resource-id', demo?.resourceId ?? ''],
    ],
    { cwd },
  );
  t.after(async () => {
    if (run.child.exitCode === null && run.child.signalCode === null) run.child.kill('SIGKILL');
    await run.ended;
  });
  const lines = createInterface({ input: run.child.stdout ?? assert.fail() });
  const [ready] = await Promise.race([
    once(lines, 'line'),
    run.ended.then((code) => assert.fail(`ended with ${code}: ${run.errors()}`)),
  ]);
  const log: Record<string, unknown>[] = [];
  lines.on('line', (line) => log.push(JSON.parse(line)));
  return { url: JSON.parse(String(ready)).mcpUrl, log, errors: run.errors };
}

/** A machine at the demo's resource: tokens by client credentials, and the ways to end them. */
async function machineAt({ environmentUrl, clientId, clientSecret, demo }: Ready): Promise<{
  accessToken: () => Promise<string>;
  revoke: (accessToken: string) => Promise<void>;
  remove: () => Promise<void>;
}> {
  const management = await token(environmentUrl, {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
  });
  const clients = `${environmentUrl}/api/v1/resources/${demo?.resourceId}/clients`;
  const managed = async (method: string, url: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${String(management.body['access_token'])}`,
        'content-type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    assert.ok(response.ok, text);
    return JSON.parse(text);
  };
  const made = await managed('POST', clients, { name: 'Robot', scopes: ['todo:read'] });
  const { client, plain_secret: secret } = made as {
    client: { client_id: string };
    plain_secret: string;
  };
  const own = { client_id: client.client_id, client_secret: secret };
  const issuer = `${environmentUrl}/resources/${demo?.resourceId}`;
  return {
    async accessToken() {
      const answer = await token(issuer, { grant_type: 'client_credentials', ...own });
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return String(answer.body['access_token']);
    },
    async revoke(accessToken) {
      const body = new URLSearchParams({ token: accessToken, ...own });
      assert.equal((await fetch(`${issuer}/oauth/revoke`, { method: 'POST', body })).status, 200);
    },
    async remove() {
      await managed('DELETE', `${clients}/${client.client_id}`);
    },
  };
}

async function connected(t: TestContext, url: string, accessToken: string): Promise<Client> {
  const client = new Client({ name: 'robot', version: '1' });
  const headers = { authorization: `Bearer ${accessToken}` };
  t.after(() => client.close());
  await client.connect(
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }) as Transport,
  );
  assert.deepEqual((await client.callTool({ name: 'list_todos' })).content, [
    { type: 'text', text: 'milk' },
  ]);
  return client;
}

/** Milliseconds from the begin of a revocation until a call is refused; the refusal has to be that of a token. */
async function untilRefused(client: Client, revoke: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await revoke();
  for (;;) {
    try {
      await client.callTool({ name: 'list_todos' });
    } catch (error) {
      assert.match(String(error), /invalid_token|401|Unauthorized/);
      return performance.now() - began;
    }
    assert.ok(performance.now() - began < LIMIT_MS, 'still accepted after 5 seconds');
    await sleep(25);
  }
}

test('gatewarden proxy refuses a machine within 5 seconds after its token was revoked or its client deleted, and no other token (RS-58, RS-25, AS-124, AS-98)', async (t) => {
  const cwd = await mkdtemp(join(tmpdir(), 'gatewarden-proxy-'));
  t.after(() => rm(cwd, { recursive: true, force: true }));
  const flags = ['--port', '0', '--demo', '--demo-port', '0'];
  const { ready } = await spawnDev(t, { cwd, flags });
  const machine = await machineAt(ready);
  const proxy = await startProxy(t, cwd, ready);
  const [first, second] = [await machine.accessToken(), await machine.accessToken()];
  const one = await connected(t, proxy.url, first);
  const other = await connected(t, proxy.url, second);

  const revoked = await untilRefused(one, () => machine.revoke(first));
  await other.callTool({ name: 'list_todos' });
  const deleted = await untilRefused(other, () => machine.remove());

  t.diagnostic(`token revoked: ${revoked.toFixed(0)} ms; client deleted: ${deleted.toFixed(0)} ms`);
  assert.ok(revoked < LIMIT_MS && deleted < LIMIT_MS, `${revoked} and ${deleted} ms`);
  const refusals = (): unknown[] =>
    proxy.log
      .filter(({ status }) => status === 401)
      .map(({ outcome, reason }) => [outcome, reason]);
  const end = performance.now() + LIMIT_MS; // a line of the log may come after its answer
  while (refusals().length < 2 && performance.now() < end) await sleep(20);
  t.diagnostic(JSON.stringify(proxy.log.slice(-3)));
  assert.deepEqual(refusals(), Array(2).fill(['refused', 'revoked']));
  for (const accessToken of [first, second])
    assert.ok(!JSON.stringify([proxy.log, proxy.errors()]).includes(accessToken.slice(-40)));
});
