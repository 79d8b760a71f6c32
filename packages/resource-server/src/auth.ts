/** What a validated access token says (RFC 9068 §2.2), beside what the MCP SDK has a name for. */
export type TokenDetails = {
  readonly issuer: string;
  /** `sub`: the person, or the client itself for a machine token. */
  readonly subject: string;
  /** `org_id`: the organization the person acted for. */
  readonly organizationId: string | undefined;
  /** `jti`. */
  readonly tokenId: string | undefined;
  /** No person behind it: issued by the client credentials grant. */
  readonly machine: boolean;
  /** All claims as signed. Frozen: the same object serves every request with this token. */
  readonly claims: Readonly<Record<string, unknown>>;
};

/**
 * A caller, in the shape of the MCP SDK's `AuthInfo` (its `extra` holds ours), so that it can be handed
 * to a transport as it is. `expiresAt` is in seconds since 1970. `token` must not be sent to any other
 * server: MCP forbids passing it on (RS-27).
 */
export type McpAuth = {
  readonly token: string;
  readonly clientId: string;
  readonly scopes: string[];
  readonly expiresAt: number;
  readonly resource: URL;
  readonly extra: TokenDetails;
};
