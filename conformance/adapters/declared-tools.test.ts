import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, declaredTools, defineMcpServer } from '@gatewarden/resource-server';
import { Client, InMemoryTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

const declaration = defineMcpServer({
  environmentUrl: 'https://auth.example.com',
  resourceId: 'res_1',
  serverUrl: 'https://mcp.example.com/mcp',
  tools: { list_todos: 'todo:read', add_todo: 'todo:write' },
});

test('with the 2.x SDK too, a tool without declared scopes neither compiles nor starts (RS-35)', async (t) => {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  const registerTool = declaredTools(declaration, server);
  registerTool('list_todos', { title: 'List' }, (context) => ({
    content: [{ type: 'text', text: typeof context.mcpReq.signal.aborted }],
  }));
  registerTool('add_todo', { inputSchema: z.object({ id: z.number() }) }, async ({ id }) => ({
    content: [{ type: 'text', text: id.toFixed(1) }],
  }));
  assert.throws(
    // @ts-expect-error no rule says which scopes it needs
    () => registerTool('unlisted', {}, () => ({ content: [] })),
    (error) => error instanceof ConfigurationError && error.code === 'undeclared_tool',
  );
  const [here, there] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'test', version: '1.0.0' });
  await Promise.all([server.connect(there), client.connect(here)]);
  t.after(() => client.close());
  const added = await client.callTool({ name: 'add_todo', arguments: { id: 7 } });
  assert.deepEqual(added.content, [{ type: 'text', text: '7.0' }]);
  assert.equal((await client.listTools()).tools.length, 2);
});
