import { type GatewardenVariables, gatewarden } from '@gatewarden/hono';
import { metadataRoute, protect } from '@gatewarden/next';
import { guardFetch, protectMcp } from '@gatewarden/resource-server';
import { serve } from '@gatewarden/resource-server/testing/guarded-server';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { createMcpHandler as createRouteHandler } from 'mcp-handler';
import { addTools, mcpHandler, route } from '../mcp-tools.ts';
import type { Adapter, Call, Start } from '../target.ts';

const endpoints = ['/mcp', '/notes'];

type Admitted = Parameters<Parameters<typeof guardFetch>[1]>[1];

function behind(
  ran: (call: Call) => void,
): (request: Request, admitted: Admitted) => Response | Promise<Response> {
  const mcp = mcpHandler(ran);
  return (request, { auth, body }) => {
    const { pathname } = new URL(request.url);
    if (endpoints.includes(pathname))
      return mcp.fetch(request, {
        ...(auth ? { authInfo: auth } : {}),
        ...(body === undefined ? {} : { parsedBody: body }),
      });
    if (pathname !== '/health') ran(route);
    return new Response('{}');
  };
}

const startFetch: Start = async (t, servers, ran) => {
  const guard = protectMcp(servers);
  return serve(t, getRequestListener(guardFetch(guard, behind(ran))));
};

const startHono: Start = async (t, servers, ran) => {
  const app = new Hono<{ Variables: GatewardenVariables }>();
  const handle = behind(ran);
  app.use(gatewarden(servers));
  app.all('*', (c) => handle(c.req.raw, { auth: c.get('auth'), body: c.get('body') }));
  return serve(t, getRequestListener(app.fetch));
};

/** Route handlers as a Next.js app exports them, below a router that knows their paths only. */
function startNext(handlerOf: (ran: (call: Call) => void) => Parameters<typeof protect>[1]): Start {
  return async (t, servers, ran) => {
    const endpoint = protect(servers, handlerOf(ran));
    const metadata = metadataRoute(servers);
    return serve(
      t,
      getRequestListener(async (request) => {
        const { pathname } = new URL(request.url);
        const routes: Partial<typeof endpoint> = endpoints.includes(pathname)
          ? endpoint
          : /^\/\.well-known\/oauth-protected-resource(\/|$)/.test(pathname)
            ? metadata
            : {};
        const handler = Object.hasOwn(routes, request.method)
          ? routes[request.method as keyof typeof routes] // an own member, as just checked
          : undefined;
        return handler ? handler(request, {}) : new Response(null, { status: 404 });
      }),
    );
  };
}

const noHealth = {
  publicPath: 'a route handler stands at one path; public routes are routes of their own',
};

export const webAdapters: readonly Adapter[] = [
  { name: 'fetch handler', start: startFetch, except: {} },
  { name: 'Hono', start: startHono, except: {} },
  {
    name: 'Next.js route handler',
    start: startNext((ran) => {
      const handle = behind(ran);
      return (request) => handle(request, { auth: request.auth, body: undefined });
    }),
    except: noHealth,
  },
  {
    name: 'mcp-handler',
    start: startNext((ran) => createRouteHandler((server) => addTools(server, ran))),
    except: noHealth,
  },
];
