import { environmentOf } from '../../environments/environments.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { isServing } from '../../mcp/mcp-servers.ts';
import type { Ctx } from '../../runtime/context.ts';
import { OPENID_SCOPES } from '../scope.ts';

const AUTH_METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const ASSERTION_ALGORITHMS = ['RS256', 'ES256', 'PS256', 'EdDSA'];
/** Claims that ID tokens and userinfo can have. */
const CLAIMS = [
  'iss',
  'sub',
  'aud',
  'azp',
  'exp',
  'iat',
  'auth_time',
  'nonce',
  'at_hash',
  'c_hash',
  'sid',
  'name',
  'email',
  'email_verified',
];

/**
 * The authorization server metadata of one issuer (RFC 8414 section 2, OpenID Connect Discovery section 3; AS-2, AS-4). It names
 * this issuer and no other at every address it is served from; what does not apply is an absent member. Undefined for an MCP
 * server that is switched off (AS-13).
 */
export async function authorizationServerMetadata(
  ctx: Ctx,
  { issuer, mcpServer }: Issuer,
): Promise<Record<string, unknown> | undefined> {
  if (mcpServer && !isServing(mcpServer)) return undefined;
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    token_endpoint: `${issuer}/oauth/token`,
    jwks_uri: `${ctx.issuer}/keys`,
    ...(await registration(ctx, mcpServer)),
    revocation_endpoint: `${issuer}/oauth/revoke`,
    introspection_endpoint: `${issuer}/oauth/introspect`,
    ...(mcpServer && !mcpServer.settings.userinfoForMcp
      ? {}
      : { userinfo_endpoint: `${issuer}/oauth/userinfo` }),
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: AUTH_METHODS,
    token_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    revocation_endpoint_auth_methods_supported: AUTH_METHODS,
    revocation_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    introspection_endpoint_auth_methods_supported: AUTH_METHODS.filter(
      (method) => method !== 'none',
    ),
    introspection_endpoint_auth_signing_alg_values_supported: ASSERTION_ALGORITHMS,
    scopes_supported: [...(mcpServer?.scopes.map((scope) => scope.name) ?? []), ...OPENID_SCOPES],
    authorization_response_iss_parameter_supported: true,
    // At E the server that the request names decides; a document is accepted there too.
    client_id_metadata_document_supported: mcpServer?.metadataDocumentsEnabled ?? true,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: CLAIMS,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    ...(mcpServer?.settings.serviceDocumentation
      ? { service_documentation: mcpServer.settings.serviceDocumentation }
      : {}),
    ...(mcpServer?.serverUrl === undefined ? {} : { protected_resources: [mcpServer.serverUrl] }), // RFC 9728 section 4
    ...(await operatorLinks(ctx)),
  };
}

/** Only while registration is on (AS-10); never at E (AS-11). */
async function registration(
  ctx: Ctx,
  mcpServer: Issuer['mcpServer'],
): Promise<Record<string, unknown>> {
  if (!mcpServer?.registrationEnabled) return {};
  return {
    registration_endpoint: `${ctx.issuer}/api/v1/resources/${mcpServer.id}/clients:register`,
  };
}

async function operatorLinks(ctx: Ctx): Promise<Record<string, unknown>> {
  const { termsUrl, privacyUrl } = (await environmentOf(ctx)).settings;
  return {
    ...(termsUrl ? { op_tos_uri: termsUrl } : {}),
    ...(privacyUrl ? { op_policy_uri: privacyUrl } : {}),
  };
}
