// An xmcp server as `xmcp build` makes one: its published HTTP runtime, with what the compiler would inject.
import { createRequire } from 'node:module';
import { setTimeout as after } from 'node:timers/promises';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { gatewarden } from '@gatewarden/xmcp';
import type { ToolExtraArguments } from 'xmcp';
import { z } from 'zod';
import { report, slowMs, toolNames } from '../mcp-tools.ts';

/** A file of `src/tools`. */
function toolFile(tool: string): object {
  return {
    metadata: { name: tool, description: tool },
    schema: { text: z.unknown() },
    default: async ({ text }: { text?: unknown }, extra: ToolExtraArguments) => {
      const call = { tool, text, client: extra.authInfo?.clientId };
      process.send?.(call);
      if (tool === 'slow') {
        await extra.sendNotification({
          method: 'notifications/progress',
          params: { progressToken: 1, progress: 1 },
        });
        await after(slowMs);
      }
      return { content: [{ type: 'text', text: report(call) }] };
    },
  };
}

const [port = '', declaration = ''] = process.argv.slice(2);
// Written by the test that starts this process.
const options = JSON.parse(declaration) as McpServerOptions;
const middleware = { default: gatewarden({ ...options, log: () => undefined }) };
const files = toolNames.map((name): [string, () => Promise<object>] => [
  `src/tools/${name}.ts`,
  async () => toolFile(name),
]);

Object.assign(globalThis, {
  HTTP_CONFIG: {
    port: Number(port),
    host: '127.0.0.1',
    endpoint: '/mcp',
    debug: false,
    bodySizeLimit: options.maxBodyBytes,
  },
  HTTP_CORS_CONFIG: {
    origin: 'http://localhost:6274',
    methods: ['GET', 'POST'],
    allowedHeaders: ['Authorization', 'Content-Type', 'MCP-Protocol-Version'],
  },
  TEMPLATE_CONFIG: {},
  SERVER_INFO: { name: 'todos', version: '1.0.0' },
  INJECTED_MIDDLEWARE: async () => middleware,
  INJECTED_TOOLS: Object.fromEntries(files),
  INJECTED_PROMPTS: {},
  INJECTED_RESOURCES: {},
  INJECTED_CLIENT_BUNDLES: undefined,
  IS_CLOUDFLARE: false,
});
const require = createRequire(import.meta.url);
require(require.resolve('xmcp/package.json').replace('package.json', 'dist/runtime/http.js'));
