import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import type { TestContext } from 'node:test';
import type { GuardEvent } from '@gatewarden/resource-server';
import {
  type FakeIssuer,
  resourceId,
  startFakeIssuer,
} from '@gatewarden/resource-server/testing/fake-issuer';
import {
  type AccessEntry,
  type ProxyOptions,
  type RunningProxy,
  startProxy,
} from '../src/index.ts';
import { type Client, clientOf } from './client.ts';

/** A request as the upstream got it. */
export type Seen = {
  readonly method: string;
  readonly path: string;
  /** Every value under a lower-case name. */
  readonly header: (name: string) => readonly string[];
  readonly names: readonly string[];
  readonly body: string;
};

export type Proxied = Client & {
  readonly issuer: FakeIssuer;
  readonly proxy: RunningProxy;
  readonly upstreamPort: number;
  /** Everything that reached the upstream. */
  readonly seen: Seen[];
  readonly entries: AccessEntry[];
  readonly events: GuardEvent[];
  /** Resolves with the first access log line for which the question is true. */
  logged(is: (entry: AccessEntry) => boolean): Promise<AccessEntry>;
};

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => unknown;

export const echo: Handler = (_request, response) =>
  response.setHeader('content-type', 'application/json').end('{"handled":true}');

/** A proxy between a fake issuer, an upstream of the test's own making and a client that normalises nothing. */
export async function startProxied(
  t: TestContext,
  handler: Handler = echo,
  more: Partial<Omit<ProxyOptions, 'protect'>> & {
    readonly protect?: ProxyOptions['protect'];
  } = {},
): Promise<Proxied> {
  const seen: Seen[] = [];
  const upstreamPort = await startUpstream(t, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      seen.push(seenOf(request, body));
      handler(request, response, body);
    });
  });
  return { ...(await startInFront(t, upstreamPort, more)), seen };
}

/** The same in front of any port, such as one that speaks no proper HTTP. */
export async function startInFront(
  t: TestContext,
  upstreamPort: number,
  more: Partial<Omit<ProxyOptions, 'protect'>> & {
    readonly protect?: ProxyOptions['protect'];
  } = {},
): Promise<Proxied> {
  const issuer = await startFakeIssuer(t);
  const entries: AccessEntry[] = [];
  const events: GuardEvent[] = [];
  const waiting = new Set<() => void>();
  const proxy = await startProxy({
    upstream: `http://127.0.0.1:${upstreamPort}/mcp`,
    port: 0,
    shutdownGraceMs: 200,
    accessLog: (entry) => {
      entries.push(entry);
      for (const look of waiting) look();
    },
    log: (event) => events.push(event),
    now: () => issuer.clock.now,
    ...more,
    protect: {
      environmentUrl: issuer.url,
      resourceId,
      tools: { list_todos: 'todo:read', add_todo: 'todo:write' },
      revocation: false,
      ...more.protect,
    },
  });
  t.after(() => proxy.close());
  return {
    ...clientOf(proxy.port),
    issuer,
    proxy,
    upstreamPort,
    seen: [],
    entries,
    events,
    logged: (is) =>
      within('a line in the access log', (resolve) => {
        const look = (): void => {
          const found = entries.find(is);
          if (found) {
            waiting.delete(look);
            resolve(found);
          }
        };
        waiting.add(look);
        look();
      }),
  };
}

/** What does not happen fails a test instead of holding it up for ever. */
export async function within<T>(
  what: string,
  begin: (resolve: (value: T) => void) => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new Error(`${what} did not come in 20 seconds`)), 20_000);
  begin(resolve);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

export async function startUpstream(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  t.after(() => server.closeAllConnections());
  return await listening(t, server);
}

/** An upstream that answers bytes; what came in is its own business. */
export async function startBytes(
  t: TestContext,
  answer: (socket: Socket) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => answer(socket));
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  return await listening(t, server);
}

async function listening(t: TestContext, server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  t.after(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function seenOf(request: IncomingMessage, body: string): Seen {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2)
    pairs.push([(request.rawHeaders[at] ?? '').toLowerCase(), request.rawHeaders[at + 1] ?? '']);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    header: (name) => pairs.filter(([key]) => key === name).map(([, value]) => value),
    names: pairs.map(([key]) => key),
    body,
  };
}
