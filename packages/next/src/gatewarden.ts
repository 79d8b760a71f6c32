import {
  guardFetch,
  type McpAuth,
  type McpGuard,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';

/** What Next.js passes beside the request, such as the parameters of a dynamic route. */
export type RouteContext = unknown;

/**
 * A route handler as `mcp-handler` makes it, or any of your own. `request.auth` is the caller in the shape
 * of the MCP SDK, and the body of the request is the one that was checked.
 */
export type RouteHandler = (
  request: Request & { auth: McpAuth },
  context: RouteContext,
) => Response | Promise<Response>;

type Route = (request: Request, context?: RouteContext) => Promise<Response>;

/** The exports of a `route.ts`. */
export type RouteHandlers = {
  readonly GET: Route;
  readonly HEAD: Route;
  readonly POST: Route;
  readonly DELETE: Route;
  readonly OPTIONS: Route;
};

/**
 * Protects an MCP endpoint that is a route handler of Next.js:
 *
 *     export const { GET, HEAD, POST, DELETE, OPTIONS } = protect(servers, createMcpHandler(…));
 *
 * Export all five: Next.js answers a method that is missing by itself, and then not as MCP asks for it. The
 * path of `serverUrl` must be that of the route. It takes the place of `withMcpAuth`, which would answer 401
 * while keys cannot be fetched and so make clients drop good tokens.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function protect<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
  handler: RouteHandler,
): RouteHandlers {
  const guard = protectMcp(servers);
  const route: Route = (request, context) =>
    guardFetch(guard, (checked, { auth }) =>
      // Without a caller only a declared public path comes here, and that is a route of its own.
      auth
        ? handler(Object.assign(checked, { auth }), context)
        : new Response(null, { status: 404 }),
    )(plainRequest(request));
  return { GET: route, HEAD: route, POST: route, DELETE: route, OPTIONS: route };
}

/**
 * The protected resource metadata (RFC 9728) of the same servers, for
 * `app/.well-known/oauth-protected-resource/[[...path]]/route.ts`:
 *
 *     export const { GET, HEAD, OPTIONS } = metadataRoute(servers);
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function metadataRoute<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): Pick<RouteHandlers, 'GET' | 'HEAD' | 'OPTIONS'> {
  const declared: readonly McpServerOptions[] = Array.isArray(servers) ? servers : [servers];
  // No token is looked at below the metadata root, so nothing needs to know what was revoked.
  const guard: McpGuard = protectMcp(declared.map((one) => ({ ...one, revocation: false })));
  const respond = guardFetch(guard, () => new Response(null, { status: 404 }));
  const route: Route = (request) => respond(plainRequest(request));
  return { GET: route, HEAD: route, OPTIONS: route };
}

/**
 * Next.js hands its requests out behind a proxy, which the constructor of `Request` does not take for one
 * when the body is replaced.
 */
function plainRequest(request: Request): Request {
  const { method, headers, body, signal } = request;
  const streamed = body ? { body, duplex: 'half' as const } : {};
  return new Request(request.url, { method, headers, signal, ...streamed });
}
