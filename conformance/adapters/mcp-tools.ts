import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Call } from './target.ts';

export const toolNames = ['list_todos', 'add_todo', 'slow'];
/** How long `slow` waits between what it sends first and its result. */
export const slowMs = 400;

/** What a tool says: who it is, what it was given and who called. */
export function report(call: Call): string {
  return JSON.stringify(call);
}

/** Registers the three tools of every server of the table. */
export function addTools(server: McpServer, ran: (call: Call) => void): void {
  for (const tool of toolNames) {
    const inputSchema = z.object({ text: z.unknown() });
    server.registerTool(tool, { inputSchema }, async ({ text }, context) => {
      const call = { tool, text, client: context.http?.authInfo?.clientId };
      ran(call);
      if (tool === 'slow') {
        await context.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken: 1, progress: 1 },
        });
        await after(slowMs);
      }
      return { content: [{ type: 'text' as const, text: report(call) }] };
    });
  }
}

/** An MCP server of the official SDK, for `fetch`. It answers both revisions of the protocol. */
export function mcpHandler(ran: (call: Call) => void): ReturnType<typeof createMcpHandler> {
  return createMcpHandler(() => {
    const server = new McpServer({ name: 'todos', version: '1.0.0' });
    addTools(server, ran);
    return server;
  });
}

/** The same for Node's request and response. */
export function mcpNodeHandler(
  ran: (call: Call) => void,
): (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void> {
  const handle = toNodeHandler(mcpHandler(ran));
  // The SDK's type leaves out that Node's members may be there and undefined.
  return (request, response, body) => handle(request as NodeIncomingMessageLike, response, body);
}

/** What every other route counts as. */
export const route: Call = { tool: '(route)', text: undefined, client: undefined };
