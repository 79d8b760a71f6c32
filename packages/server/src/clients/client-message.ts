import { timestampOf } from '../http/timestamps.ts';
import { audienceOf, type McpServer } from '../mcp/mcp-servers.ts';
import type { PlainSecret } from './client-secrets.ts';
import type { ClientSecret } from './clients.store.ts';
import type { ResourceClientRecord } from './resource-clients.ts';

/** `ClientSecretStatus` of the contract. */
const STATUS = { active: 0, inactive: 1 } as const;

/** A secret as the management API shows it: never the secret. */
export function secretMessage(
  secret: Pick<ClientSecret, 'id' | 'suffix' | 'createdAt' | 'expiresAt'> & Partial<ClientSecret>,
) {
  const { expiresAt, lastUsedAt } = secret;
  return {
    id: secret.id,
    createTime: timestampOf(secret.createdAt),
    updateTime: timestampOf(secret.createdAt),
    secretSuffix: secret.suffix,
    status: secret.active === false ? STATUS.inactive : STATUS.active,
    ...(expiresAt ? { expireTime: timestampOf(expiresAt) } : {}),
    ...(lastUsedAt ? { lastUsedTime: timestampOf(lastUsedAt) } : {}),
  };
}

/** A client of an MCP server as the management API shows it. */
export function resourceClientMessage(
  mcpServer: McpServer,
  { client, secrets, handle }: ResourceClientRecord,
) {
  const isDocument = client.registration === 'metadata-document';
  return {
    clientId: handle,
    name: client.name,
    description: client.description,
    createTime: timestampOf(client.createdAt),
    updateTime: timestampOf(client.updatedAt),
    scopes: [...client.scopes],
    audience: audienceOf(mcpServer),
    expiry: BigInt(client.settings.accessTokenLifetime ?? 0),
    resourceId: mcpServer.id,
    redirectUris: [...client.redirectUris],
    secrets: secrets.map(secretMessage),
    isDcr: client.registration === 'dynamic',
    isCimd: isDocument,
    metadataUri: isDocument ? client.id : '',
  };
}

/** The answer to a registration in the contract's form; the secret can be read only here. */
export function registrationMessage(
  mcpServer: McpServer,
  record: ResourceClientRecord,
  secret: PlainSecret | undefined,
) {
  const { isDcr, isCimd, metadataUri, ...members } = resourceClientMessage(mcpServer, record);
  return { ...members, clientSecret: secret?.plain ?? '', clientSecretExpiresAt: 0 };
}
