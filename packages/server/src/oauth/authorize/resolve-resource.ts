import { type Client, isOfEnvironment } from '../../clients/client.ts';
import { environmentOf } from '../../environments/environments.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { mcpServersCovering, noteRefusedResource } from '../../mcp/mcp-servers.store.ts';
import { findMcpServer, isServing, issuerOf, type McpServer } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import {
  ancestorKeys,
  hasPath,
  isAtOrBelow,
  isLoopbackResource,
  resourceKey,
} from '../resource-indicator.ts';

/** Of a refused resource that the operator is shown. */
const LONGEST_SHOWN = 2048;

/** What a request is for. */
export type ResourceDecision =
  | {
      readonly kind: 'mcp-server';
      readonly mcpServer: McpServer /** Only where no Server URL stands for it. */;
      readonly resource: string | undefined;
      readonly unregistered: boolean;
    }
  | { readonly kind: 'application' }
  | { readonly kind: 'refused'; readonly description: string };

const refused = (description: string): ResourceDecision => ({ kind: 'refused', description });

/**
 * Decides which MCP server an authorization request is for (RFC 8707 section 2, AS-33 to AS-38). At R only R's own server can
 * match; at E the request, or the client's binding, names it.
 */
export async function resolveResource(
  ctx: Ctx,
  request: { issuer: Issuer; client: Client; resources: readonly string[] },
): Promise<ResourceDecision> {
  const different = [...new Set(request.resources)];
  if (different.length > 1) return refused('more than one resource was asked for');
  const resource = different[0];
  const own = request.issuer.mcpServer;
  if (own)
    return resource === undefined ? withoutResource(own) : await atServer(ctx, own, resource);
  if (resource === undefined) return await atEnvironmentWithoutResource(ctx, request.client);
  // What the environment's own client gets is never for an MCP server (AS-99).
  if (request.client.kind === 'environment') return refused('this client gets no such tokens');
  const named = await serverNamed(ctx, resource);
  if (
    !isServing(named) ||
    (request.client.mcpServerId !== undefined && request.client.mcpServerId !== named.id)
  )
    return refused('the resource is not known here');
  return await atServer(ctx, named, resource);
}

function withoutResource(mcpServer: McpServer): ResourceDecision {
  if (mcpServer.settings.requireResource)
    return refused('this MCP server requires the resource parameter (RFC 8707)');
  return {
    kind: 'mcp-server',
    mcpServer,
    resource: undefined,
    unregistered: mcpServer.serverUrl === undefined && mcpServer.settings.allowUnregisteredResource,
  };
}

async function atEnvironmentWithoutResource(ctx: Ctx, client: Client): Promise<ResourceDecision> {
  if (client.mcpServerId !== undefined) {
    const bound = await findMcpServer(ctx, client.mcpServerId);
    return isServing(bound)
      ? withoutResource(bound)
      : refused('the MCP server of this client is not available');
  }
  return isOfEnvironment(client)
    ? { kind: 'application' }
    : refused('the resource parameter is missing (RFC 8707)');
}

async function atServer(
  ctx: Ctx,
  mcpServer: McpServer,
  resource: string,
): Promise<ResourceDecision> {
  const accepted = {
    kind: 'mcp-server',
    mcpServer,
    resource: undefined,
    unregistered: false,
  } as const;
  if (resource === mcpServer.id || resource === issuerOf(ctx, mcpServer)) return accepted;
  const key = resourceKey(resource);
  if (key === undefined)
    return refused(
      'resource must be an absolute https URI without fragment, query, user info or dot segments',
    );
  if (mcpServer.serverUrlKey !== undefined)
    return (await covers(ctx, mcpServer, mcpServer.serverUrlKey, key))
      ? accepted
      : refused('the resource is not this MCP server');
  return await withoutServerUrl(ctx, mcpServer, resource);
}

/** AS-36: equal, or below on a segment boundary where the Server URL has a path of its own, unless another server lies closer. */
async function covers(
  ctx: Ctx,
  mcpServer: McpServer,
  serverKey: string,
  key: string,
): Promise<boolean> {
  if (key === serverKey) return true;
  if (
    !isAtOrBelow(key, serverKey) ||
    !(hasPath(serverKey) || mcpServer.settings.resourceCoversPaths)
  )
    return false;
  const [closest] = await mcpServersCovering(ctx.db, {
    environmentId: ctx.environmentId,
    keys: ancestorKeys(key),
  });
  return closest?.id === mcpServer.id;
}

/** AS-38: with no Server URL registered there is nothing to compare with. */
async function withoutServerUrl(
  ctx: Ctx,
  mcpServer: McpServer,
  resource: string,
): Promise<ResourceDecision> {
  const { kind } = await environmentOf(ctx);
  if (kind === 'DEVELOPMENT' && isLoopbackResource(resource))
    return { kind: 'mcp-server', mcpServer, resource, unregistered: false };
  if (mcpServer.settings.allowUnregisteredResource && resource.toLowerCase().startsWith('https:'))
    return { kind: 'mcp-server', mcpServer, resource, unregistered: true };
  const { environmentId } = ctx;
  if (mcpServer.refusedResource === undefined && resource.length <= LONGEST_SHOWN)
    await noteRefusedResource(ctx.db, { environmentId, id: mcpServer.id, resource });
  return refused('no Server URL is registered for this MCP server');
}

/** At E: the server named by its id, its issuer, or the Server URL closest above the resource. */
async function serverNamed(ctx: Ctx, resource: string): Promise<McpServer | undefined> {
  const prefix = `${ctx.issuer}/resources/`;
  const id = resource.startsWith(prefix) ? resource.slice(prefix.length) : resource;
  const byId = await findMcpServer(ctx, id);
  if (byId) return byId;
  const key = resourceKey(resource);
  if (key === undefined) return undefined;
  const [closest] = await mcpServersCovering(ctx.db, {
    environmentId: ctx.environmentId,
    keys: ancestorKeys(key),
  });
  return closest;
}
