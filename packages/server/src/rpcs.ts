import { McpServerSettingsService } from '@gatewarden/contract/gatewarden/v1/mcp_server_settings_pb';
import { ClientService } from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { RolesService } from '@gatewarden/contract/scalekit/v1/roles/roles_pb';
import type { FastifyInstance } from 'fastify';
import { clientSecretsRpc } from './clients/client-secrets.rpc.ts';
import { registerClientRpc } from './clients/register-client.rpc.ts';
import { resourceClientsRpc } from './clients/resource-clients.rpc.ts';
import { userConsentsRpc } from './clients/user-consents.rpc.ts';
import { createCalls, type Service, service } from './http/calls.ts';
import { mountConnect } from './http/connect.ts';
import { mountRest } from './http/rest.ts';
import { mcpServerSettingsRpc } from './mcp/mcp-server-settings.rpc.ts';
import { mcpServersRpc } from './mcp/mcp-servers.rpc.ts';
import { authenticateCaller } from './oauth/token/authenticate-caller.ts';
import { permissionsRpc } from './roles/permissions.rpc.ts';
import type { App } from './runtime/context.ts';

/** The services of the contract that this server has, put together from its slices. All other methods are `unimplemented`. */
const services: readonly Service[] = [
  service(
    ClientService,
    mcpServersRpc,
    resourceClientsRpc,
    clientSecretsRpc,
    userConsentsRpc,
    registerClientRpc,
  ),
  service(RolesService, permissionsRpc),
  service(McpServerSettingsService, mcpServerSettingsRpc),
];

/** The management API: gRPC, gRPC-Web, Connect and REST in front of one implementation. */
export function mountRpcs(app: App, http: FastifyInstance): void {
  const calls = createCalls({ app, authenticateCaller });
  mountConnect(http, calls, services);
  mountRest(http, calls, services);
}
