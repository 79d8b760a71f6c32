import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type CallbackListener = {
  /** Where the browser is to be sent. */
  readonly redirectUri: string;
  /** What the browser brought, once it brought the state that was asked for. */
  received(state: string, timeoutSeconds: number): Promise<URLSearchParams | 'timeout'>;
  close(): Promise<void>;
};

/**
 * Listens on this machine for the redirect of an authorization (RFC 8252 §7.3). A request with another `state`
 * is somebody else's: it gets a page, and the wait goes on.
 *
 * @throws {Error} the port is taken (`code` EADDRINUSE)
 */
export async function listenForCallback(address: URL): Promise<CallbackListener> {
  const waiting = new Map<string, (params: URLSearchParams) => void>();
  const server = createServer((request, response) => {
    // A target such as `//` is no URL, and any web page can make a browser ask for it.
    const target = request.url ?? '/';
    const url = URL.canParse(target, address.origin) ? new URL(target, address.origin) : undefined;
    const isOurs = request.headers.host === new URL(redirectUri).host; // a page of another name is not (DNS rebinding)
    if (url?.pathname !== address.pathname || request.method !== 'GET' || !isOurs)
      return page(response, 404, 'There is nothing here.');
    const found = waiting.get(url.searchParams.get('state') ?? '');
    if (!found) return page(response, 400, 'This is not the sign-in that was started here.');
    page(response, 200, 'Received. You can close this window and go back to the terminal.');
    return found(url.searchParams);
  });
  await listen(server, address);
  const { port } = server.address() as AddressInfo; // a listening TCP server always has one
  const redirectUri = `http://${address.hostname}:${port}${address.pathname}`;
  return {
    redirectUri,
    async received(state, timeoutSeconds) {
      let timer: NodeJS.Timeout | undefined;
      try {
        return await new Promise((resolve) => {
          waiting.set(state, resolve);
          timer = setTimeout(() => resolve('timeout'), timeoutSeconds * 1_000);
        });
      } finally {
        clearTimeout(timer);
        waiting.delete(state);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, { hostname, port }: URL): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(Number(port), hostname === '[::1]' ? '::1' : '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function page(response: ServerResponse, status: number, text: string): void {
  response
    .writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      connection: 'close',
    })
    .end(`${text}\n`);
}
