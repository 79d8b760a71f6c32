import type { JsonObject } from '@bufbuild/protobuf';
import {
  type ClientService,
  type CreateResource,
  ResourceConnectionType,
  ResourceType,
  type UpdateResource,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import { pageOf, readPage } from '../http/paging.ts';
import {
  changedMembers,
  checkId,
  checkText,
  invalidField,
  secondsOf,
} from '../http/request-checks.ts';
import { timestampOf } from '../http/timestamps.ts';
import type { Ctx } from '../runtime/context.ts';
import { listConnectionsByIds } from '../sso/connections.store.ts';
import type { Connection } from '../sso/connections.ts';
import {
  changeMcpServer,
  createMcpServer,
  deleteMcpServer,
  type McpServerOutcome,
} from './manage-mcp-servers.ts';
import { DEFAULT_LIFETIMES, type McpServerInput } from './mcp-server-input.ts';
import {
  countMcpServers,
  findMcpServerRow,
  listMcpServerPage,
  type McpServer,
} from './mcp-servers.store.ts';
import { ensureOwnSignIn, removeOwnSignIn } from './own-sign-in.ts';
import { protectedResourceMetadata, protectedResourceMetadataUrl } from './resource-metadata.ts';

/** MCP servers are the resources of the wire contract; this server has no others. */
export const mcpServersRpc: Slice<typeof ClientService> = {
  async createResource(ctx, { resource }) {
    if (!resource) throw invalidField('resource', 'is missing', 'required');
    if (resource.resourceType !== ResourceType.MCP_SERVER)
      throw invalidField('resource.resource_type', 'only MCP_SERVER is supported');
    const created = written(await createMcpServer(ctx, newServer(resource)));
    return { resource: await resourceOf(ctx, created) };
  },

  async getResource(ctx, { resourceId }) {
    return { resource: await resourceOf(ctx, await liveServer(ctx, resourceId)) };
  },

  async listResources(ctx, request) {
    if (request.resourceType !== ResourceType.MCP_SERVER) return {};
    const { environmentId } = ctx;
    const page = readPage(ctx, 'resources', request);
    const rows = await listMcpServerPage(ctx.db, { environmentId, page });
    const { items, ...tokens } = pageOf(ctx, 'resources', page, rows);
    const connections = await connectionsOf(ctx, items);
    return {
      ...tokens,
      totalSize: await countMcpServers(ctx.db, environmentId),
      resources: items.map((server) => messageOf(ctx, server, connections)),
    };
  },

  async updateResource(ctx, { resourceId, resource, updateMask }) {
    checkId('resource_id', resourceId, 'res');
    if (!resource) throw invalidField('resource', 'is missing', 'required');
    const members = changedMembers(updateMask, resource, MEMBERS);
    const changed = written(await changeMcpServer(ctx, resourceId, changesOf(resource, members)));
    return { resource: await resourceOf(ctx, changed) };
  },

  async deleteResource(ctx, { resourceId }) {
    checkId('resource_id', resourceId, 'res');
    if (!(await deleteMcpServer(ctx, resourceId))) throw noSuchServer();
    return {};
  },

  async ensureResourceConnection(ctx, { resourceId }) {
    checkId('resource_id', resourceId, 'res');
    const connection = await ensureOwnSignIn(ctx, resourceId);
    if (!connection) throw noSuchServer();
    return { connection: connectionOf(connection) };
  },

  async deleteResourceProvider(ctx, { resourceId }) {
    checkId('resource_id', resourceId, 'res');
    if (!(await removeOwnSignIn(ctx, resourceId))) throw noSuchServer();
    return { resource: await resourceOf(ctx, await liveServer(ctx, resourceId)) };
  },
};

/** Members of a change, with what the generated code calls them. */
const MEMBERS = {
  name: 'name',
  description: 'description',
  resource_uri: 'resourceUri',
  resource_id: 'resourceId',
  access_token_expiry: 'accessTokenExpiry',
  refresh_token_expiry: 'refreshTokenExpiry',
  disable_dynamic_client_registration: 'disableDynamicClientRegistration',
  logo_uri: 'logoUri',
  provider: 'provider',
  scopes: 'scopes',
  custom_connection_settings: 'settings',
  intersect_scopes_user_permission: 'intersectScopesUserPermission',
  enable_cimd: 'enableCimd',
  xaa_enabled: 'xaaEnabled',
} as const;

function newServer(resource: CreateResource): McpServerInput {
  const { name, description, logoUri, scopes } = resource;
  checkText('resource.', { name, description, logo_uri: logoUri, scopes });
  refuseUnsupported(resource);
  return {
    name,
    description,
    logoUri,
    serverUrl: serverUrlOf(resource),
    accessTokenLifetime: secondsOf('resource.access_token_expiry', resource.accessTokenExpiry),
    refreshIdleLifetime: secondsOf('resource.refresh_token_expiry', resource.refreshTokenExpiry),
    registrationEnabled: !resource.disableDynamicClientRegistration,
    metadataDocumentsEnabled: resource.enableCimd,
    scopes: scopes.map((scope) => ({ name: scope })),
  };
}

/** A member of the mask that is empty goes back to its default, or is taken away. */
function changesOf(resource: UpdateResource, members: ReadonlySet<string>): McpServerInput {
  const { name, description, logoUri, scopes } = resource;
  checkText('resource.', { name, description, logo_uri: logoUri, scopes });
  refuseUnsupported(resource);
  if (resource.settings.case !== undefined)
    throw unsupported('custom_connection_settings', 'an own login page');
  const given = <T>(member: keyof typeof MEMBERS, value: T): T | undefined =>
    members.has(member) ? value : undefined;
  const lifetime = (member: 'access_token_expiry' | 'refresh_token_expiry', value: bigint) =>
    secondsOf(`resource.${member}`, value) ??
    (member === 'access_token_expiry'
      ? DEFAULT_LIFETIMES.accessToken
      : DEFAULT_LIFETIMES.refreshIdle);
  return {
    name: given('name', name),
    description: given('description', description),
    logoUri: given('logo_uri', logoUri),
    serverUrl:
      members.has('resource_uri') || members.has('resource_id') ? serverUrlOf(resource) : undefined,
    accessTokenLifetime: given(
      'access_token_expiry',
      lifetime('access_token_expiry', resource.accessTokenExpiry),
    ),
    refreshIdleLifetime: given(
      'refresh_token_expiry',
      lifetime('refresh_token_expiry', resource.refreshTokenExpiry),
    ),
    registrationEnabled: given(
      'disable_dynamic_client_registration',
      resource.disableDynamicClientRegistration !== true,
    ),
    metadataDocumentsEnabled: given('enable_cimd', resource.enableCimd ?? true),
    scopes: given(
      'scopes',
      scopes.map((scope) => ({ name: scope })),
    ),
  };
}

type WithServerUrl = { readonly resourceUri: string; readonly resourceId: string };

/** Two fields of the contract name the Server URL. */
function serverUrlOf({ resourceUri, resourceId }: WithServerUrl): string {
  if (resourceUri !== '' && resourceId !== '' && resourceUri !== resourceId)
    throw invalidField('resource.resource_id', 'must be equal to resource_uri, or be left out');
  const url = resourceUri === '' ? resourceId : resourceUri;
  checkText('resource.', { resource_uri: url });
  return url;
}

type WithUnsupported = {
  readonly provider: string;
  readonly intersectScopesUserPermission?: boolean | undefined;
  readonly xaaEnabled?: boolean | undefined;
};

/** What would be stored and have no effect is refused: an administrator must not believe that it holds. */
function refuseUnsupported(resource: WithUnsupported): void {
  if (resource.provider !== '') throw unsupported('provider', 'an own login page');
  if (resource.intersectScopesUserPermission === true)
    throw unsupported(
      'intersect_scopes_user_permission',
      "limiting scopes to a person's permissions",
    );
  if (resource.xaaEnabled === true) throw unsupported('xaa_enabled', 'identity assertions');
}

function unsupported(member: string, what: string): ApiError {
  return invalidField(`resource.${member}`, `this server does not support ${what}`, 'unsupported');
}

function noSuchServer(): ApiError {
  return new ApiError('not_found', 'RESOURCE_NOT_FOUND', 'there is no such resource');
}

async function liveServer(ctx: Ctx, id: string): Promise<McpServer> {
  checkId('resource_id', id, 'res');
  const found = await findMcpServerRow(ctx.db, { environmentId: ctx.environmentId, id });
  if (!found || found.deletedAt !== undefined) throw noSuchServer();
  return found;
}

function written(outcome: McpServerOutcome): McpServer {
  switch (outcome.kind) {
    case 'written':
      return outcome.server;
    case 'unknown':
      throw noSuchServer();
    case 'invalid':
      throw invalidField(`resource.${outcome.field}`, outcome.message);
    case 'taken':
      throw invalidField(`resource.${outcome.field}`, outcome.message, 'unique');
  }
}

/** The connections of these servers, by id: one statement for all of them, none when no server has one. */
async function connectionsOf(
  ctx: Ctx,
  servers: readonly McpServer[],
): Promise<ReadonlyMap<string, Connection>> {
  const ids = servers.flatMap(({ connectionId }) => connectionId ?? []);
  if (ids.length === 0) return new Map();
  const { db, environmentId } = ctx;
  const found = await listConnectionsByIds(db, { environmentId, ids });
  return new Map(found.map((connection) => [connection.id, connection]));
}

function connectionOf({ id, status, enabled, provider, settings }: Connection) {
  const { authorizeUri } = settings;
  return {
    id,
    type: ResourceConnectionType.CUSTOM,
    status,
    enabled,
    provider,
    settings: authorizeUri === undefined ? {} : { authorize_uri: authorizeUri },
  };
}

async function resourceOf(ctx: Ctx, server: McpServer) {
  return messageOf(ctx, server, await connectionsOf(ctx, [server]));
}

function messageOf(ctx: Ctx, server: McpServer, connections: ReadonlyMap<string, Connection>) {
  const connection = connections.get(server.connectionId ?? '');
  return {
    id: server.id,
    name: server.name,
    description: server.description,
    resourceType: ResourceType.MCP_SERVER,
    resourceUri: server.serverUrl ?? '',
    resourceId: server.serverUrl ?? '',
    logoUri: server.logoUri ?? '',
    accessTokenExpiry: BigInt(server.accessTokenLifetime),
    refreshTokenExpiry: BigInt(server.refreshIdleLifetime),
    disableDynamicClientRegistration: !server.registrationEnabled,
    enableCimd: server.metadataDocumentsEnabled,
    createTime: timestampOf(server.createdAt),
    updateTime: timestampOf(server.updatedAt),
    ...(connection && {
      provider: connection.provider,
      connectionDetails: connectionOf(connection),
    }),
    protectedMetadata: protectedResourceMetadata(ctx, server) as JsonObject, // made of texts and lists of texts
    protectedMetadataUri: protectedResourceMetadataUrl(server) ?? '',
    scopes: server.scopes.map(({ permissionId, name, description }) => ({
      id: permissionId,
      name,
      description,
      enabled: true,
    })),
  };
}
