/** Settings of one MCP server that the wire contract's resource has no field for. Times in seconds. */
export type McpServerSettings = {
  /** `iss` of access tokens: the environment's URL, or this server's own issuer. */
  readonly accessTokenIssuer: 'environment' | 'resource';
  /** `typ` of access tokens; `JWT` only for verifiers that refuse the standard's value. */
  readonly accessTokenTyp: 'at+jwt' | 'JWT';
  readonly codeLifetime: number;
  /** How long a retired refresh token still gets the current one. Never more than half the access token lifetime. */
  readonly refreshGrace: number;
  /** Absent: on when all redirect URIs of the client are loopback or private-use. */
  readonly refreshGraceStrict?: boolean;
  readonly rotateConfidential: boolean;
  readonly refreshPolicy: 'grant_type' | 'offline_access';
  readonly dcrManagement: boolean;
  readonly registrationPerHourPerNetwork?: number;
  readonly registrationPerHour?: number;
  readonly privateUseSchemes: 'known' | 'allow' | 'deny';
  readonly allowUnregisteredResource: boolean;
  readonly requireResource: boolean;
  readonly resourceCoversPaths: boolean;
  readonly rememberNativeConsent: boolean;
  readonly userinfoForMcp: boolean;
  readonly revokePublicClients: boolean;
  /** Seconds by which `iat` lies in the past: 0 to 10. */
  readonly iatBackdate: number;
  readonly allowedClientHosts: readonly string[];
  readonly blockedClientHosts: readonly string[];
  /** Clients that may introspect tokens of this server. */
  readonly introspectionClientIds: readonly string[];
  readonly serviceDocumentation?: string;
};

export const DEFAULT_MCP_SERVER_SETTINGS: McpServerSettings = {
  accessTokenIssuer: 'environment',
  accessTokenTyp: 'at+jwt',
  codeLifetime: 60,
  refreshGrace: 120,
  rotateConfidential: true,
  refreshPolicy: 'grant_type',
  dcrManagement: false,
  privateUseSchemes: 'known',
  allowUnregisteredResource: false,
  requireResource: false,
  resourceCoversPaths: false,
  rememberNativeConsent: false,
  userinfoForMcp: false,
  revokePublicClients: true,
  iatBackdate: 0,
  allowedClientHosts: [],
  blockedClientHosts: [],
  introspectionClientIds: [],
};

/** The grace that holds: never above half the access token lifetime (AS-109). */
export function refreshGraceOf(server: {
  readonly settings: McpServerSettings;
  readonly accessTokenLifetime: number;
}): number {
  return Math.min(server.settings.refreshGrace, Math.floor(server.accessTokenLifetime / 2));
}
