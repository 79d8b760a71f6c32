// An MCP endpoint in a process of its own: Express with and without our middleware, bare or with the official SDK behind it, a
// plain upstream, or our proxy in front of one. What it is to be comes as its first argument.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gatewarden } from '@gatewarden/express';
import { startProxy } from '@gatewarden/proxy';
import type { McpServerOptions } from '@gatewarden/resource-server';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { serveParent } from './child.ts';
import type { EndpointKind, EndpointReady } from './middleware.ts';
import { RESOURCE_ID, startTokenIssuer, type TokenIssuer } from './token-issuer.ts';

const ANSWER = { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text: 'Hello' }] } };

function protection({ url }: TokenIssuer, port: number): McpServerOptions {
  return {
    environmentUrl: url,
    resourceId: RESOURCE_ID,
    serverUrl: `http://localhost:${port}/mcp`,
    baseScopes: ['todo:read'],
    tools: { greet: 'todo:read' },
    log: () => undefined,
  };
}

async function listenWith(
  answer: express.RequestHandler,
  guardedBy: TokenIssuer | undefined,
): Promise<number> {
  const app = express();
  app.disable('x-powered-by');
  const port = await listen(app);
  app.use(guardedBy ? gatewarden(protection(guardedBy, port)) : express.json());
  app.post('/mcp', answer);
  return port;
}

const bare: express.RequestHandler = (_request, response) => {
  response.json(ANSWER);
};

/** Stateless, as the SDK's own example is: a server and a transport for each request. */
const withSdk: express.RequestHandler = async (request, response) => {
  const server = new McpServer({ name: 'bench', version: '1.0.0' });
  server.registerTool('greet', { description: 'Says hello' }, () => ({
    content: [{ type: 'text', text: 'Hello' }],
  }));
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.on('close', () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
};

/** An MCP server that does nothing but read and answer, so that what is in front of it shows. */
const upstream: RequestListener = (request, response) => {
  request.resume().on('end', () => {
    const body = JSON.stringify(ANSWER);
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
      .end(body);
  });
};

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port; // it listens on a port
}

async function portOf(kind: EndpointKind, issuer: TokenIssuer, behind: string): Promise<number> {
  switch (kind) {
    case 'express':
      return await listenWith(bare, undefined);
    case 'express, guarded':
      return await listenWith(bare, issuer);
    case 'sdk':
      return await listenWith(withSdk, undefined);
    case 'sdk, guarded':
      return await listenWith(withSdk, issuer);
    case 'upstream':
      return await listen(upstream);
    case 'proxy': {
      const { serverUrl: _own, ...protect } = protection(issuer, 0);
      const proxy = await startProxy({
        upstream: `http://127.0.0.1:${behind}/mcp`,
        port: 0,
        protect,
        log: () => undefined,
      });
      return proxy.port;
    }
  }
}

const issuer = await startTokenIssuer();
const [, , kind = '', behind = ''] = process.argv;
const port = await portOf(kind as EndpointKind, issuer, behind); // from our own process
const ready: EndpointReady = { port, token: issuer.token('RS256') };
serveParent(ready);
