/** An authorization request after all checks, as it is frozen in its login request. Nothing of it changes afterwards. */
export type AuthorizationRequest = {
  readonly state?: string | undefined;
  readonly nonce?: string | undefined;
  /** S256 (RFC 7636); absent only for a confidential application at E. */
  readonly codeChallenge?: string | undefined;
  /** Whether the client sent `redirect_uri`, or its only registered one was taken (AS-52). */
  readonly redirectUriGiven: boolean;
  /** Scopes of the MCP server, after unknown ones were dropped and defaults filled in (AS-42 to AS-44). */
  readonly scopes: readonly string[];
  /** Scopes of the authorization server: openid, profile, email, offline_access. */
  readonly openIdScopes: readonly string[];
  /** The resource asked for, where the MCP server has no Server URL to stand for it (AS-38). */
  readonly resource?: string | undefined;
  /** The consent page must ask whether the person trusts the place that is opened (AS-38). */
  readonly unregisteredResource: boolean;
  readonly prompt: readonly string[];
  /** Seconds (OpenID Connect Core section 3.1.2.1). */
  readonly maxAge?: number | undefined;
  readonly loginHint?: string | undefined;
  readonly uiLocales?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly connectionId?: string | undefined;
  readonly domainHint?: string | undefined;
};
