import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatewarden } from '@gatewarden/express';
import {
  type FakeIssuer,
  scopeClaims,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import {
  declaration,
  serve,
  startGuarded,
  toolCall,
} from '@gatewarden/resource-server/testing/guarded-server';
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';

test('the MCP SDK reads metadata and scope out of the challenge (RS-11, RS-14)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const server = await startGuarded(
    t,
    declaration(issuer, { baseScopes: ['todo:read'], realm: 'To-"dos"' }),
  );

  const answer = await server.send({ body: toolCall('list_todos') });

  const seen = extractWWWAuthenticateParams(
    new Response('', { headers: { 'WWW-Authenticate': answer.headers['www-authenticate'] ?? '' } }),
  );
  assert.deepEqual(seen, {
    resourceMetadataUrl: new URL('http://localhost:3333/.well-known/oauth-protected-resource/mcp'),
    scope: 'todo:read',
    error: undefined,
  });
});

test('the MCP SDK works behind the guard with sessions, streams and the caller in its tools (RS-26, RS-46)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const url = await startSdkServer(t, issuer);
  const client = new Client({ name: 'test', version: '1.0.0' });
  const token = await issuer.token(scopeClaims('todo:read'));
  await client.connect(
    new StreamableHTTPClientTransport(url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
  );
  t.after(() => client.close());

  const { tools } = await client.listTools();
  const result = await client.callTool({ name: 'list_todos', arguments: {} });
  const refused = client.callTool({ name: 'add_todo', arguments: {} });

  assert.deepEqual(tools.map(({ name }) => name).sort(), ['add_todo', 'list_todos']);
  assert.deepEqual(result.content, [{ type: 'text', text: 'usr_1 by skc_1' }]);
  await assert.rejects(refused, /insufficient_scope/);
});

/** One session per client, its transport kept between requests: POST, GET stream and DELETE. */
async function startSdkServer(t: Parameters<typeof serve>[0], issuer: FakeIssuer): Promise<URL> {
  const app = express();
  app.use(gatewarden(declaration(issuer)));
  let transport: StreamableHTTPServerTransport | undefined;
  app.all('/mcp', async (request, response) => {
    if (!transport) {
      transport = new StreamableHTTPServerTransport({ sessionIdGenerator: () => 'session-1' });
      const server = new McpServer({ name: 'test', version: '1.0.0' });
      for (const name of ['list_todos', 'add_todo']) {
        server.registerTool(name, {}, ({ authInfo }) => ({
          content: [
            { type: 'text', text: `${authInfo?.extra?.['subject']} by ${authInfo?.clientId}` },
          ],
        }));
      }
      await server.connect(transport);
      t.after(() => server.close());
    }
    // Without the parsed body: the transport must find the same bytes by itself.
    await transport.handleRequest(request, response);
  });
  const { port } = await serve(t, app);
  return new URL(`http://localhost:${port}/mcp`);
}
