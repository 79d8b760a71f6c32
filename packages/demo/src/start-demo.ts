import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { authOf, gatewarden } from '@gatewarden/express';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { demoScopes, demoTools } from './demo-tools.ts';
import { todoServer } from './todo-server.ts';
import { createTodos } from './todos.ts';

export type DemoOptions = {
  /** Environment URL of the Gatewarden that issues the tokens. */
  readonly environmentUrl: string;
  /** Id under which the demo is registered there. */
  readonly resourceId: string;
  /** Public URL of the endpoint. @default http://localhost:PORT/mcp */
  readonly serverUrl?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Address to listen at. @default 127.0.0.1 */
  readonly host?: string;
  /** For tests, and for a Gatewarden in the same process. @default the global fetch */
  readonly fetch?: McpServerOptions['fetch'];
  /** For tests. @default the clock of the machine */
  readonly now?: McpServerOptions['now'];
  /** @default silent */
  readonly log?: McpServerOptions['log'];
};

export type Demo = {
  /** The MCP endpoint. */
  readonly url: string;
  /** Stops listening and ends open requests. */
  close(): Promise<void>;
};

/** Starts the to-do MCP server, protected by Gatewarden. Prints nothing; rejects when the port is taken. */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const app = express();
  app.disable('x-powered-by');
  const server = createServer(app);
  const port = await listen(server, options.port, options.host ?? '127.0.0.1');
  const serverUrl = options.serverUrl ?? `http://localhost:${port}/mcp`;
  try {
    serveTodos(app, options, serverUrl);
  } catch (error) {
    await close(server);
    throw error;
  }
  return { url: serverUrl, close: () => close(server) };
}

function serveTodos(app: express.Express, options: DemoOptions, serverUrl: string): void {
  const todos = createTodos();
  app.use(
    gatewarden({
      environmentUrl: options.environmentUrl,
      resourceId: options.resourceId,
      serverUrl,
      path: '/mcp',
      name: 'Gatewarden demo: to-dos',
      scopes: demoScopes.map(({ name }) => name),
      // Everybody starts with reading; writing is asked for when a tool needs it, which shows the step-up.
      baseScopes: ['todo:read'],
      tools: demoTools,
      defaultPolicy: 'deny',
      // Clients on the 1.x SDK ask for the scopes of the challenge alone and would lose what they have.
      challengeIncludesGranted: true,
      log: options.log ?? (() => undefined),
      ...(options.fetch ? { fetch: options.fetch } : {}),
      ...(options.now ? { now: options.now } : {}),
    }),
  );
  app.post('/mcp', async (request, response) => {
    const auth = authOf(request);
    if (!auth) throw new Error('the guard let a request pass without a caller');
    // Stateless: a server and a transport for each request, so that nothing outlives a token.
    const mcp = todoServer(todos, auth.extra.subject);
    const transport = new StreamableHTTPServerTransport({});
    response.on('close', () => {
      void mcp.close();
    });
    await mcp.connect(transport);
    await transport.handleRequest(request, response, request.body);
  });
  // A stateless server has no stream of its own to offer and no session to end.
  app.all('/mcp', (_request, response) => {
    response.status(405).set('allow', 'POST').json({ error: 'method_not_allowed' });
  });
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // A listening TCP server always has an address with a port.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
