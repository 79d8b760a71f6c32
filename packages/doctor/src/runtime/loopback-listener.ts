import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pause } from './machine.ts';

export type LoopbackListener = {
  readonly redirectUri: string;
  /** Parameters of the response to the request with this state; undefined when none came in time. */
  readonly response: (state: string, milliseconds: number) => Promise<URLSearchParams | undefined>;
  readonly close: () => Promise<void>;
};

const PATH = '/callback';
const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'",
  'referrer-policy': 'no-referrer',
};

/** Waits on a free loopback port for authorization responses (RFC 8252 §7.3). Each state is answered once. */
export async function listenOnLoopback(signal?: AbortSignal): Promise<LoopbackListener> {
  const waiting = new Map<string, (parameters: URLSearchParams) => void>();
  const server = createServer((request, response) => receive(request, response, host, waiting));
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    server.listen(0, '127.0.0.1', done);
  });
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no loopback port was free');
  const host = `127.0.0.1:${address.port}`;
  return {
    redirectUri: `http://${host}${PATH}`,
    response: async (state, milliseconds) => {
      const enough = new AbortController();
      const came = new Promise<URLSearchParams>((done) => waiting.set(state, done));
      const stop = signal ? AbortSignal.any([signal, enough.signal]) : enough.signal;
      try {
        return await Promise.race([came, pause(milliseconds, stop).then(() => undefined)]);
      } finally {
        waiting.delete(state);
        enough.abort();
      }
    },
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** Nothing of the request stands in the page: whoever sent it may not be the authorization server. */
function receive(
  request: IncomingMessage,
  response: ServerResponse,
  host: string,
  waiting: ReadonlyMap<string, (parameters: URLSearchParams) => void>,
): void {
  // A target such as `//` is no URL, and any web page can make a browser ask for it.
  const base = `http://${host}`;
  const target = request.url ?? '/';
  const url = URL.canParse(target, base) ? new URL(target, base) : undefined;
  const answer = waiting.get(url?.searchParams.get('state') ?? '');
  if (
    request.method !== 'GET' ||
    url?.pathname !== PATH ||
    request.headers.host !== host ||
    !answer
  ) {
    response
      .writeHead(404, PAGE_HEADERS)
      .end('<!doctype html><title>Not found</title><p>Nothing waits for this.');
    return;
  }
  response
    .writeHead(200, PAGE_HEADERS)
    .end(
      '<!doctype html><title>Done</title><p>The doctor goes on in the terminal. You can close this window.',
    );
  answer(url.searchParams);
}
