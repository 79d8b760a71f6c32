import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { oneAuthorization } from '../http/authorizations.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { managedClient, replaceClient, unregisterClient } from './client-management.ts';
import type { ClientRecord } from './clients.store.ts';
import { jsonObjectOf, readBytes } from './json-body.ts';
import { registrationResponse } from './registration-response.ts';
import { servingServer } from './serving-server.ts';

type Managed = { readonly ctx: Ctx; readonly mcpServer: McpServer; readonly current: ClientRecord };
type Place = { Params: { resource_id: string; client_id: string } };

/** RFC 7592: read, update and delete with the registration access token, where an MCP server allows it (AS-68). */
export function mountClientManagement(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const managed = async (request: FastifyRequest<Place>, reply: FastifyReply): Promise<Managed> => {
    reply.header('cache-control', 'no-store');
    const ctx = contextOf(request);
    const mcpServer = await servingServer(ctx, request.params.resource_id);
    return {
      ctx,
      mcpServer,
      current: await managedClient(
        ctx,
        mcpServer,
        request.params.client_id,
        oneAuthorization(request),
      ),
    };
  };
  const path = '/resources/:resource_id/oauth/register/:client_id';
  http.register((scope, _options, done) => {
    readBytes(scope);
    scope.get<Place>(path, async (request, reply) => {
      const { ctx, mcpServer, current } = await managed(request, reply);
      return registrationResponse(ctx, mcpServer, {
        record: current,
        secret: undefined,
        accessToken: presentedToken(request),
      });
    });
    scope.put<Place>(path, async (request, reply) => {
      const { ctx, mcpServer, current } = await managed(request, reply);
      const replaced = await replaceClient(ctx, mcpServer, current, jsonObjectOf(request));
      return registrationResponse(ctx, mcpServer, {
        ...replaced,
        accessToken: presentedToken(request),
      });
    });
    scope.delete<Place>(path, async (request, reply) => {
      const { ctx, current } = await managed(request, reply);
      await unregisterClient(ctx, current);
      return reply.code(204).send();
    });
    done();
  });
}

/** RFC 7592 section 3 wants the token in the answer; this one was just found to be right. */
function presentedToken(request: FastifyRequest): string | undefined {
  return request.headers.authorization?.replace(/^Bearer +/i, '').trim();
}
