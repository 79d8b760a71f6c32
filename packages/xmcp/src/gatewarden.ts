import type { ServerResponse } from 'node:http';
import {
  guardNodeRequest,
  type McpServerOptions,
  type NodeRequest,
  protectMcp,
} from '@gatewarden/resource-server';

/** Middleware as xmcp takes it: a handler of Express. */
export type Middleware = (
  request: NodeRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * Protects an xmcp server over HTTP. In `src/middleware.ts`:
 *
 *     export default gatewarden({ … });
 *
 * It serves the metadata, answers requests without a sufficient token, and hands the caller to tools as
 * `extra.authInfo`. xmcp parses the body with Express before any middleware; the guard checks that parsed
 * value, which is the one that xmcp runs. Its home page and its server card are served before middleware.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function gatewarden<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): Middleware {
  const guard = protectMcp(servers);
  return (request, response, next) => {
    guardNodeRequest(guard, request, response).then((admitted) => {
      if (admitted) next();
    }, next);
  };
}
