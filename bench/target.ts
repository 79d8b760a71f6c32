/** Where the endpoints of one server are, as its own metadata say. Paths with query, of an origin on loopback. */
export type Endpoints = {
  readonly metadata: string;
  readonly token: string;
  readonly keys: string;
  readonly registration: string;
};

/** What was put into a server before anything is measured. */
export type Material = {
  /** Authenticates with its secret in the header. */
  readonly machine: { readonly id: string; readonly secret: string };
  /** Public, with PKCE. */
  readonly clientId: string;
  /** Each redeemable once. */
  readonly codes: string[];
};

/** A server that is measured. */
export type Target = {
  readonly name: string;
  /** What of a confirmed write survives, in a few words. */
  readonly durability: string;
  readonly pid: number;
  readonly port: number;
  readonly endpoints: Endpoints;
  readonly material: Material;
  /** The process that its own database runs in, if it is another one. */
  readonly databasePid: number | undefined;
  /** Grows by refreshing: what exchanges gave. */
  refreshTokens: string[];
};

/** What every server is given, so that all of them do the same work. */
export const SAME = {
  redirectUri: 'https://client.example/callback',
  resource: 'https://todo.example/mcp',
  scopes: ['todo:read', 'todo:write'],
  /** One for all codes: checking it costs the same, and requests can be made before the clock runs. */
  verifier: 'bench-verifier-bench-verifier-bench-verifier-bench',
} as const;

/** Reads the addresses from a server's authorization server metadata (RFC 8414). */
export async function endpointsFrom(origin: string, metadataPath: string): Promise<Endpoints> {
  const response = await fetch(`${origin}${metadataPath}`);
  const metadata: unknown = await response.json();
  const path = (member: string): string => {
    const value =
      typeof metadata === 'object' && metadata && member in metadata
        ? Object.entries(metadata).find(([name]) => name === member)?.[1]
        : undefined;
    if (typeof value !== 'string' || new URL(value).origin !== origin)
      throw new Error(`${origin}${metadataPath} has no ${member} on its own origin`);
    return value.slice(origin.length);
  };
  return {
    metadata: metadataPath,
    token: path('token_endpoint'),
    keys: path('jwks_uri'),
    registration: path('registration_endpoint'),
  };
}
