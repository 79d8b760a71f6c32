import { createHash } from 'node:crypto';
import type { Examination } from '../examination.ts';
import { type Answer, jsonOf, type Outcome, objectOf } from '../http.ts';
import type { AuthorizationServer } from '../steps/authorization-server.ts';
import { safeAddressOf } from '../steps/authorization-server-metadata.ts';

/** A client of the authorization server, ours for the time of the examination. */
export type OAuthClient = {
  readonly id: string;
  readonly secret: string | undefined;
  readonly method: string;
  /** Where it can be removed (RFC 7592); undefined when it was given, or cannot be. */
  readonly management: { readonly url: string; readonly token: string } | undefined;
  readonly registered: boolean;
};

/** One authorization request. */
export type Authorization = {
  readonly url: string;
  readonly state: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly resource: string;
};

/** Registers a public client for one loopback redirect URI (RFC 7591). */
export async function registerClient(
  examination: Examination,
  server: AuthorizationServer,
  redirectUri: string,
): Promise<OAuthClient | Outcome | undefined> {
  const url = safeAddressOf(server.metadata, 'registration_endpoint');
  if (!url) return undefined;
  const answer = await examination.send({
    method: 'POST',
    url: url.href,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      client_name: 'Gatewarden doctor',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      application_type: 'native',
    }),
  });
  const members = answer.kind === 'answer' ? objectOf(jsonOf(answer)) : undefined;
  const id = members?.['client_id'];
  if (answer.kind === 'failed' || answer.status > 299 || typeof id !== 'string') return answer;
  const text = (name: string): string | undefined => {
    const value = members?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const [uri, token] = [text('registration_client_uri'), text('registration_access_token')];
  return {
    id,
    secret: text('client_secret'),
    method: text('token_endpoint_auth_method') ?? 'none',
    management: uri !== undefined && token !== undefined ? { url: uri, token } : undefined,
    registered: true,
  };
}

/** The address at which a person allows it (OAuth 2.1 §4.1.1, RFC 7636, RFC 8707). */
export function authorizationRequest(
  examination: Examination,
  {
    server,
    client,
    redirectUri,
    resource,
    scopes,
  }: {
    readonly server: AuthorizationServer;
    readonly client: OAuthClient;
    readonly redirectUri: string;
    readonly resource: string;
    readonly scopes: readonly string[];
  },
): Authorization | undefined {
  const url = safeAddressOf(server.metadata, 'authorization_endpoint');
  if (!url) return undefined;
  const verifier = Buffer.from(examination.random(48)).toString('base64url');
  const state = Buffer.from(examination.random(24)).toString('base64url');
  const parameters = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state,
    resource,
    ...(scopes.length > 0 ? { scope: scopes.join(' ') } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, state, verifier, redirectUri, resource };
}

/** A request to the token endpoint, or to another that authenticates clients in the same way. */
export async function tokenRequest(
  examination: Examination,
  url: string,
  client: OAuthClient,
  parameters: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const form = new URLSearchParams(parameters);
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  };
  if (client.secret !== undefined && client.method !== 'client_secret_post') {
    const pair = [client.id, client.secret].map((part) =>
      new URLSearchParams({ x: part }).toString().slice(2),
    );
    headers['authorization'] = `Basic ${Buffer.from(pair.join(':')).toString('base64')}`;
  } else {
    form.set('client_id', client.id);
    if (client.secret !== undefined) form.set('client_secret', client.secret);
  }
  return await examination.send({ method: 'POST', url, headers, body: form.toString() });
}

/** Parameters that redeem a code (OAuth 2.1 §4.1.3). */
export function codeParameters(
  authorization: Authorization,
  code: string,
): Readonly<Record<string, string>> {
  return {
    grant_type: 'authorization_code',
    code,
    redirect_uri: authorization.redirectUri,
    code_verifier: authorization.verifier,
    resource: authorization.resource,
  };
}

export type Tokens = {
  readonly access: string;
  readonly refresh: string | undefined;
  readonly type: string;
  readonly scopes: readonly string[] | undefined;
};

/** The tokens of a token response; undefined when it is none. */
export function tokensOf(answer: Answer): Tokens | undefined {
  const members = objectOf(jsonOf(answer));
  const access = members?.['access_token'];
  if (answer.status !== 200 || typeof access !== 'string' || access === '') return undefined;
  const { refresh_token: refresh, token_type: type, scope } = members ?? {};
  return {
    access,
    refresh: typeof refresh === 'string' && refresh !== '' ? refresh : undefined,
    type: typeof type === 'string' ? type : '',
    scopes: typeof scope === 'string' ? scope.split(' ').filter((one) => one !== '') : undefined,
  };
}

/** The OAuth error of an answer, as printable as its code is. */
export function errorOfBody(answer: Answer): string | undefined {
  const error = objectOf(jsonOf(answer))?.['error'];
  return typeof error === 'string' ? error : undefined;
}
