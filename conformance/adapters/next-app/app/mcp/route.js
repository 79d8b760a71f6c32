import { setTimeout as after } from 'node:timers/promises';
import { protect } from '@gatewarden/next';
import { createMcpHandler } from 'mcp-handler';
import { z } from 'zod';
import { mcpServer } from '../../mcp-server.js';

const inputSchema = z.object({ text: z.unknown() });

const handler = createMcpHandler((server) => {
  for (const tool of ['list_todos', 'add_todo', 'slow']) {
    server.registerTool(tool, { inputSchema }, async ({ text }, { http, mcpReq }) => {
      const call = JSON.stringify({ tool, text, client: http?.authInfo?.clientId });
      console.log(`CALL ${encodeURIComponent(call)}`); // for the test, which reads lines
      if (tool === 'slow') {
        const params = { progressToken: 1, progress: 1 };
        await mcpReq.notify({ method: 'notifications/progress', params });
        await after(400);
      }
      return { content: [{ type: 'text', text: call }] };
    });
  }
});

export const { GET, HEAD, POST, DELETE, OPTIONS } = protect(mcpServer, handler);
