import type { ServerResponse } from 'node:http';
import {
  guardNodeRequest,
  type McpAuth,
  type McpServerOptions,
  type NodeRequest,
  protectMcp,
} from '@gatewarden/resource-server';

/** Middleware for Express 4 and 5, and for anything else that calls `(request, response, next)` with Node's objects. */
export type Middleware = (
  request: NodeRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

const callers = new WeakMap<object, McpAuth>();

/**
 * Protects the MCP servers of an Express app: `app.use(gatewarden({ … }))`, before their routes and not
 * below a path, so that it can serve the metadata at the root of the host. Everything registered after it
 * needs a token, except `publicPaths`; what strangers may reach belongs before it.
 *
 * It sets `req.auth` in the shape of the MCP SDK and `req.body` to the parsed message: hand both on with
 * `transport.handleRequest(req, res, req.body)`. A body parser is not needed.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function gatewarden<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): Middleware {
  const guard = protectMcp(servers);
  return (request, response, next) => {
    guardNodeRequest(guard, request, response).then((admitted) => {
      if (!admitted) return;
      if (admitted.auth) callers.set(request, admitted.auth);
      next();
    }, next);
  };
}

/** The caller of a request that passed `gatewarden`; `undefined` on public paths. */
export function authOf(request: object): McpAuth | undefined {
  return callers.get(request);
}
