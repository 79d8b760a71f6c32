import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type IncomingMessage, Server, type ServerResponse } from 'node:http';

/** What an HTTP server calls for a request. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** Gets a request instead of the server's own listener, which it may call. */
type Taker = (request: IncomingMessage, response: ServerResponse, original: Listener) => unknown;

/** Node publishes here before a server emits `request`, in the same turn. */
const channel = 'http.server.request.start';

/**
 * Puts `take` in front of the HTTP server of this process that listens on `port`, for frameworks that do not
 * hand theirs out. From its first request on every one goes to `take`. Returns a function that ends it for
 * servers that are not known yet.
 */
export function takeRequests(port: number, take: Taker): () => void {
  const taken = new WeakSet<object>();
  const onRequest = (message: unknown): void => {
    const server = serverOf(message);
    if (!server || taken.has(server) || portOf(server) !== port) return;
    taken.add(server);
    const listeners = server.listeners('request');
    const original: Listener = (request, response) => {
      for (const listener of listeners) listener.call(server, request, response);
    };
    server.removeAllListeners('request');
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      Promise.resolve(take(request, response, original)).catch(() => {
        // Nothing may pass that was not decided on.
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end();
      });
    });
  };
  subscribe(channel, onRequest);
  return () => unsubscribe(channel, onRequest);
}

function serverOf(message: unknown): Server | undefined {
  const server =
    typeof message === 'object' && message !== null && 'server' in message
      ? message.server
      : undefined;
  // Servers of node:https are no instances of this class, but emit and listen the same way.
  const alike =
    server instanceof Server ||
    (typeof server === 'object' && server !== null && 'listeners' in server && 'address' in server);
  return alike ? (server as Server) : undefined;
}

function portOf(server: Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : undefined;
}
