import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import type { Answer } from '@gatewarden/resource-server/testing/guarded-server';

type Sent = {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly token?: string;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
};

export type Client = {
  send(sent: Sent): Promise<Answer>;
  /** Resolves as soon as the head of the response is there. */
  open(sent: Sent): Promise<Opened>;
  /** Sends bytes and returns what came back until the connection ended or fell silent. */
  raw(bytes: string | Uint8Array, silenceMs?: number): Promise<string>;
};

export type Opened = {
  readonly request: ClientRequest;
  readonly response: IncomingMessage;
  /** The next text that arrives; undefined when the response is over. */
  next(): Promise<string | undefined>;
  /** end: whole; cut: broken off. */
  readonly ended: Promise<'end' | 'cut'>;
};

/** A client that puts paths and headers on the wire as they are given. */
export function clientOf(port: number): Client {
  return {
    async send(sent) {
      const { response, next } = await open(port, sent);
      let text = '';
      for (let part = await next(); part !== undefined; part = await next()) text += part;
      return { status: response.statusCode ?? 0, headers: response.headers, text };
    },
    open: (sent) => open(port, sent),
    raw: (bytes, silenceMs = 500) => sendRaw(port, bytes, silenceMs),
  };
}

function open(port: number, sent: Sent): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      host: '127.0.0.1',
      port,
      agent: false,
      method: sent.method ?? (sent.body === undefined ? 'GET' : 'POST'),
      path: sent.path ?? '/mcp',
      headers: headersOf(port, sent).flat(),
      ...(sent.signal ? { signal: sent.signal } : {}),
    });
    request.on('error', reject);
    request.on('response', (response) => resolve({ request, response, ...reading(response) }));
    request.end(sent.body);
  });
}

function headersOf(port: number, sent: Sent): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [...(sent.headers ?? [])];
  const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
  if (!has('host')) headers.unshift(['Host', `localhost:${port}`]);
  if (sent.token !== undefined) headers.push(['Authorization', `Bearer ${sent.token}`]);
  if (sent.body !== undefined && !has('content-type'))
    headers.push(['Content-Type', 'application/json']);
  if (sent.body !== undefined && !has('content-length') && !has('transfer-encoding'))
    headers.push(['Content-Length', String(Buffer.byteLength(sent.body))]);
  return headers;
}

function reading(response: IncomingMessage): Pick<Opened, 'next' | 'ended'> {
  const parts = response.setEncoding('utf8').iterator();
  const ended = new Promise<'end' | 'cut'>((resolve) => {
    response.once('end', () => resolve('end'));
    response.once('error', () => resolve('cut'));
    response.once('close', () => resolve('cut'));
  });
  const next = async (): Promise<string | undefined> => {
    try {
      const { done, value } = await parts.next();
      return done ? undefined : String(value);
    } catch {
      return undefined;
    }
  };
  return { next, ended };
}

function sendRaw(port: number, bytes: string | Uint8Array, silenceMs: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined); // a reset is an answer too
    socket.on('close', () => resolve(text));
  });
}
