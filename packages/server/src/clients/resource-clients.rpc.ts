import type {
  ClientService,
  ResourceClient,
} from '@gatewarden/contract/scalekit/v1/clients/clients_pb';
import { environmentOf } from '../environments/environments.ts';
import { ApiError } from '../http/api-error.ts';
import type { Slice } from '../http/calls.ts';
import {
  changedMembers,
  checkId,
  checkText,
  invalidField,
  secondsOf,
} from '../http/request-checks.ts';
import { audienceOf, type McpServer } from '../mcp/mcp-servers.ts';
import { isReservedAudience } from '../oauth/resource-indicator.ts';
import { displayName } from '../pages/plain-text.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Client } from './client.ts';
import type { ClientInput } from './client-input.ts';
import { resourceClientMessage } from './client-message.ts';
import { invalidMember, noSuchClient } from './client-refusals.ts';
import { createClient, updateClient } from './manage-clients.ts';
import { countResourceClients } from './resource-clients.store.ts';
import {
  consentsAt,
  findResourceClient,
  listResourceClients,
  liveServer,
  type ResourceClientRecord,
  removeResourceClient,
} from './resource-clients.ts';

const MOST_REDIRECT_URIS = 20;

/** The clients of one MCP server: those an administrator makes, and whoever registered or is known by a document. */
export const resourceClientsRpc: Slice<typeof ClientService> = {
  /** With redirect URIs for people, without for machines (AS-98); always with a secret. */
  async createResourceClient(ctx, { resourceId, client }) {
    const mcpServer = await serverOf(ctx, resourceId);
    if (!client) throw invalidField('client', 'is missing', 'required');
    if (displayName(client.name, 128) === '')
      throw invalidField('client.name', 'must have something that can be seen', 'required');
    const input = await inputOf(ctx, mcpServer, client, new Set(Object.keys(MEMBERS)));
    const created = await createClient(ctx, {
      ...input,
      name: client.name,
      kind: 'mcp',
      mcpServerId: mcpServer.id,
    });
    if (created.kind === 'invalid') throw invalidMember(created);
    return {
      client: resourceClientMessage(mcpServer, await clientOf(ctx, mcpServer, created.client.id)),
      plainSecret: created.secret?.plain ?? '',
    };
  },

  async getResourceClient(ctx, { resourceId, clientId }) {
    const mcpServer = await serverOf(ctx, resourceId);
    const record = await clientOf(ctx, mcpServer, clientId);
    const consents = await consentsAt(ctx, mcpServer.id, record.client);
    return {
      client: resourceClientMessage(mcpServer, record),
      consentedUsers: consents.map(({ id, userId, scopes }) => ({
        consentId: id,
        externalUserId: userId,
        scopes: [...scopes],
      })),
    };
  },

  async listResourceClients(ctx, { resourceId }) {
    const mcpServer = await serverOf(ctx, resourceId);
    const counts = await countResourceClients(ctx.db, {
      environmentId: ctx.environmentId,
      mcpServerId: mcpServer.id,
    });
    const records = await listResourceClients(ctx, mcpServer.id);
    return {
      clients: records.map((record) => resourceClientMessage(mcpServer, record)),
      totalDcrClients: counts.dynamic,
      totalStaticClients: counts.admin,
    };
  },

  async updateResourceClient(ctx, { resourceId, clientId, client, updateMask }) {
    const mcpServer = await serverOf(ctx, resourceId);
    const before = await clientOf(ctx, mcpServer, clientId);
    if (!client) throw invalidField('client', 'is missing', 'required');
    if (before.client.registration === 'metadata-document')
      throw new ApiError(
        'failed_precondition',
        'CLIENT_DESCRIBED_BY_DOCUMENT',
        'this client is described by its metadata document and cannot be changed here',
      );
    const members = changedMembers(updateMask, client, MEMBERS);
    const input = await inputOf(ctx, mcpServer, client, members, before.client);
    const updated = await updateClient(ctx, before.client.id, input);
    if (!updated) throw noSuchClient();
    if (updated.kind === 'invalid') throw invalidMember(updated);
    return { client: resourceClientMessage(mcpServer, await clientOf(ctx, mcpServer, clientId)) };
  },

  async deleteResourceClient(ctx, { resourceId, clientId }) {
    const mcpServer = await serverOf(ctx, resourceId);
    const { client } = await clientOf(ctx, mcpServer, clientId);
    if (!(await removeResourceClient(ctx, mcpServer.id, client))) throw noSuchClient();
    return {};
  },
};

/** Members of a change, with what the generated code calls them. */
const MEMBERS = {
  name: 'name',
  description: 'description',
  scopes: 'scopes',
  audience: 'audience',
  custom_claims: 'customClaims',
  expiry: 'expiry',
  redirect_uris: 'redirectUris',
} as const;

async function inputOf(
  ctx: Ctx,
  mcpServer: McpServer,
  message: ResourceClient,
  members: ReadonlySet<string>,
  before?: Client,
): Promise<Partial<ClientInput>> {
  const { name, description, scopes, redirectUris } = message;
  checkText('client.', { name, description, scopes, redirect_uris: redirectUris });
  if (members.has('name') && displayName(name, 128) === '')
    throw invalidField('client.name', 'must have something that can be seen', 'required');
  if (members.has('scopes')) checkScopes(mcpServer, scopes);
  await checkAudience(ctx, mcpServer, message.audience);
  if (message.customClaims.length > 0)
    throw invalidField(
      'client.custom_claims',
      'this server does not put custom claims into tokens of clients',
      'unsupported',
    );
  return {
    ...(members.has('name') ? { name } : {}),
    ...(members.has('description') ? { description } : {}),
    ...(members.has('scopes') ? { scopes: [...new Set(scopes)] } : {}),
    ...(members.has('expiry')
      ? { settings: { ...before?.settings, accessTokenLifetime: lifetimeOf(message.expiry) } }
      : {}),
    ...(members.has('redirect_uris') ? redirectsOf(redirectUris, before) : {}),
  };
}

function checkScopes(mcpServer: McpServer, scopes: readonly string[]): void {
  scopes.forEach((scope, index) => {
    if (!mcpServer.scopes.some(({ name }) => name === scope))
      throw invalidField(`client.scopes[${index}]`, 'is not a scope of this MCP server', 'scope');
  });
}

/** AS-148: tokens of a client are for the server it belongs to, and for nothing else. */
async function checkAudience(
  ctx: Ctx,
  mcpServer: McpServer,
  audience: readonly string[],
): Promise<void> {
  const own = audienceOf(mcpServer);
  const environment = await environmentOf(ctx);
  audience.forEach((value, index) => {
    if (own.includes(value)) return;
    const why = isReservedAudience(value, environment)
      ? 'is reserved for this authorization server'
      : 'must be the Server URL or the id of the MCP server that the client belongs to';
    throw invalidField(`client.audience[${index}]`, why, 'audience');
  });
}

function lifetimeOf(expiry: bigint): number | undefined {
  const seconds = secondsOf('client.expiry', expiry);
  if (seconds !== undefined && (seconds < 60 || seconds > 86_400))
    throw invalidField(
      'client.expiry',
      'must be 60 to 86400 seconds, or 0 for the default',
      'range',
    );
  return seconds;
}

/** The first redirect URI makes a machine a client for people, and losing the last one the reverse. */
function redirectsOf(
  redirectUris: readonly string[],
  before: Client | undefined,
): Partial<ClientInput> {
  if (redirectUris.length > MOST_REDIRECT_URIS)
    throw invalidField('client.redirect_uris', `at most ${MOST_REDIRECT_URIS}`, 'max_items');
  const isMachine = redirectUris.length === 0;
  if (isMachine && before?.registration === 'dynamic')
    throw invalidField('client.redirect_uris', 'a registered client needs one', 'min_items');
  const changesKind = before !== undefined && (before.redirectUris.length === 0) !== isMachine;
  return {
    redirectUris: [...new Set(redirectUris)],
    ...(changesKind
      ? {
          grantTypes: isMachine ? ['client_credentials'] : ['authorization_code', 'refresh_token'],
        }
      : {}),
  };
}

async function serverOf(ctx: Ctx, resourceId: string): Promise<McpServer> {
  checkId('resource_id', resourceId, 'res');
  const found = await liveServer(ctx, resourceId);
  if (!found) throw new ApiError('not_found', 'RESOURCE_NOT_FOUND', 'there is no such resource');
  return found;
}

async function clientOf(
  ctx: Ctx,
  mcpServer: McpServer,
  clientId: string,
): Promise<ResourceClientRecord> {
  checkId('client_id', clientId, 'm2m');
  const found = await findResourceClient(ctx, mcpServer.id, clientId);
  if (!found) throw noSuchClient();
  return found;
}
