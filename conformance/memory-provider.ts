/** What both majors of the official client SDK keep for one connection; a test looks inside. */
export type MemoryProvider = {
  redirectUrl: string;
  clientMetadata: Record<string, unknown>;
  clientMetadataUrl?: string;
  authorizations: URL[];
  saved: {
    client?: Record<string, unknown>;
    tokens?: Record<string, unknown> & { access_token: string; refresh_token?: string };
    verifier?: string;
    state?: string;
    discovery?: unknown;
  };
  state(): string;
  clientInformation(): unknown;
  saveClientInformation?(client: unknown): void;
  tokens(): unknown;
  saveTokens(tokens: unknown): void;
  redirectToAuthorization(url: URL): void;
  saveCodeVerifier(verifier: string): void;
  codeVerifier(): string;
  /** Kept beside the verifier, so that the callback is bound to the authorization server that was found. */
  saveDiscoveryState(state: unknown): void;
  discoveryState(): unknown;
};

export type ProviderOptions = {
  redirectUrl: string;
  clientMetadataUrl?: string;
  client?: Record<string, unknown>;
};

/** An OAuthClientProvider as an application writes one, in memory. */
export function memoryProvider(options: ProviderOptions): MemoryProvider {
  const saved: MemoryProvider['saved'] = options.client ? { client: options.client } : {};
  let states = 0;
  return {
    redirectUrl: options.redirectUrl,
    clientMetadata: {
      client_name: 'Conformance client',
      redirect_uris: [options.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    ...(options.clientMetadataUrl === undefined
      ? {}
      : { clientMetadataUrl: options.clientMetadataUrl }),
    authorizations: [],
    saved,
    state() {
      states += 1;
      saved.state = `state-${states}`;
      return saved.state;
    },
    clientInformation: () => saved.client,
    saveClientInformation(client) {
      saved.client = client as Record<string, unknown>;
    },
    tokens: () => saved.tokens,
    saveTokens(tokens) {
      saved.tokens = tokens as NonNullable<MemoryProvider['saved']['tokens']>;
    },
    redirectToAuthorization(url) {
      this.authorizations.push(url);
    },
    saveCodeVerifier(verifier) {
      saved.verifier = verifier;
    },
    codeVerifier: () => saved.verifier ?? '',
    saveDiscoveryState(state) {
      saved.discovery = state;
    },
    discoveryState: () => saved.discovery,
  };
}
