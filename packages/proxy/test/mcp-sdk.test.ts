import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { startInFront, startUpstream } from './proxied.ts';

/** An MCP server with sessions and no idea of authorization. */
async function startMcpServer(t: TestContext): Promise<number> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  return await startUpstream(t, async (request, response) => {
    const known = sessions.get(String(request.headers['mcp-session-id']));
    if (known) return await known.handleRequest(request, response);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body: unknown = JSON.parse(Buffer.concat(chunks).toString() || 'null');
    if (!isInitializeRequest(body)) return response.writeHead(404).end();
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
      },
    });
    await todoServer().connect(transport as Transport);
    return await transport.handleRequest(request, response, body);
  });
}

function todoServer(): McpServer {
  const server = new McpServer({ name: 'todos', version: '1' }, { capabilities: { logging: {} } });
  const said = (text: string): { content: [{ type: 'text'; text: string }] } => ({
    content: [{ type: 'text', text }],
  });
  server.registerTool('list_todos', { description: 'All' }, async ({ sendNotification }) => {
    await sendNotification({
      method: 'notifications/message',
      params: { level: 'info', data: 'half way' },
    });
    return said('milk');
  });
  server.registerTool('add_todo', { description: 'Adds one' }, () => {
    server.server.sendToolListChanged();
    return said('added');
  });
  return server;
}

test('the official client works with the official server through the proxy: session, streams, tools, end (RS-46, RS-47)', async (t) => {
  const proxied = await startInFront(t, await startMcpServer(t), { managementPort: 0 });
  const { proxy, issuer, logged } = proxied;
  const bearer = async (scope: string): Promise<Record<string, string>> => ({
    authorization: `Bearer ${await issuer.token({ scope, scopes: scope.split(' ') })}`,
  });
  const messages: unknown[] = [];
  const changed = Promise.withResolvers<void>();
  const client = new Client({ name: 'test', version: '1' });
  client.fallbackNotificationHandler = async ({ method, params }) => {
    messages.push(params?.['data']);
    if (method === 'notifications/tools/list_changed') changed.resolve();
  };
  const transport = new StreamableHTTPClientTransport(new URL(proxy.url), {
    requestInit: { headers: await bearer('todo:read todo:write') },
  });
  await client.connect(transport as Transport);
  t.after(() => client.close());
  assert.ok(transport.sessionId);
  // The notification of a changed list comes by the GET stream, which opens on its own.
  const metrics = async (): Promise<string> =>
    await (await fetch(`${proxy.managementUrl}/metrics`)).text();
  const end = performance.now() + 10_000;
  while (!/open_streams 1/.test(await metrics())) {
    assert.ok(performance.now() < end, 'the client opened no stream');
    await new Promise((done) => setTimeout(done, 20));
  }

  assert.deepEqual(
    (await client.listTools()).tools.map(({ name }) => name),
    ['list_todos', 'add_todo'],
  );
  assert.deepEqual((await client.callTool({ name: 'list_todos' })).content, [
    { type: 'text', text: 'milk' },
  ]);
  assert.ok(messages.includes('half way'), 'what a tool sends before its result');
  await client.callTool({ name: 'add_todo' });
  await changed.promise;

  const thief = new StreamableHTTPClientTransport(new URL(proxy.url), {
    sessionId: transport.sessionId,
    requestInit: {
      headers: { authorization: `Bearer ${await issuer.token({ sub: 'usr_2' })}` },
    },
  });
  await assert.rejects(
    thief.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    /404|not found/i,
    'a session of somebody else (RS-48)',
  );
  await transport.terminateSession();
  const ended = await logged(({ method }) => method === 'DELETE');
  assert.deepEqual([ended.status, ended.outcome], [200, 'passed']);
  await assert.rejects(client.listTools());
});

test('a call without its scope fails at the official client as 403 and never reaches the server (RS-39)', async (t) => {
  const { proxy, issuer } = await startInFront(t, await startMcpServer(t));
  const client = new Client({ name: 'test', version: '1' });
  t.after(() => client.close());
  const headers = { authorization: `Bearer ${await issuer.token()}` };
  await client.connect(
    new StreamableHTTPClientTransport(new URL(proxy.url), {
      requestInit: { headers },
    }) as Transport,
  );
  await assert.rejects(client.callTool({ name: 'add_todo' }), /insufficient_scope|403/);
});
