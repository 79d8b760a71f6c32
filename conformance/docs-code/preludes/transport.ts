import type { IncomingMessage, ServerResponse } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer as McpServer2 } from '@modelcontextprotocol/server';

const milk = { content: [{ type: 'text' as const, text: 'Buy milk' }] };

/** What documents call `transport`: a stateless server of the SDK 1.x, made anew for each request. */
export function transportOf(): {
  handleRequest(request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void>;
} {
  return {
    async handleRequest(request, response, body) {
      const server = new McpServer({ name: 'todos', version: '1.0.0' });
      server.registerTool('list_todos', {}, () => milk);
      const transport = new StreamableHTTPServerTransport({});
      await server.connect(transport);
      await transport.handleRequest(request, response, body);
    },
  };
}

/** What documents call `mcp`: the same with the SDK 2.x, for handlers of the web platform. */
export const handlerOf = (): ReturnType<typeof createMcpHandler> =>
  createMcpHandler(() => {
    const server = new McpServer2({ name: 'todos', version: '1.0.0' });
    server.registerTool('list_todos', {}, () => milk);
    return server;
  });
