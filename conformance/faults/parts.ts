import type { JWK } from 'jose';
import type { Answer, Front, Incoming } from './http.ts';

/** Public addresses of one pair of servers; what they say about themselves is built from these and never from `Host`. */
export type Place = {
  /** The MCP endpoint. */
  readonly mcp: string;
  readonly resourceOrigin: string;
  readonly issuer: string;
  readonly issuerOrigin: string;
};

export type Claims = Readonly<Record<string, unknown>>;

/** What is wrong with a request, in the words of RFC 6750 section 3. */
export type Refusal = {
  readonly status: 400 | 401 | 403;
  readonly error?: 'invalid_request' | 'invalid_token' | 'insufficient_scope';
  readonly description?: string;
  readonly scope: string;
  /** What the caller sent as its token, if anything: a good server never repeats it. */
  readonly sent?: string;
};

export type TokenFound =
  | { readonly kind: 'none' }
  | { readonly kind: 'malformed' }
  | { readonly kind: 'token'; readonly token: string };

export type Grant = {
  readonly clientId: string;
  readonly redirectUri: string;
  readonly challenge: string;
  readonly scope: string;
  readonly resource: string | undefined;
};

export type Client = { readonly id: string; readonly redirectUris: readonly string[] };

/**
 * The decisions of the two servers, one function each. The servers call them only through this record,
 * so that a fault is the replacement of one of them.
 */
export type Parts = {
  // The resource server.
  readonly resourceFront: Front;
  readonly resourceMetadata: () => Record<string, unknown>;
  readonly originAllowed: (origin: string | undefined) => boolean;
  readonly readToken: (request: Incoming) => TokenFound;
  /** The claims of a token that may be used here; throws for any other. */
  readonly verifyToken: (token: string) => Promise<Claims>;
  readonly refuse: (refusal: Refusal) => Answer;
  readonly mayCall: (tool: string, claims: Claims) => boolean;
  readonly resourceCors: (request: Incoming) => Record<string, string>;

  // The authorization server.
  readonly authorizationFront: Front;
  readonly serverMetadata: () => Record<string, unknown>;
  readonly keySet: () => { keys: JWK[] };
  readonly issParameter: () => string | undefined;
  readonly verifierMatches: (challenge: string, verifier: string) => boolean;
  readonly redeem: (codes: Map<string, Grant>, code: string) => Grant | undefined;
  readonly nextRefreshToken: (tokens: Map<string, Grant>, used: string, grant: Grant) => string;
  readonly unknownClient: (redirectUri: string | undefined) => Answer;
};
