import type { AddressInfo } from 'node:net';
import { gatewarden } from '@gatewarden/fastify';
import { clientOf } from '@gatewarden/resource-server/testing/guarded-server';
import fastify from 'fastify';
import { mcpNodeHandler, route } from '../mcp-tools.ts';
import type { Adapter, Start } from '../target.ts';

const start: Start = async (t, servers, ran) => {
  const app = fastify();
  const mcp = mcpNodeHandler(ran);
  await app.register(gatewarden(servers));
  for (const url of ['/mcp', '/notes']) {
    app.route({
      url,
      method: ['GET', 'POST', 'DELETE'],
      handler: async (request, reply) => {
        reply.hijack();
        await mcp(request.raw, reply.raw, request.body);
      },
    });
  }
  app.get('/health', async () => ({}));
  app.all('/*', async () => {
    ran(route);
    return {};
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  t.after(() => {
    app.server.closeAllConnections();
    return app.close();
  });
  return clientOf((app.server.address() as AddressInfo).port);
};

export const fastifyAdapter: Adapter = { name: 'Fastify', start, except: {} };
