import type { Ending } from '../good-server.ts';
import { type Answer, empty, html, json, listen } from '../http.ts';
import { signingKeys } from '../keys.ts';
import { startSdkResourceServer } from './sdk-resource-server.ts';

const CORS = { 'access-control-allow-origin': '*' };

/**
 * Documents in the shape in which Keycloak publishes them, as the authorization server of an SDK resource
 * server: an issuer with a path, the OpenID form with the path in front only, flows of many years.
 */
export async function startKeycloakShaped(t: Ending): Promise<string> {
  const server = await listen();
  t.after(() => server.close());
  const issuer = `${server.origin}/realms/todos`;
  const endpoints = `${issuer}/protocol/openid-connect`;
  const metadata = {
    issuer,
    authorization_endpoint: `${endpoints}/auth`,
    token_endpoint: `${endpoints}/token`,
    introspection_endpoint: `${endpoints}/token/introspect`,
    userinfo_endpoint: `${endpoints}/userinfo`,
    end_session_endpoint: `${endpoints}/logout`,
    jwks_uri: `${endpoints}/certs`,
    registration_endpoint: `${issuer}/clients-registrations/openid-connect`,
    grant_types_supported: [
      'authorization_code',
      'client_credentials',
      'implicit',
      'password',
      'refresh_token',
      'urn:ietf:params:oauth:grant-type:device_code',
      'urn:ietf:params:oauth:grant-type:token-exchange',
    ],
    response_types_supported: ['code', 'none', 'id_token', 'token', 'id_token token', 'code token'],
    response_modes_supported: ['query', 'fragment', 'form_post', 'query.jwt', 'jwt'],
    subject_types_supported: ['public', 'pairwise'],
    id_token_signing_alg_values_supported: ['PS256', 'RS256', 'ES256', 'HS256'],
    token_endpoint_auth_methods_supported: [
      'private_key_jwt',
      'client_secret_basic',
      'client_secret_post',
      'tls_client_auth',
      'client_secret_jwt',
    ],
    code_challenge_methods_supported: ['plain', 'S256'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access', 'todo:read'],
    authorization_response_iss_parameter_supported: true,
  };
  const { publicJwk } = await signingKeys();
  const encryption = { ...publicJwk, kid: 'encryption-1', use: 'enc', alg: 'RSA-OAEP' };
  const answers: Readonly<Record<string, Answer>> = {
    'GET /realms/todos/.well-known/openid-configuration': json(200, metadata, CORS),
    'GET /realms/todos/protocol/openid-connect/certs': json(
      200,
      { keys: [encryption, publicJwk] },
      CORS,
    ),
    'GET /realms/todos/protocol/openid-connect/auth': html(400, 'We are sorry: Client not found.'),
    'POST /realms/todos/protocol/openid-connect/token': json(
      401,
      {
        error: 'invalid_client',
        error_description: 'Invalid client or Invalid client credentials',
      },
      CORS,
    ),
    'OPTIONS /realms/todos/protocol/openid-connect/token': empty(200, {
      ...CORS,
      'access-control-allow-methods': 'POST, OPTIONS',
      'access-control-allow-headers':
        'Origin, Accept, X-Requested-With, Content-Type, Authorization',
    }),
  };
  server.answer(
    async ({ method, path }) =>
      answers[`${method} ${path}`] ??
      json(404, { error: 'Unable to find matching target resource' }),
  );
  return await startSdkResourceServer(t, metadata, ['todo:read']);
}
