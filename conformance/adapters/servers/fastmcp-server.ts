import { setTimeout as after } from 'node:timers/promises';
import { gatewarden } from '@gatewarden/fastmcp';
import type { McpAuth } from '@gatewarden/resource-server';
import { clientOf } from '@gatewarden/resource-server/testing/guarded-server';
import { FastMCP } from 'fastmcp';
import { z } from 'zod';
import { report, slowMs, toolNames } from '../mcp-tools.ts';
import type { Adapter, Start } from '../target.ts';
import { freePort } from './free-port.ts';

const silent = () => undefined;
const logger = { debug: silent, error: silent, info: silent, log: silent, warn: silent };

const start: Start = async (t, servers, ran) => {
  const protection = gatewarden(servers);
  const server = new FastMCP<McpAuth & Record<string, unknown>>({
    name: 'todos',
    version: '1.0.0',
    authenticate: protection.authenticate,
    logger,
  });
  for (const name of toolNames) {
    server.addTool({
      name,
      description: name,
      parameters: z.object({ text: z.unknown() }),
      execute: async ({ text }, { session, reportProgress }) => {
        const call = { tool: name, text, client: session?.clientId };
        ran(call);
        if (name === 'slow') {
          await reportProgress({ progress: 1 });
          await after(slowMs);
        }
        return report(call);
      },
    });
  }
  const port = await freePort();
  await protection.start(server, {
    transportType: 'httpStream',
    httpStream: { port, host: '127.0.0.1', stateless: true },
  });
  t.after(async () => {
    await server.stop();
    protection.release();
  });
  return clientOf(port);
};

export const fastMcpAdapter: Adapter = {
  name: 'FastMCP',
  start,
  except: {
    twoServers: 'FastMCP has one MCP endpoint',
  },
};
