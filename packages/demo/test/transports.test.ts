import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import {
  guardFetch,
  guardNodeRequest,
  type McpAuth,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';
import { scopeClaims, startFakeIssuer } from '@gatewarden/resource-server/testing/fake-issuer';
import { declaration, serve, toolCall } from '@gatewarden/resource-server/testing/guarded-server';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';

type Site = { readonly name: string; readonly url: URL };
type Mode = { readonly json: boolean };

function tools(): McpServer {
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  for (const name of ['list_todos', 'add_todo']) {
    server.registerTool(name, { description: `${name} ✓` }, ({ authInfo }) => ({
      content: [{ type: 'text', text: `${authInfo?.extra?.['subject']}` }],
    }));
  }
  return server;
}

/** Sessions of the official transport, one server object for each, behind Node's entry point. */
async function startNode(t: TestContext, options: McpServerOptions, mode: Mode): Promise<Site> {
  const guard = protectMcp(options);
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const handle = async (
    request: IncomingMessage & { auth?: McpAuth },
    response: ServerResponse,
  ): Promise<void> => {
    const admitted = await guardNodeRequest(guard, request, response);
    if (!admitted) return;
    const known = sessions.get(String(request.headers['mcp-session-id']));
    const transport =
      known ??
      new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        enableJsonResponse: mode.json,
        onsessioninitialized: (id) => {
          sessions.set(id, transport);
        },
      });
    if (!known) await connect(t, transport);
    await transport.handleRequest(request, response, admitted.body);
  };
  const { port } = await serve(t, handle);
  return { name: 'node', url: new URL(`http://localhost:${port}/mcp`) };
}

async function connect(
  t: TestContext,
  transport: Parameters<McpServer['connect']>[0],
): Promise<void> {
  const server = tools();
  await server.connect(transport);
  t.after(() => server.close());
}

/** The same behind the web-standard one. The platform around it is Node's server. */
async function startWeb(t: TestContext, options: McpServerOptions, mode: Mode): Promise<Site> {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>();
  const handle = guardFetch(protectMcp(options), async (request, { auth, body }) => {
    const known = sessions.get(request.headers.get('mcp-session-id') ?? '');
    const transport =
      known ??
      new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        enableJsonResponse: mode.json,
        onsessioninitialized: (id) => {
          sessions.set(id, transport);
        },
      });
    if (!known) await connect(t, transport);
    return transport.handleRequest(request, {
      parsedBody: body,
      ...(auth ? { authInfo: auth } : {}),
    });
  });
  const { port } = await serve(t, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [
      name,
      String(value),
    ]);
    const body = request.method === 'POST' ? { body: Buffer.concat(chunks) } : {};
    const answer = await handle(
      new Request(`http://${request.headers.host}${request.url}`, {
        method: request.method ?? '',
        headers,
        ...body,
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).flushHeaders();
    const reader = answer.body?.getReader();
    response.once('close', () => reader?.cancel().catch(() => undefined));
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read())
      response.write(part.value);
    response.end();
  });
  return { name: 'web', url: new URL(`http://localhost:${port}/mcp`) };
}

async function sites(t: TestContext, options: McpServerOptions): Promise<readonly Site[]> {
  const modes = [{ json: false }, { json: true }];
  const started = modes.flatMap((mode) => [
    startNode(t, options, mode),
    startWeb(t, options, mode),
  ]);
  return Promise.all(started);
}

async function connectClient(
  t: TestContext,
  { url }: Site,
  token: string,
): Promise<{ client: Client; session: string; transport: StreamableHTTPClientTransport }> {
  const client = new Client({ name: 'test', version: '1.0.0' });
  const requestInit = { headers: { Authorization: `Bearer ${token}` } };
  const transport = new StreamableHTTPClientTransport(url, { requestInit });
  await client.connect(transport);
  t.after(() => client.close());
  return { client, session: transport.sessionId ?? '', transport };
}

test('official transports work with sessions, hidden tools and every check behind both entry points (RS-43, RS-46, RS-48)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const options = declaration(issuer, { hideUnpermittedTools: true, checkMcpHeaders: true });
  const token = await issuer.token(scopeClaims('todo:read'));
  const thief = await issuer.token({ sub: 'usr_2', ...scopeClaims('todo:read') });
  for (const site of await sites(t, options)) {
    const { client, session, transport } = await connectClient(t, site, token);
    const listed = await client.listTools();
    assert.deepEqual(
      listed.tools.map(({ name, description }) => [name, description]),
      [['list_todos', 'list_todos ✓']],
      site.name,
    );
    const { content } = await client.callTool({ name: 'list_todos', arguments: {} });
    assert.deepEqual(content, [{ type: 'text', text: 'usr_1' }]);
    await assert.rejects(
      client.callTool({ name: 'add_todo', arguments: {} }),
      /insufficient_scope/,
    );

    assert.notEqual(session, '');
    assert.equal((await use(site, thief, session)).status, 404, site.name);
    assert.equal((await use(site, token, session)).status, 200);
    await transport.terminateSession();
  }
});

async function use(site: Site, token: string, session: string): Promise<Response> {
  const response = await fetch(site.url, {
    method: 'POST',
    body: toolCall('list_todos'),
    headers: {
      authorization: `Bearer ${token}`,
      accept: 'application/json, text/event-stream',
      'content-type': 'application/json',
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
    },
  });
  await response.text();
  return response;
}

test('the GET stream of an official transport ends before its token, and its session goes on (RS-46, RS-49)', async (t) => {
  const issuer = await startFakeIssuer(t);
  const token = await issuer.token(scopeClaims('todo:read'));
  issuer.advance(3_600 - 61); // the token has 61 seconds left, so the stream has one
  for (const site of await sites(t, declaration(issuer))) {
    const { client, session } = await connectClient(t, site, token);
    await client.close();
    const status = await lengthOfStream(site, token, session);
    assert.equal(status, 200, site.name);
    assert.equal((await use(site, token, session)).status, 200, 'another request of the session');
  }
});

/** Opens the stream of a session and waits until the server has ended it. */
function lengthOfStream({ url }: Site, token: string, session: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, {
      agent: false,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        'mcp-session-id': session,
      },
    });
    request.setTimeout(5_000, () => request.destroy(new Error('the stream stayed open')));
    request.on('error', reject).on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    });
    request.end();
  });
}
