import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigurationError, declaredTools, defineMcpServer } from '@gatewarden/resource-server';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';

const declaration = defineMcpServer({
  environmentUrl: 'https://auth.example.com',
  resourceId: 'res_1',
  serverUrl: 'https://mcp.example.com/mcp',
  scopes: ['todo:read', 'todo:write'],
  tools: {
    list_todos: 'todo:read',
    add_todo: ['todo:read', 'todo:write'],
    purge: ({ tool }) => (tool === 'purge' ? 'todo:write' : false),
  },
});

const said = (text: string): { content: [{ type: 'text'; text: string }] } => ({
  content: [{ type: 'text', text }],
});

test('declared tools are registered with their schemas and called by a client of the SDK (RS-35)', async (t) => {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  const registerTool = declaredTools(declaration, server);
  const registered = registerTool('list_todos', { title: 'List' }, (context) =>
    said(`session ${context.sessionId ?? 'none'}`),
  );
  registerTool(
    'add_todo',
    { inputSchema: { title: z.string(), many: z.number().optional() } },
    (input) => said(`${input.title.toUpperCase()} ${input.many?.toFixed(1)}`),
  );
  registerTool('purge', { inputSchema: z.object({ id: z.number() }) }, async ({ id }, { signal }) =>
    said(`${id.toFixed(0)} ${signal.aborted}`),
  );
  assert.equal(registered.enabled, true);

  const [here, there] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'test', version: '1.0.0' });
  await Promise.all([server.connect(there), client.connect(here)]);
  t.after(() => client.close());
  const call = async (name: string, args: Record<string, unknown>): Promise<unknown> =>
    (await client.callTool({ name, arguments: args })).content;
  assert.deepEqual(await call('list_todos', {}), said('session none').content);
  assert.deepEqual(await call('add_todo', { title: 'a', many: 1 }), said('A 1.0').content);
  assert.deepEqual(await call('purge', { id: 7 }), said('7 false').content);
});

test('a tool without scopes in the declaration neither compiles nor starts (RS-35)', () => {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  const registerTool = declaredTools(declaration, server);
  const undeclared = (error: unknown): boolean =>
    error instanceof ConfigurationError && error.code === 'undeclared_tool';
  // @ts-expect-error no rule says which scopes it needs
  assert.throws(() => registerTool('unlisted', {}, () => said('')), undeclared);
  // @ts-expect-error a member of every object is not a tool
  assert.throws(() => registerTool('constructor', {}, () => said('')), undeclared);
  const name: string = 'list_todos';
  // @ts-expect-error a name that is only known at run time is not one the compiler has seen
  registerTool(name, {}, () => said(''));
  // @ts-expect-error the result is not one of a tool
  registerTool('add_todo', {}, () => 'text');
  registerTool('purge', { inputSchema: { id: z.number() } }, ({ id }) =>
    // @ts-expect-error the input has the type of its schema
    said(id.toUpperCase()),
  );
  const none = declaredTools(defineMcpServer({ serverUrl: 'https://mcp.example.com' }), server);
  // @ts-expect-error nothing is declared
  assert.throws(() => none('list_todos', {}, () => said('')), undeclared);
});

test('scopes of declared tools are checked by the compiler as before (RS-35)', () => {
  const wrong = defineMcpServer({
    serverUrl: 'https://mcp.example.com/mcp',
    scopes: ['todo:read'],
    tools: {
      // @ts-expect-error not a scope of the declaration
      list_todos: 'todo:raed',
      // @ts-expect-error not a scope of the declaration
      purge: () => 'todo:purge',
    },
  });
  assert.deepEqual(Object.keys(wrong.tools ?? {}), ['list_todos', 'purge']);
});
