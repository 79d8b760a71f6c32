/** Parameters of the authorization endpoint that an application chooses, under the names of Scalekit's SDK. */
export type AuthorizationUrlOptions = {
  /** @default openid, profile, email; add offline_access for a refresh token */
  readonly scopes?: readonly string[];
  /** Comes back with the code; compare it there. */
  readonly state?: string;
  /** Stands in the ID token; give it to `authenticateWithCode` too. */
  readonly nonce?: string;
  readonly loginHint?: string;
  readonly domainHint?: string;
  readonly connectionId?: string;
  readonly organizationId?: string;
  readonly provider?: string;
  readonly codeChallenge?: string;
  /** @default S256, where there is a challenge */
  readonly codeChallengeMethod?: string;
  readonly prompt?: string;
};

export type LogoutUrlOptions = {
  readonly idTokenHint?: string;
  /** One of those that are registered. */
  readonly postLogoutRedirectUri?: string;
  readonly state?: string;
};

/** Where the application sends a browser to sign in (RFC 6749 §4.1.1). */
export function authorizationUrl(
  environmentUrl: string,
  clientId: string,
  redirectUri: string,
  options: AuthorizationUrlOptions = {},
): string {
  const { codeChallenge } = options;
  const query = queryOf({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: (options.scopes ?? ['openid', 'profile', 'email']).join(' '),
    state: options.state,
    nonce: options.nonce,
    login_hint: options.loginHint,
    domain_hint: options.domainHint,
    domain: options.domainHint,
    connection_id: options.connectionId,
    organization_id: options.organizationId,
    code_challenge: codeChallenge,
    code_challenge_method: options.codeChallengeMethod || (codeChallenge && 'S256'),
    provider: options.provider,
    prompt: options.prompt,
  });
  return `${environmentUrl}/oauth/authorize?${query}`;
}

/** Where the application sends a browser to sign out (OpenID Connect RP-Initiated Logout 1.0 §2). */
export function logoutUrl(environmentUrl: string, options: LogoutUrlOptions = {}): string {
  const query = queryOf({
    id_token_hint: options.idTokenHint,
    post_logout_redirect_uri: options.postLogoutRedirectUri,
    state: options.state,
  });
  return `${environmentUrl}/oidc/logout${query && `?${query}`}`;
}

/** Without what is absent or empty. Spaces become %20, which every parser reads alike; `+` is not. */
function queryOf(parameters: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(parameters)
    .flatMap(([name, value]) => (value ? [`${name}=${encoded(value)}`] : []))
    .join('&');
}

function encoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
