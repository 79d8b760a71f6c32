import {
  ConfigurationError,
  type GuardEvent,
  type McpServerOptions,
} from '@gatewarden/resource-server';
import type { AccessEntry } from './access-log.ts';

/** How the MCP server is protected: the options of the resource server library, whose decisions are the only ones. */
export type ProtectOptions = Omit<
  McpServerOptions,
  'serverUrl' | 'path' | 'extraPaths' | 'publicPaths'
> & {
  /** Public URL of the MCP endpoint. @default http://localhost:PORT/mcp */
  readonly serverUrl?: string;
};

export type ProxyOptions = {
  /** Address of the MCP endpoint behind the proxy, http or https, with its path. Its query is sent as it is. */
  readonly upstream: string;
  /** Port to listen at; 0 takes a free one. */
  readonly port: number;
  /** Address to listen at. @default 127.0.0.1 */
  readonly host?: string;
  /** Issuer, audience, scopes, origins: everything that decides. */
  readonly protect: ProtectOptions;
  /** YAML or JSON file of tool scopes; its rules take the place of `protect.tools` and `protect.defaultPolicy`. @default none */
  readonly toolsFile?: string;

  /** Headers added to every request to the upstream, such as a static key. @default none */
  readonly upstreamHeaders?: readonly (readonly [name: string, value: string])[];
  /** Further headers that may pass, both ways, beside those that MCP needs. @default none */
  readonly forwardHeaders?: readonly string[];
  /** Whether the upstream is told who calls, by a short-lived signed `X-Gatewarden-Identity`. @default none */
  readonly identity?: 'none' | 'signed';
  /** PEM of a P-256 private key (PKCS #8) that signs identities. @default a new one at each start */
  readonly identityKey?: string;

  /** Port of /healthz, /readyz, /metrics and the identity key set; 0 takes a free one. @default none of them is served */
  readonly managementPort?: number;
  /** @default 127.0.0.1 */
  readonly managementHost?: string;

  /** Limit for connecting (10 s at most) and for the first byte of a response, in milliseconds. @default 120000 */
  readonly upstreamTimeoutMs?: number;
  /** Longest silence of a response that has begun, and of a client that does not read it, in milliseconds. @default 900000 */
  readonly idleTimeoutMs?: number;
  /** Limit for the head of a request, in milliseconds. @default 15000 */
  readonly headersTimeoutMs?: number;
  /** Limit for a whole request, head and body, in milliseconds. @default 60000 */
  readonly requestTimeoutMs?: number;
  /** Connections of clients; further ones are closed at once. @default 1000 */
  readonly maxConnections?: number;
  /** How long `close` waits for requests and streams, in milliseconds. @default 10000 */
  readonly shutdownGraceMs?: number;

  /** Told about every request at the endpoint. @default nobody */
  readonly accessLog?: (entry: AccessEntry) => void;
  /** Told about mistakes, refusals and failures of the upstream. Never gets a token. @default warnings go to the console */
  readonly log?: (event: GuardEvent) => void;
  /** For tests. @default the clock of the machine */
  readonly now?: () => Date;
};

export type Limits = {
  readonly upstreamTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly maxConnections: number;
  readonly shutdownGraceMs: number;
};

const day = 86_400_000;

/** @throws {ConfigurationError} invalid_option: a number outside of its range */
export function limitsOf(options: ProxyOptions): Limits {
  return {
    upstreamTimeoutMs: within('upstreamTimeoutMs', options.upstreamTimeoutMs ?? 120_000, 1, day),
    idleTimeoutMs: within('idleTimeoutMs', options.idleTimeoutMs ?? 900_000, 1, day),
    headersTimeoutMs: within('headersTimeoutMs', options.headersTimeoutMs ?? 15_000, 1, day),
    requestTimeoutMs: within('requestTimeoutMs', options.requestTimeoutMs ?? 60_000, 1, day),
    maxConnections: within('maxConnections', options.maxConnections ?? 1_000, 1, 1_000_000),
    shutdownGraceMs: within('shutdownGraceMs', options.shutdownGraceMs ?? 10_000, 0, day),
  };
}

function within(option: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ConfigurationError(
    'invalid_option',
    `${option} must be a whole number from ${least} to ${most}`,
  );
}

/**
 * Reads the address of the upstream.
 *
 * @throws {ConfigurationError} invalid_url: not absolute http(s), or with user information or a fragment
 */
export function upstreamUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const http = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (!url || !http || url.username || url.password || /[#\s]/.test(text)) {
    // The value is not repeated: it may hold a password.
    throw new ConfigurationError(
      'invalid_url',
      'upstream must be an absolute http(s) URL without user information or fragment',
    );
  }
  return url;
}

/** Whether a URL goes over a network in clear text. */
export function isClearText(url: URL): boolean {
  return url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}

/** Whether a name or address, as given to `listen`, is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}
