import type { SigningAlgorithm } from './algorithms.ts';
import type { McpAuth } from './auth.ts';
import type { Fetch, Log } from './runtime/defaults.ts';

/**
 * Which scopes a call needs. One scope or a list: all of them. `anyOf`: one of several sets; together with
 * `all`, those in any case. `false`: nobody may make this call, whatever the token.
 */
export type ScopeRule<S extends string = string> =
  | S
  | readonly S[]
  | { readonly all?: readonly S[]; readonly anyOf?: readonly (S | readonly S[])[] }
  | false;

/** A `tools/call` as sent: `arguments` is not validated against the tool's schema yet. */
export type ToolCall = {
  readonly tool: string;
  readonly arguments: unknown;
  readonly auth: McpAuth;
};

/** Any other message with a method. */
export type MethodCall = {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly auth: McpAuth;
};

/** A rule, or a function where it depends on the arguments. A function that throws, or answers anything but a rule, refuses the request (500). */
export type ToolRule<S extends string = string> = ScopeRule<S> | ((call: ToolCall) => ScopeRule<S>);
export type MethodRule<S extends string = string> =
  | ScopeRule<S>
  | ((call: MethodCall) => ScopeRule<S>);

/** What becomes of a tool that the map does not list: nobody, base scopes, or any valid token. */
export type DefaultPolicy = 'deny' | 'base' | 'allow';

export type ScopeDescription = {
  readonly title?: string;
  readonly description?: string;
  /** Whether a person who allows it lets a client look or lets it change something. */
  readonly class?: 'see' | 'change';
};

/** An authorization server other than Gatewarden whose tokens are accepted too. */
export type TrustedIssuer = {
  /** Exactly as in the token's `iss`. */
  readonly issuer: string;
  /** @default the server's own audiences, without the resource id */
  readonly audiences?: readonly string[];
  /** Address of its key set. @default found through its metadata (RFC 8414) */
  readonly jwksUri?: string;
  /** A fixed key set instead. */
  readonly keys?: unknown;
  /** @default the server's own list */
  readonly algorithms?: readonly SigningAlgorithm[];
  /** Accept `typ` JWT or none, when the token cannot be of another kind (RS-21). @default false */
  readonly allowUntyped?: boolean;
};

/** How revoked tokens are found out before they end (RS-25, RS-58). */
export type RevocationOptions = {
  /** Address of the revocation feed. @default E/resources/id/revocations */
  readonly feedUrl?: string;
  /** Seconds after which tools that are not high-risk are refused too, counted from the newest document; 60 to 86400. @default 900 */
  readonly maxStaleSeconds?: number;
  /** `open` lets requests through for as long as the feed cannot be had, those of high-risk tools excepted, and says so once a minute. @default closed */
  readonly onStale?: 'closed' | 'open';
  /** Ask the authorization server about each token instead of waiting for the feed (RFC 7662). */
  readonly introspection?: {
    /** @default E/resources/id/oauth/introspect */
    readonly endpoint?: string;
    readonly clientId: string;
    readonly clientSecret: string;
    /** Seconds for which an answer is believed, 0 to 60. @default 2 */
    readonly cacheSeconds?: number;
  };
};

/** The declaration of one MCP server: who issues its tokens, where it lives, what each tool needs. */
export type McpServerOptions<S extends string = string> = {
  /** Environment URL of Gatewarden, E. Together with `resourceId`. */
  readonly environmentUrl?: string;
  /** Id of this MCP server at Gatewarden, `res_…`. Tokens of E and of E/resources/id are accepted. */
  readonly resourceId?: string;
  /** Other authorization servers, beside or instead of Gatewarden. */
  readonly issuers?: readonly TrustedIssuer[];

  /** Public URL of the MCP endpoint. Everything the outside is told is built from it, never from a request (RS-4). */
  readonly serverUrl: string;
  /** The identifier registered at the authorization server, where it is not the endpoint's URL. @default serverUrl */
  readonly resource?: string;
  /** Accepted `aud` values. @default the resource id and `resource` */
  readonly audiences?: readonly string[];
  /** Path of the endpoint as this process sees it, where a proxy changes it. @default the path of serverUrl */
  readonly path?: string;
  /** Further exact paths of the same server, such as those of the older SSE transport. Needed only beside other servers. */
  readonly extraPaths?: readonly string[];
  /** Exact paths, as sent, that GET and HEAD may reach without a token. @default none */
  readonly publicPaths?: readonly string[];

  /** The scopes there are. When given, rules may use no others. @default those used in rules */
  readonly scopes?: Readonly<Record<S, ScopeDescription>> | readonly S[];
  /** Scopes every request needs. @default none */
  readonly baseScopes?: readonly NoInfer<S>[];
  /** What each tool needs beside the base scopes, by its exact name. */
  readonly tools?: Readonly<Record<string, ToolRule<NoInfer<S>>>>;
  /** What unlisted tools need. @default base */
  readonly defaultPolicy?: DefaultPolicy;
  /** Tools that are refused (503) as soon as it is unknown whether a token was revoked (RS-58). @default none */
  readonly highRiskTools?: readonly string[];
  /** What other methods need beside the base scopes, such as `resources/read`. @default base scopes only */
  readonly methods?: Readonly<Record<string, MethodRule<NoInfer<S>>>>;
  /** Scopes that include others, transitively: `{ 'todo:write': ['todo:read'] }`. @default none */
  readonly impliedScopes?: Readonly<Record<string, readonly NoInfer<S>[]>>;
  /** Whether a granted `todo:*` includes every scope that begins with `todo:`. @default false */
  readonly wildcardScopes?: boolean;
  /** Name the granted scopes in a scope challenge too, for clients that would otherwise lose them (RS-40). @default false */
  readonly challengeIncludesGranted?: boolean;
  /** Refuse batches of any protocol version later than 2025-03-26. @default false */
  readonly refuseLaterBatches?: boolean;

  /** Leave tools that the caller's scopes do not allow out of answers to `tools/list` (RS-43). @default false */
  readonly hideUnpermittedTools?: boolean;
  /** Refuse requests of MCP 2026-07-28 whose `Mcp-Method` or `Mcp-Name` differs from the body (RS-37). @default false: left to the transport */
  readonly checkMcpHeaders?: boolean;
  /** Answer refused calls that had an id with a JSON-RPC error of that id (RS-53). @default false */
  readonly jsonRpcErrorBody?: boolean;
  /** Tie `Mcp-Session-Id` to the caller who created the session (RS-48). @default true */
  readonly bindSessions?: boolean;
  /** End GET streams a minute before their token does (RS-49). @default true */
  readonly closeStreamOnExpiry?: boolean;
  /** Serve the authorization server's metadata at this host too, for clients of MCP 2025-03-26 (RS-6). @default false */
  readonly proxyAsMetadata?: boolean;

  /** Following revocations; `false` accepts every token to its end. @default the feed, where Gatewarden issues the tokens and the keys are not fixed */
  readonly revocation?: RevocationOptions | false;
  /** Tokens bound to a key (RFC 9449): not looked at, accepted, or demanded. A bound token never passes as Bearer. @default off */
  readonly dpop?: 'off' | 'optional' | 'required';

  /** @default RS256 */
  readonly algorithms?: readonly SigningAlgorithm[];
  /** Tolerated difference of clocks, in seconds, 0 to 300. @default 30 */
  readonly clockSkewSeconds?: number;
  /** Accept our tokens with `typ` JWT, for a server whose `access_token_typ` says so. @default false */
  readonly allowUntyped?: boolean;
  /** Address of Gatewarden's key set. @default E/keys */
  readonly jwksUri?: string;
  /** A fixed key set instead, for tests and offline use. */
  readonly keys?: unknown;

  /** Shown to people by clients. */
  readonly name?: string;
  readonly documentationUrl?: string;
  /** The protected resource metadata to serve, as object or as JSON text. @default built from this declaration */
  readonly metadata?: Readonly<Record<string, unknown>> | string;
  /** `realm` of challenges. @default none */
  readonly realm?: string;

  /** Browser origins that may call the endpoint, or `*`. @default the server's own; loopback ones in development */
  readonly allowedOrigins?: readonly string[] | '*';
  /** Further accepted values of `Host`. @default the host of serverUrl; loopback names in development */
  readonly allowedHosts?: readonly string[];
  /** The check of `Origin` and `Host` against DNS rebinding (RS-50). @default true */
  readonly checkOrigin?: boolean;
  /** Largest request body, in bytes. @default 4194304 */
  readonly maxBodyBytes?: number;

  /** For tests. @default the clock of the machine */
  readonly now?: () => Date;
  /** For tests and proxies. @default the global fetch */
  readonly fetch?: Fetch;
  /** Told about refusals and mistakes; never gets a token. @default warnings go to the console */
  readonly log?: Log;
};

/** A declaration whose tools the compiler knows by name. */
export type DeclaredMcpServer<S extends string, T extends string> = Omit<
  McpServerOptions<S>,
  'tools'
> & { readonly tools?: { readonly [K in T]: ToolRule<NoInfer<S>> } };

/**
 * Keeps the names of a declaration's scopes checked by the compiler when it is written apart from its use, and
 * those of its tools for `declaredTools`.
 */
export function defineMcpServer<const S extends string, const T extends string = never>(
  options: McpServerOptions<S> & Pick<DeclaredMcpServer<S, T>, 'tools'>,
): DeclaredMcpServer<S, T> {
  return options;
}
