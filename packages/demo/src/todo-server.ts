import { declaredTools } from '@gatewarden/resource-server';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { demoTools } from './demo-tools.ts';
import type { Todo, Todos } from './todos.ts';

const id = z.number().int().positive().describe('Number of the to-do');

/**
 * The MCP server for one request of one person. The guard has checked the scopes; here only tools that have
 * some can be registered.
 */
export function todoServer(todos: Todos, owner: string): McpServer {
  const server = new McpServer({ name: 'gatewarden-demo', title: 'To-dos', version: '0.1.0' });
  const registerTool = declaredTools({ tools: demoTools }, server);
  registerTool(
    'list_todos',
    { title: 'List to-dos', description: 'All your to-dos', annotations: { readOnlyHint: true } },
    () => said(todos.list(owner)),
  );
  registerTool(
    'get_todo',
    {
      title: 'Get a to-do',
      description: 'One of your to-dos',
      inputSchema: { id },
      annotations: { readOnlyHint: true },
    },
    (input) => found(todos.get(owner, input.id)),
  );
  registerTool(
    'add_todo',
    {
      title: 'Add a to-do',
      description: 'Adds a to-do',
      inputSchema: { title: z.string().trim().min(1).max(200).describe('What is to be done') },
    },
    (input) => found(todos.add(owner, input.title), 'The list is full'),
  );
  registerTool(
    'complete_todo',
    { title: 'Complete a to-do', description: 'Marks a to-do as done', inputSchema: { id } },
    (input) => found(todos.complete(owner, input.id)),
  );
  registerTool(
    'delete_todo',
    {
      title: 'Delete a to-do',
      description: 'Deletes a to-do for good',
      inputSchema: { id },
      annotations: { destructiveHint: true },
    },
    (input) => (todos.remove(owner, input.id) ? said({ deleted: input.id }) : found(undefined)),
  );
  return server;
}

function said(value: unknown): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(value) }] };
}

function found(
  todo: Todo | undefined,
  otherwise = 'There is no to-do with this number',
): CallToolResult {
  return todo ? said(todo) : { isError: true, content: [{ type: 'text', text: otherwise }] };
}
