import { createHash, randomBytes } from 'node:crypto';
import { SignJWT } from 'jose';
import { type Answer, empty, html, type Incoming, json, parseObject } from './http.ts';
import type { Keys } from './keys.ts';
import type { Client, Grant, Parts, Place } from './parts.ts';

const SCOPES = ['todo:read', 'todo:delete', 'offline_access'];
const ACCESS_TOKEN_SECONDS = 300;
const CORS = { 'access-control-allow-origin': '*' };

type AuthorizationParts = Pick<
  Parts,
  | 'authorizationFront'
  | 'serverMetadata'
  | 'keySet'
  | 'issParameter'
  | 'verifierMatches'
  | 'redeem'
  | 'nextRefreshToken'
  | 'unknownClient'
>;

/** What the authorization server remembers. */
export type Memory = {
  readonly clients: Map<string, Client>;
  readonly codes: Map<string, Grant>;
  readonly refreshTokens: Map<string, Grant>;
};

export function emptyMemory(): Memory {
  return { clients: new Map(), codes: new Map(), refreshTokens: new Map() };
}

/** The authorization server's decisions as the specifications want them. */
export function goodAuthorizationParts(place: Place, keys: Keys): AuthorizationParts {
  const { issuer } = place;
  return {
    authorizationFront: (_request, next) => next(),
    serverMetadata: () => ({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      jwks_uri: `${issuer}/keys`,
      scopes_supported: SCOPES,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'],
    }),
    keySet: () => ({ keys: [keys.publicJwk] }),
    issParameter: () => issuer,
    verifierMatches: (challenge, verifier) =>
      createHash('sha256').update(verifier).digest('base64url') === challenge,
    redeem: (codes, code) => {
      const grant = codes.get(code);
      codes.delete(code);
      return grant;
    },
    nextRefreshToken: (tokens, used, grant) => {
      tokens.delete(used);
      const next = randomBytes(24).toString('base64url');
      tokens.set(next, grant);
      return next;
    },
    unknownClient: () => html(400, 'This application is not known here'),
  };
}

/** Answers one request to the authorization server. */
export async function answerAuthorization(
  parts: Parts,
  { place, keys, memory }: { place: Place; keys: Keys; memory: Memory },
  request: Incoming,
): Promise<Answer> {
  const base = place.issuer.slice(place.issuerOrigin.length);
  const documents = [
    `/.well-known/oauth-authorization-server${base}`,
    `/.well-known/openid-configuration${base}`,
    `${base}/.well-known/openid-configuration`,
  ];
  if (request.method === 'OPTIONS') {
    const allow = {
      'access-control-allow-headers': 'Authorization, Content-Type, MCP-Protocol-Version',
    };
    return empty(204, { ...CORS, ...allow, 'access-control-allow-methods': 'GET, POST' });
  }
  if (request.method === 'GET') {
    if (documents.includes(request.path)) return json(200, parts.serverMetadata(), CORS);
    if (request.path === `${base}/keys`) return json(200, parts.keySet(), CORS);
    if (request.path === `${base}/authorize`) return authorize(parts, memory, request.query);
  }
  if (request.method === 'POST') {
    if (request.path === `${base}/register`) return register(memory, request);
    if (request.path === `${base}/token`) {
      return token(parts, { place, keys, memory }, new URLSearchParams(request.body));
    }
  }
  return json(404, { error: 'not_found' }, CORS);
}

function register(memory: Memory, { body }: Incoming): Answer {
  const metadata = parseObject(body);
  const uris = metadata?.['redirect_uris'];
  if (!Array.isArray(uris) || uris.length === 0 || !uris.every(acceptable)) {
    return json(400, { error: 'invalid_redirect_uri', error_description: 'No usable URI' }, CORS);
  }
  const id = `client-${randomBytes(8).toString('hex')}`;
  memory.clients.set(id, { id, redirectUris: uris.map(String) });
  const registered = {
    client_id: id,
    redirect_uris: uris,
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...(typeof metadata?.['client_name'] === 'string'
      ? { client_name: metadata['client_name'] }
      : {}),
  };
  return json(201, registered, CORS);
}

function acceptable(uri: unknown): boolean {
  if (typeof uri !== 'string' || !URL.canParse(uri)) return false;
  const { protocol, hash } = new URL(uri);
  return hash === '' && (protocol === 'https:' || isLoopback(uri));
}

function isLoopback(uri: string): boolean {
  const { protocol, hostname } = new URL(uri);
  return protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname);
}

/** RFC 8252 section 7.3: the port of a loopback redirect URI is free, everything else is compared exactly. */
function isRegistered(client: Client, redirectUri: string): boolean {
  if (client.redirectUris.includes(redirectUri)) return true;
  if (!URL.canParse(redirectUri) || !isLoopback(redirectUri)) return false;
  const withoutPort = (uri: string): string => {
    const url = new URL(uri);
    url.port = '';
    return url.href;
  };
  return client.redirectUris.some(
    (uri) => isLoopback(uri) && withoutPort(uri) === withoutPort(redirectUri),
  );
}

/** Consents at once: there is no person here. */
function authorize(parts: Parts, memory: Memory, query: URLSearchParams): Answer {
  const client = memory.clients.get(query.get('client_id') ?? '');
  const redirectUri = query.get('redirect_uri');
  if (!client || redirectUri === null || !isRegistered(client, redirectUri)) {
    return parts.unknownClient(redirectUri ?? undefined);
  }
  const back = new URL(redirectUri);
  const answer = (parameters: Record<string, string>): Answer => {
    const iss = parts.issParameter();
    const state = query.get('state');
    for (const [name, value] of Object.entries(parameters)) back.searchParams.set(name, value);
    if (state !== null) back.searchParams.set('state', state);
    if (iss !== undefined) back.searchParams.set('iss', iss);
    return empty(302, { location: back.href });
  };
  const challenge = query.get('code_challenge') ?? '';
  if (query.get('response_type') !== 'code') return answer({ error: 'unsupported_response_type' });
  if (query.get('code_challenge_method') !== 'S256' || !/^[\w-]{43}$/.test(challenge)) {
    return answer({ error: 'invalid_request', error_description: 'PKCE with S256 is needed' });
  }
  const resource = query.get('resource') ?? undefined;
  if (resource !== undefined && !URL.canParse(resource)) return answer({ error: 'invalid_target' });
  const asked = (query.get('scope') ?? 'todo:read').split(' ');
  const scope = asked.filter((name) => SCOPES.includes(name)).join(' ');
  const code = randomBytes(24).toString('base64url');
  memory.codes.set(code, { clientId: client.id, redirectUri, challenge, scope, resource });
  return answer({ code });
}

type Held = { readonly place: Place; readonly keys: Keys; readonly memory: Memory };

async function token(parts: Parts, held: Held, form: URLSearchParams): Promise<Answer> {
  const { memory } = held;
  const clientId = form.get('client_id') ?? '';
  if (!memory.clients.has(clientId)) return tokenError(401, 'invalid_client');
  const resource = form.get('resource') ?? undefined;
  switch (form.get('grant_type')) {
    case 'authorization_code': {
      const grant = parts.redeem(memory.codes, form.get('code') ?? '');
      const verifier = form.get('code_verifier') ?? '';
      if (!grant || grant.clientId !== clientId) return tokenError(400, 'invalid_grant');
      if (grant.redirectUri !== form.get('redirect_uri')) return tokenError(400, 'invalid_grant');
      if (!parts.verifierMatches(grant.challenge, verifier))
        return tokenError(400, 'invalid_grant');
      if (resource !== undefined && resource !== grant.resource)
        return tokenError(400, 'invalid_target');
      const refreshToken = randomBytes(24).toString('base64url');
      memory.refreshTokens.set(refreshToken, grant);
      return issue(held, grant, refreshToken);
    }
    case 'refresh_token': {
      const used = form.get('refresh_token') ?? '';
      const grant = memory.refreshTokens.get(used);
      if (!grant || grant.clientId !== clientId) return tokenError(400, 'invalid_grant');
      if (resource !== undefined && resource !== grant.resource)
        return tokenError(400, 'invalid_target');
      return issue(held, grant, parts.nextRefreshToken(memory.refreshTokens, used, grant));
    }
    default:
      return tokenError(400, 'unsupported_grant_type');
  }
}

function tokenError(status: number, error: string): Answer {
  return json(status, { error }, CORS);
}

/** The audience is the resource that was asked for (RFC 8707 section 2), and the issuer itself when none was. */
async function issue({ place, keys }: Held, grant: Grant, refreshToken: string): Promise<Answer> {
  const access = await new SignJWT({ scope: grant.scope, client_id: grant.clientId })
    .setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', kid: keys.kid })
    .setIssuer(place.issuer)
    .setAudience(grant.resource ?? place.issuer)
    .setSubject('person-1')
    .setJti(randomBytes(8).toString('hex'))
    .setIssuedAt()
    .setExpirationTime(`${ACCESS_TOKEN_SECONDS}s`)
    .sign(keys.privateKey);
  return json(
    200,
    {
      access_token: access,
      token_type: 'Bearer',
      expires_in: ACCESS_TOKEN_SECONDS,
      scope: grant.scope,
      refresh_token: refreshToken,
    },
    CORS,
  );
}
