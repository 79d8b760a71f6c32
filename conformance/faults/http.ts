import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** A request as it came over the wire; `target` is the raw request target, neither decoded nor normalised. */
export type Incoming = {
  readonly method: string;
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Keep the response open after its body, as a stream of events does. */
  readonly open?: true;
};

/** Work between the wire and a handler, as middleware of web frameworks does it. */
export type Front = (request: Incoming, next: () => Promise<Answer>) => Promise<Answer>;

export type Certificate = { readonly key: string; readonly cert: string };

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(body),
  };
}

export function html(status: number, text: string): Answer {
  const body = `<!doctype html><html lang="en"><head><title>${text}</title></head><body><h1>${text}</h1></body></html>`;
  return { status, headers: { 'content-type': 'text/html; charset=utf-8' }, body };
}

export function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: '' };
}

/** What this text holds if it is a JSON object, else undefined. */
export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    return value as Record<string, unknown>; // an object, neither null nor an array
  } catch {
    return undefined;
  }
}

async function read(request: IncomingMessage): Promise<Incoming> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const target = request.url ?? '/';
  const [path = '/', ...query] = target.split('?');
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
  return {
    method: request.method ?? 'GET',
    target,
    path,
    query: new URLSearchParams(query.join('?')),
    headers,
    body: Buffer.concat(chunks).toString('utf8'),
  };
}

/** A server on a free loopback port, with TLS if it is given a certificate. It knows where it listens before it is told what to answer. */
export async function listen(certificate?: Certificate): Promise<{
  readonly origin: string;
  answer(handler: (request: Incoming) => Promise<Answer>): void;
  close(): Promise<void>;
}> {
  let handler: (request: Incoming) => Promise<Answer> = async () => empty(503);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    read(request)
      .then((incoming) => handler(incoming))
      .catch(() => json(500, { message: 'Internal server error' }))
      .then(({ status, headers, body, open }) => {
        response.writeHead(status, headers);
        if (open) response.write(body);
        else response.end(request.method === 'HEAD' ? '' : body);
      })
      .catch(() => response.destroy());
  };
  const server = certificate ? createTlsServer(certificate, onRequest) : createServer(onRequest);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo; // listening on TCP
  return {
    origin: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`,
    answer(given) {
      handler = given;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
