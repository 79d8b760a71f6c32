import {
  guardFetch,
  type McpAuth,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';
import type { MiddlewareHandler } from 'hono';

/** What routes behind `gatewarden` find with `c.get(…)`. Both are absent on public paths. */
export type GatewardenVariables = {
  /** The caller, in the shape of the MCP SDK's `AuthInfo`. */
  auth: McpAuth | undefined;
  /** The message of a POST as it was checked; hand it on as `parsedBody`. */
  body: unknown;
};

/**
 * Protects the MCP servers of a Hono app: `app.use(gatewarden({ … }))`, before their routes and not below a
 * path, so that it can serve the metadata at the root of the host. Everything registered after it needs a
 * token, except `publicPaths`.
 *
 * Routes find the caller with `c.get('auth')`; `c.req.raw` can still be read and has the body that was
 * checked. Middleware in front of it that reads the body leaves nothing to decide on: such requests get 400.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function gatewarden<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): MiddlewareHandler<{ Variables: GatewardenVariables }> {
  const guard = protectMcp(servers);
  return async (c, next) => {
    let admitted = false;
    const answer = await guardFetch(guard, async (request, { auth, body }) => {
      admitted = true;
      c.req.raw = request;
      c.set('auth', auth);
      c.set('body', body);
      await next();
      return c.res;
    })(c.req.raw);
    if (!admitted) return answer;
    if (answer !== c.res) {
      c.res = undefined; // Hono would otherwise lay the headers of the old response over the new ones
      c.res = answer;
    }
    return undefined;
  };
}
