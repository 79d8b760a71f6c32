import { redirectUriProblem } from '../oauth/redirect-uri.ts';
import { displayName } from '../pages/plain-text.ts';
import type { Ctx } from '../runtime/context.ts';
import { fetchUrlProblem } from '../runtime/safe-fetch-url.ts';
import { type Client, type ClientJwks, hasKeys, type TokenEndpointAuthMethod } from './client.ts';
import { jwksProblem } from './client-jwks.ts';
import type { ClientWrite } from './clients.store.ts';

/** What an administrator may say about a client. */
export type ClientInput = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly applicationType?: string | undefined;
  readonly redirectUris?: readonly string[] | undefined;
  readonly grantTypes?: readonly string[] | undefined;
  readonly tokenEndpointAuthMethod?: TokenEndpointAuthMethod | undefined;
  readonly scopes?: readonly string[] | undefined;
  readonly metadata?: Client['metadata'] | undefined;
  readonly jwks?: ClientJwks | undefined;
  readonly jwksUri?: string | undefined;
  readonly settings?: Client['settings'] | undefined;
  readonly managementApi?: boolean | undefined;
  readonly enabled?: boolean | undefined;
};

export type NewClient = ClientInput & {
  readonly kind: Client['kind'];
  /** Required for an MCP client. */
  readonly mcpServerId?: string | undefined;
  /** Required for a machine client of an organization. */
  readonly organizationId?: string | undefined;
};

/** A member that cannot be accepted, and why. */
export type InvalidMember = {
  readonly kind: 'invalid';
  readonly field: string;
  readonly description: string;
};

const ADMIN_GRANTS = [
  'authorization_code',
  'refresh_token',
  'client_credentials',
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
];

/** All members of a client that an administrator decides. */
export type Wanted = Omit<
  ClientWrite,
  | 'environmentId'
  | 'id'
  | 'kind'
  | 'registration'
  | 'mcpServerId'
  | 'organizationId'
  | 'revocationSecret'
  | 'createdAt'
>;

/** What was not said. A client without redirect URIs is a machine. */
export function withDefaults(input: ClientInput & { readonly kind: Client['kind'] }): Wanted {
  const redirectUris = input.redirectUris ?? [];
  const machine = redirectUris.length === 0;
  return {
    name: displayName(input.name, 128),
    description: (input.description ?? '').slice(0, 1000),
    applicationType: input.applicationType,
    redirectUris,
    grantTypes:
      input.grantTypes ??
      (machine ? ['client_credentials'] : ['authorization_code', 'refresh_token']),
    responseTypes: machine ? [] : ['code'],
    tokenEndpointAuthMethod: input.tokenEndpointAuthMethod ?? 'client_secret_basic',
    assertionOptional: false,
    scopes: input.scopes ?? [],
    metadata: input.metadata ?? {},
    jwks: input.jwks,
    jwksUri: input.jwksUri,
    settings: input.settings ?? {},
    managementApi: input.managementApi ?? false,
    enabled: input.enabled ?? true,
  };
}

/** The first member that cannot be accepted: redirect URIs as AS-53, keys as AS-62, grants as AS-88. */
export function firstProblem(ctx: Ctx, client: Wanted): InvalidMember | undefined {
  const invalid = (field: string, description: string): InvalidMember => ({
    kind: 'invalid',
    field,
    description,
  });
  for (const [index, uri] of client.redirectUris.entries()) {
    const problem = redirectUriProblem(uri, { privateUseSchemes: 'allow' });
    if (problem !== undefined) return invalid(`redirect_uris[${index}]`, problem);
  }
  const grant = client.grantTypes.find((type) => !ADMIN_GRANTS.includes(type));
  if (grant !== undefined)
    return invalid('grant_types', `${grant.slice(0, 100)} is not a grant type`);
  if (client.grantTypes.includes('client_credentials') && client.tokenEndpointAuthMethod === 'none')
    return invalid('grant_types', 'a public client cannot use client_credentials');
  if (client.jwks && client.jwksUri !== undefined)
    return invalid('jwks', 'jwks and jwks_uri must not be used together');
  const jwks = client.jwks && jwksProblem(client.jwks);
  if (jwks?.kind === 'invalid') return invalid('jwks', jwks.problem);
  const address =
    client.jwksUri === undefined
      ? undefined
      : fetchUrlProblem(client.jwksUri, { allowLoopback: ctx.config.allowLoopbackClients });
  if (address !== undefined) return invalid('jwks_uri', address);
  if (client.tokenEndpointAuthMethod === 'private_key_jwt' && !hasKeys(client))
    return invalid('jwks', 'private_key_jwt needs jwks or jwks_uri');
  return undefined;
}
