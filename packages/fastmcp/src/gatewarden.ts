import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  guardNodeRequest,
  type McpAuth,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';
import { replayedRequest } from './replayed-request.ts';
import { type Listener, takeRequests } from './take-requests.ts';

/** What is used of FastMCP's options of `start`. */
type StartOptions = {
  readonly transportType: 'httpStream';
  readonly httpStream: { readonly port: number };
};

/** What is used of FastMCP itself. */
export type FastMcpServer<O extends StartOptions> = { start(options: O): Promise<void> };

export type Protection = {
  /** For FastMCP's option of that name. Refuses whatever did not come through the guard; tools get the caller as `context.session`. */
  readonly authenticate: (request: IncomingMessage | undefined) => Promise<McpAuth>;
  /**
   * Starts FastMCP with the guard in front of its HTTP server, instead of `server.start(options)`. CORS is
   * the guard's, so FastMCP's own is off. The port must be a fixed one.
   */
  readonly start: <O extends StartOptions>(
    server: FastMcpServer<NoInfer<O>>,
    options: O,
  ) => Promise<void>;
  /** Takes the guard away from servers that were stopped, so that their port can be used again. */
  readonly release: () => void;
};

/**
 * Protects a FastMCP server (TypeScript) on its HTTP transports:
 *
 *     const protection = gatewarden({ … });
 *     const server = new FastMCP({ name, version, authenticate: protection.authenticate });
 *     await protection.start(server, { transportType: 'httpStream', httpStream: { port: 3000 } });
 *
 * FastMCP calls `authenticate` after it has read the body and writes its own challenge, so the guard stands
 * before both: on the HTTP server that `start` opens. Should it ever not be there, `authenticate` lets
 * nothing through (503).
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function gatewarden<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): Protection {
  const guard = protectMcp(servers);
  const callers = new WeakMap<IncomingMessage, McpAuth>();
  const releases: (() => void)[] = [];

  const handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    original: Listener,
  ): Promise<void> => {
    const admitted = await guardNodeRequest(guard, request, response);
    if (!admitted) return;
    const checked = replayedRequest(request);
    if (admitted.auth) callers.set(checked, admitted.auth);
    original(checked, response);
  };

  return {
    async authenticate(request) {
      const caller = request && callers.get(request);
      if (caller) return caller;
      throw new Response('{"error":"server_error"}', {
        status: 503,
        headers: { 'content-type': 'application/json' },
      });
    },
    async start(server, options) {
      const { port } = options.httpStream;
      if (!Number.isInteger(port) || port < 1)
        throw new TypeError('httpStream.port must be a port');
      releases.push(takeRequests(port, handle));
      // FastMCP's CORS would answer preflights of any origin and replace the guard's headers.
      await server.start({ ...options, httpStream: { ...options.httpStream, cors: false } });
    },
    release() {
      for (const release of releases.splice(0)) release();
    },
  };
}
