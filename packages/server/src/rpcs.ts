import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { FastifyInstance } from 'fastify';
import { createCalls, type Service, service } from './http/calls.ts';
import { mountConnect } from './http/connect.ts';
import { mountRest } from './http/rest.ts';
import { mcpServersRpc } from './mcp/mcp-servers.rpc.ts';
import { authenticateCaller } from './oauth/token/authenticate-caller.ts';
import type { App } from './runtime/context.ts';

/** The services of the contract that this server has, put together from its slices. All other methods are `unimplemented`. */
const services: readonly Service[] = [service(ClientService, mcpServersRpc), service(RolesService)];

/** The management API: gRPC, gRPC-Web, Connect and REST in front of one implementation. */
export function mountRpcs(app: App, http: FastifyInstance): void {
  const calls = createCalls({ app, authenticateCaller });
  mountConnect(http, calls, services);
  mountRest(http, calls, services);
}
