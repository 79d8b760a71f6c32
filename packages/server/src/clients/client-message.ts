import { timestampOf } from '../http/timestamps.ts';
import { audienceOf, type McpServer } from '../mcp/mcp-servers.ts';
import type { PlainSecret } from './client-secrets.ts';
import type { ClientRecord, ClientSecret } from './clients.store.ts';
import type { ResourceConsent } from './resource-clients.store.ts';
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

/** Lifetime of tokens of an organization's machine clients, in seconds, unless the client has its own. */
export const ORGANIZATION_TOKEN_SECONDS = 3600;

/** A machine client of an organization as the management API shows it. */
export function organizationClientMessage({ client, secrets }: ClientRecord) {
  const { audience = [], customClaims = {}, accessTokenLifetime } = client.settings;
  return {
    clientId: client.id,
    name: client.name,
    description: client.description,
    organizationId: client.organizationId ?? '',
    createTime: timestampOf(client.createdAt),
    updateTime: timestampOf(client.updatedAt),
    scopes: [...client.scopes],
    audience: [...audience],
    customClaims: claimMessages(customClaims),
    expiry: BigInt(accessTokenLifetime ?? ORGANIZATION_TOKEN_SECONDS),
    secrets: secrets.map(secretMessage),
  };
}

/** By name: what they are stored as keeps no order. */
export function claimMessages(claims: Readonly<Record<string, string>>) {
  return Object.entries(claims)
    .map(([key, value]) => ({ key, value }))
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** What a person has allowed a client, as the management API shows it. */
export function consentMessage(consent: ResourceConsent) {
  return {
    id: consent.id,
    externalUserId: consent.userId,
    clientId: consent.clientHandle,
    clientName: consent.clientName,
    scopes: [...consent.scopes],
    grantedAt: timestampOf(consent.grantedAt),
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
