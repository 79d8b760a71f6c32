import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { TestContext } from 'node:test';
import type { GuardEvent, McpServerOptions } from '../index.ts';
import { guardNodeRequest, protectMcp } from '../index.ts';
import { type FakeIssuer, resourceId, serverUrl } from './fake-issuer.ts';

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
};

export type Guarded = {
  readonly port: number;
  /** What got past the guard. */
  readonly calls: { path: string; auth: unknown; body: unknown }[];
  readonly events: GuardEvent[];
  /** Sends a request whose path and headers are put on the wire as they are given. */
  send(request: Sent): Promise<Answer>;
  /** Sends bytes and returns what came back until the connection ended or fell silent. */
  raw(bytes: string): Promise<string>;
};

type Sent = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly token?: string;
  readonly body?: string | Uint8Array;
};

/** A declaration as most tests use it. */
export function declaration(
  issuer: FakeIssuer,
  more: Partial<McpServerOptions> = {},
): McpServerOptions {
  return {
    environmentUrl: issuer.url,
    resourceId,
    serverUrl,
    tools: { list_todos: 'todo:read', add_todo: 'todo:write' },
    now: () => issuer.clock.now,
    log: () => undefined,
    ...more,
  };
}

/** A real HTTP server that does nothing but count what its guard lets through. */
export async function startGuarded(
  t: TestContext,
  options: McpServerOptions | readonly McpServerOptions[],
): Promise<Guarded> {
  const events: GuardEvent[] = [];
  const declared = Array.isArray(options) ? options : [options];
  const guard = protectMcp(
    declared.map((one: McpServerOptions) => ({
      ...one,
      log: (event: GuardEvent) => events.push(event),
    })),
  );
  const calls: Guarded['calls'] = [];
  return {
    events,
    calls,
    ...(await serve(t, async (request, response) => {
      const admitted = await guardNodeRequest(guard, request, response);
      if (!admitted) return;
      calls.push({ path: request.url ?? '', ...admitted });
      response.setHeader('content-type', 'application/json').end('{"handled":true}');
    })),
  };
}

/** Listens on a free port for the length of a test and offers clients that normalise nothing. */
export async function serve(
  t: TestContext,
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
): Promise<Pick<Guarded, 'port' | 'send' | 'raw'>> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return clientOf((server.address() as AddressInfo).port);
}

/** Clients of a server that listens on this machine already. */
export function clientOf(port: number): Pick<Guarded, 'port' | 'send' | 'raw'> {
  return { port, send: (sent) => send(port, sent), raw: (bytes) => sendRaw(port, bytes) };
}

function send(port: number, sent: Sent): Promise<Answer> {
  const headers: (readonly [string, string])[] = [...(sent.headers ?? [])];
  const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) headers.unshift(['Host', `localhost:${port}`]);
  if (sent.token !== undefined) headers.push(['Authorization', `Bearer ${sent.token}`]);
  if (sent.body !== undefined && !has('content-type'))
    headers.push(['Content-Type', 'application/json']);
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      agent: false,
      method: sent.method ?? (sent.body === undefined ? 'GET' : 'POST'),
      path: sent.path ?? '/mcp',
      headers: headers.flat(),
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
      );
    });
    request.end(sent.body);
  });
}

function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(500, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** A `tools/call` as a client sends it. */
export function toolCall(name: string, args: unknown = {}, id = 1): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name, arguments: args },
  });
}

/** The parameters of a Bearer challenge. */
export function challengeOf(answer: Answer): Record<string, string> {
  const header = answer.headers['www-authenticate'] ?? '';
  const found = [...header.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)];
  return Object.fromEntries(found.map(([, name, value]) => [name, value?.replace(/\\(.)/g, '$1')]));
}

/**
 * Paths that careless exceptions for `.well-known` let through. None of them may reach a handler without a token.
 */
export const hostilePaths: readonly string[] = [
  '/mcp',
  '/mcp/',
  '/MCP',
  '/mcp/.well-known/x',
  '/mcp/.well-known/oauth-protected-resource',
  '/mcp?/.well-known/oauth-protected-resource',
  '/.well-known/../mcp',
  '/.well-known/oauth-protected-resource/../../mcp',
  '/.well-known/oauth-protected-resource/../../../mcp',
  '/.well-known/oauth-protected-resource/%2e%2e/%2e%2e/mcp',
  '/.well-known/oauth-protected-resource%2f..%2f..%2fmcp',
  '/.well-known/oauth-protected-resource%00/mcp',
  '/.well-known/%2e%2e/mcp',
  '/.well-known/%252e%252e/mcp',
  '/.well-known/..%2fmcp',
  '/.well-known/..%5cmcp',
  '/.well-known\\..\\mcp',
  '//.well-known/..;/mcp',
  '/.well-known/..;/mcp',
  '/.well-known/oauth-protected-resource;/mcp',
  '/.well-known/oauth-protected-resource;x=1',
  '/.well-known/oauth-protected-resourcex',
  '/.well-known/oauth-protected-resource.json',
  '/.well-known/oauth-protected-resource//mcp',
  '/.well-known/oauth-protected-resource/mcp//',
  '/.well-known/oauth-protected-resource/other',
  '/.WELL-KNOWN/oauth-protected-resource',
  '/.well-known/OAuth-Protected-Resource/mcp',
  '/.well-known/oauth-protected-resource/MCP',
  '//.well-known/oauth-protected-resource',
  '/./.well-known/oauth-protected-resource',
  '/%2ewell-known/oauth-protected-resource',
  '/.well-known',
  '/.well-known/',
  '/.well-known/oauth-authorization-server',
  '/health/../mcp',
  '/health/..%2fmcp',
  '/health/',
  '/health;/mcp',
  '/health%2f',
  '/healthz',
  '/HEALTH',
  '//health',
  '/%68ealth',
  '/',
  '*',
  'http://localhost/.well-known/oauth-protected-resource/../mcp',
  'http://localhost/health',
];
