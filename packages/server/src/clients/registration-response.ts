import { audienceOf, issuerOf, type McpServer } from '../mcp/mcp-servers.ts';
import type { Ctx } from '../runtime/context.ts';
import type { Registration } from './registration.ts';

/**
 * The answer to a registration in both forms that clients read: RFC 7591 section 3.2.1, and the management contract's message.
 * What is not known is left out: strict clients refuse null and empty strings (AS-61).
 */
export function registrationResponse(
  ctx: Ctx,
  mcpServer: McpServer,
  { record, secret, accessToken }: Registration,
): Record<string, unknown> {
  const { client } = record;
  const { metadata } = client;
  const names = Object.fromEntries(
    Object.entries(metadata.names ?? {}).map(([language, name]) => [
      `client_name#${language}`,
      name,
    ]),
  );
  return withoutEmpty({
    client_id: client.id,
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    ...(secret ? { client_secret: secret.plain, client_secret_expires_at: 0 } : {}),
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.responseTypes,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    client_name: client.name,
    ...names,
    application_type: client.applicationType,
    client_uri: metadata.clientUri,
    logo_uri: metadata.logoUri,
    tos_uri: metadata.tosUri,
    policy_uri: metadata.policyUri,
    contacts: metadata.contacts,
    scope: metadata.scope,
    software_id: metadata.softwareId,
    software_version: metadata.softwareVersion,
    jwks: client.jwks,
    jwks_uri: client.jwksUri,
    ...(accessToken === undefined
      ? {}
      : {
          registration_client_uri: `${issuerOf(ctx, mcpServer)}/oauth/register/${client.id}`,
          registration_access_token: accessToken,
        }),
    // The management contract's members.
    name: client.name,
    scopes: metadata.scope?.split(' '),
    audience: audienceOf(mcpServer),
    expiry: mcpServer.accessTokenLifetime,
    secrets: secret
      ? [
          {
            id: secret.id,
            create_time: secret.createdAt.toISOString(),
            secret_suffix: secret.suffix,
            status: 'ACTIVE',
          },
        ]
      : undefined,
    resource_id: mcpServer.id,
    create_time: client.createdAt.toISOString(),
    update_time: client.updatedAt.toISOString(),
  });
}

function withoutEmpty(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(
      ([, value]) =>
        value !== undefined &&
        value !== null &&
        value !== '' &&
        !(Array.isArray(value) && value.length === 0),
    ),
  );
}
