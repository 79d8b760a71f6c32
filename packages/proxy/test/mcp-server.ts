import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { startUpstream } from './proxied.ts';

/** An MCP server with sessions and no idea of authorization. */
export async function startMcpServer(t: TestContext): Promise<number> {
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
