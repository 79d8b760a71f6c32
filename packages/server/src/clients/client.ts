import { sha256 } from '../runtime/hash.ts';

export type TokenEndpointAuthMethod =
  | 'none'
  | 'client_secret_basic'
  | 'client_secret_post'
  | 'private_key_jwt';

/** A JSON Web Key Set as a client published it, checked for form: public keys only. */
export type ClientJwks = { readonly keys: readonly Readonly<Record<string, unknown>>[] };

/** What a client says about itself for people to read; none of it proves anything. */
export type ClientDisplay = {
  readonly clientUri?: string | undefined;
  readonly logoUri?: string | undefined;
  readonly tosUri?: string | undefined;
  readonly policyUri?: string | undefined;
  /** `client_name#lang` of RFC 7591 section 2.2, by language. */
  readonly names?: Readonly<Record<string, string>> | undefined;
  readonly softwareId?: string | undefined;
  readonly softwareVersion?: string | undefined;
  readonly contacts?: readonly string[] | undefined;
  /** Scopes it named when it registered. Echoed; what is granted is decided at each authorization (AS-42). */
  readonly scope?: string | undefined;
};

/** Switches of an administrator for one client. */
export type ClientSettings = {
  /** AS-93: assertions may name the URL of the endpoint called as their audience. Clients made by an administrator only. */
  readonly assertionAudienceEndpoint?: boolean | undefined;
  readonly introspect?: boolean | undefined;
  readonly accessTokenLifetime?: number | undefined;
  /** Emergency switch: no `iss` in responses to this client until then. RFC 3339. */
  readonly omitIssUntil?: string | undefined;
  readonly audience?: readonly string[] | undefined;
  readonly customClaims?: Readonly<Record<string, string>> | undefined;
  readonly initiateLoginUri?: string | undefined;
  readonly postLogoutRedirectUris?: readonly string[] | undefined;
  /** Called when a session ends (OpenID Connect Back-Channel Logout 1.0). */
  readonly backChannelLogoutUris?: readonly string[] | undefined;
  /** Of an application with a secret; without one PKCE is always required (AS-24). */
  readonly enforcePkce?: boolean | undefined;
};

/** An OAuth client as every protocol step sees it. */
export type Client = {
  /** `skc_`, `m2m_` or `m2morg_` and digits, or the URL of its metadata document. */
  readonly id: string;
  readonly kind: 'environment' | 'application' | 'mcp' | 'organization';
  readonly registration: 'admin' | 'dynamic' | 'metadata-document';
  /** The one server a registered or admin-made MCP client belongs to (AS-64). */
  readonly mcpServerId: string | undefined;
  /** Of a machine client of an organization, and only of such a one. */
  readonly organizationId: string | undefined;
  readonly name: string;
  readonly description: string;
  /** Stored and echoed, never a reason to refuse (AS-55). */
  readonly applicationType: string | undefined;
  readonly redirectUris: readonly string[];
  readonly grantTypes: readonly string[];
  readonly responseTypes: readonly string[];
  readonly tokenEndpointAuthMethod: TokenEndpointAuthMethod;
  /** Its document lists `none` beside private_key_jwt: an assertion need not be sent, and is checked when it is (AS-76). */
  readonly assertionOptional: boolean;
  /** What an administrator allows a machine client. */
  readonly scopes: readonly string[];
  readonly metadata: ClientDisplay;
  readonly jwks: ClientJwks | undefined;
  readonly jwksUri: string | undefined;
  readonly settings: ClientSettings;
  readonly managementApi: boolean;
  readonly enabled: boolean;
  /** It has authenticated by assertion once, and is never again believed without one (AS-76). */
  readonly assertedAt: Date | undefined;
  /** One row for all registrations that are equal in every member: nobody but an administrator changes it (AS-66). */
  readonly shared: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** First completed authorization; absent: the client is new to this environment. */
  readonly completedAt: Date | undefined;
  /** Of redirect URIs, keys, `jwks_uri`, authentication methods and name: equal as long as a remembered consent may count (AS-131). */
  readonly digest: Uint8Array;
  readonly revocationSecret: Uint8Array;
};

type DigestedMembers = Pick<
  Client,
  | 'redirectUris'
  | 'jwks'
  | 'jwksUri'
  | 'tokenEndpointAuthMethod'
  | 'assertionOptional'
  | 'name'
  | 'metadata'
>;

/** The digest of AS-131. The order of redirect URIs does not count. */
export function clientDigest(client: DigestedMembers): Uint8Array {
  return sha256(
    canonicalJson([
      [...client.redirectUris].sort(),
      client.jwks ?? {},
      client.jwksUri ?? '',
      client.tokenEndpointAuthMethod,
      client.assertionOptional,
      client.name,
      client.metadata.names ?? {},
    ]),
  );
}

/** JSON with members in one order, so that equal values have equal text. Members that are undefined do not count. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** Public keys, or where they are: only such a client can sign an assertion. */
export function hasKeys(client: Pick<Client, 'jwks' | 'jwksUri'>): boolean {
  return client.jwks !== undefined || client.jwksUri !== undefined;
}

/**
 * A client of the environment itself, where people sign in to an application of the operator's: the environment's own client,
 * which is an application too (FSA-2), and those added since.
 */
export function isOfEnvironment({ kind }: Pick<Client, 'kind'>): boolean {
  return kind === 'environment' || kind === 'application';
}

export function usesSecret(method: TokenEndpointAuthMethod): boolean {
  return method === 'client_secret_basic' || method === 'client_secret_post';
}
