import type { IncomingMessage, ServerResponse } from 'node:http';
import { gatewarden } from '@gatewarden/express';
import type { Admitted } from '@gatewarden/resource-server';
import { guardNodeRequest, protectMcp } from '@gatewarden/resource-server';
import { serve } from '@gatewarden/resource-server/testing/guarded-server';
import express from 'express';
import express4 from 'express4';
import Koa from 'koa';
import { mcpNodeHandler, route } from '../mcp-tools.ts';
import type { Adapter, Call, Start } from '../target.ts';

const endpoints = ['/mcp', '/notes'];

/** Behind the guard: the MCP server at its paths, and a route everywhere else that nobody may find without a token. */
function behind(
  ran: (call: Call) => void,
): (request: IncomingMessage, response: ServerResponse, body: unknown) => Promise<void> {
  const mcp = mcpNodeHandler(ran);
  return async (request, response, body) => {
    if (endpoints.includes(request.url ?? '')) return mcp(request, response, body);
    if (request.url !== '/health') ran(route);
    response.end('{}');
  };
}

const startNode: Start = async (t, servers, ran) => {
  const guard = protectMcp(servers);
  const handle = behind(ran);
  return serve(t, async (request, response) => {
    const admitted = await guardNodeRequest(guard, request, response);
    if (admitted) await handle(request, response, admitted.body);
  });
};

const startKoa: Start = async (t, servers, ran) => {
  const guard = protectMcp(servers);
  const handle = behind(ran);
  const app = new Koa();
  app.use(async (context, next) => {
    const admitted = await guardNodeRequest(guard, context.req, context.res);
    context.respond = false; // answered by the guard, or below by a transport that writes to `res` itself
    if (!admitted) return;
    context.state['admitted'] = admitted;
    await next();
  });
  app.use(async (context) => {
    // Set by the middleware before this one.
    const { body } = context.state['admitted'] as Admitted;
    context.res.statusCode = 200;
    await handle(context.req, context.res, body);
  });
  return serve(t, app.callback());
};

function startExpress(framework: typeof express): Start {
  return async (t, servers, ran) => {
    const app = framework();
    const handle = behind(ran);
    app.use(gatewarden(servers));
    app.use((request, response) => {
      void handle(request, response, request.body);
    });
    return serve(t, app);
  };
}

export const nodeAdapters: readonly Adapter[] = [
  { name: 'node:http', start: startNode, except: {} },
  { name: 'Koa', start: startKoa, except: {} },
  { name: 'Express 5', start: startExpress(express), except: {} },
  { name: 'Express 4', start: startExpress(express4), except: {} },
];
