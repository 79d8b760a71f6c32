import { proxiedAsMetadata } from './as-metadata.ts';
import { type DpopRules, dpopRules } from './dpop.ts';
import { ConfigurationError } from './errors.ts';
import {
  metadataRoot,
  metadataUrlOf,
  metadataWarnings,
  protectedResourceMetadata,
} from './metadata.ts';
import { checkOptionKinds } from './option-check.ts';
import type { McpServerOptions } from './options.ts';
import type { Respond } from './request.ts';
import { revocationWatch } from './revocation-options.ts';
import type { RevocationWatch } from './revocation-watch.ts';
import { type Runtime, runtimeOf } from './runtime/defaults.ts';
import { compileScopeRules, type ScopeRules } from './scope-rules.ts';
import { type SessionBindings, sessionBindings } from './sessions.ts';
import { rememberedValidation, type TokenCheck, type TokenTally } from './token-cache.ts';
import { canonicalAudience, type KeySets, type Trust, trustedIssuers } from './trust.ts';
import { configuredUrl, isLoopbackName } from './urls.ts';

/** A declaration, checked and ready to decide with. */
export type McpServer = {
  readonly runtime: Runtime;
  readonly rules: ScopeRules;
  readonly checkToken: TokenCheck;
  readonly revocations: RevocationWatch;
  readonly trusted: ReadonlyMap<string, Trust>;
  readonly tally: TokenTally;
  readonly highRiskTools: ReadonlySet<string>;
  readonly resource: URL;
  /** Exact paths of the endpoint in this process, each with and without a trailing slash. */
  readonly paths: ReadonlySet<string>;
  /** Exact paths at which the metadata is served, beside the root. */
  readonly metadataPaths: ReadonlySet<string>;
  /** The metadata, serialised once. */
  readonly metadata: string;
  /** What challenges point to: the metadata address of the endpoint (RS-14). */
  readonly metadataUrl: string;
  readonly origin: string;
  readonly hosts: ReadonlySet<string>;
  readonly allowedOrigins: ReadonlySet<string> | '*';
  /** Served at this machine only, so that local names and origins are its own. */
  readonly loopback: boolean;
  readonly checkOrigin: boolean;
  readonly realm: string | undefined;
  readonly challengeIncludesGranted: boolean;
  readonly refuseLaterBatches: boolean;
  readonly closeStreamOnExpiry: boolean;
  /** Answers with the authorization server's metadata; undefined where that is not served (RS-6). */
  readonly asMetadata: (() => Promise<Respond>) | undefined;
  readonly checkMcpHeaders: boolean;
  readonly jsonRpcErrorBody: boolean;
  readonly hideUnpermittedTools: boolean;
  /** undefined: sessions are not bound to anybody. */
  readonly sessions: SessionBindings | undefined;
  /** undefined: bound tokens are refused (RS-54). */
  readonly dpop: DpopRules | undefined;
  readonly maxBodyBytes: number;
};

/**
 * Checks a declaration and prepares it. Writes to the log what will probably not work.
 *
 * @throws {ConfigurationError} for everything that can never work; nothing is left to fail in a request
 */
export function prepareMcpServer(options: McpServerOptions, keySets: KeySets): McpServer {
  checkOptionKinds(options);
  const runtime = runtimeOf(options);
  const endpoint = configuredUrl('serverUrl', options.serverUrl);
  const rules = compileScopeRules(options);
  const metadata = protectedResourceMetadata(options, rules.supported);
  const resource = options.resource ?? String(metadata['resource']);
  const trusted = trustedIssuers(options, resource, runtime, keySets);
  const clockSkewSeconds = numberWithin('clockSkewSeconds', options.clockSkewSeconds ?? 30, 0, 300);
  const revocations = revocationWatch(options, trusted, clockSkewSeconds, runtime);
  const tally: TokenTally = { accepted: 0, unavailable: 0, refused: new Map() };
  const accepts = (audience: string): boolean =>
    [...trusted.values()].some((trust) => trust.audiences.has(canonicalAudience(audience)));
  for (const message of metadataWarnings(
    String(metadata['resource']),
    options.serverUrl,
    accepts,
  )) {
    runtime.log({ level: 'warn', event: 'metadata_questionable', message });
  }
  return {
    runtime,
    rules,
    checkToken: rememberedValidation({ trusted, clockSkewSeconds, runtime, revocations, tally }),
    revocations,
    trusted,
    tally,
    highRiskTools: new Set(options.highRiskTools ?? []),
    resource: URL.canParse(resource) ? new URL(resource) : endpoint,
    paths: new Set(
      [options.path ?? endpoint.pathname, ...(options.extraPaths ?? [])].flatMap(slashed),
    ),
    metadataPaths: new Set(
      [endpoint.pathname, options.path ?? endpoint.pathname].flatMap((path) =>
        slashed(`${metadataRoot}${path}`),
      ),
    ),
    metadata: JSON.stringify(metadata),
    metadataUrl: metadataUrlOf(options.serverUrl),
    origin: endpoint.origin,
    hosts: new Set(
      [endpoint.host, ...(options.allowedHosts ?? [])].map((host) => host.toLowerCase()),
    ),
    allowedOrigins:
      options.allowedOrigins === '*' ? '*' : new Set((options.allowedOrigins ?? []).map(originOf)),
    loopback: isLoopbackName(endpoint.hostname),
    checkOrigin: options.checkOrigin ?? true,
    realm: options.realm,
    challengeIncludesGranted: options.challengeIncludesGranted ?? false,
    refuseLaterBatches: options.refuseLaterBatches ?? false,
    closeStreamOnExpiry: options.closeStreamOnExpiry ?? true,
    asMetadata: proxiedAsMetadata(options, runtime),
    checkMcpHeaders: options.checkMcpHeaders ?? false,
    jsonRpcErrorBody: options.jsonRpcErrorBody ?? false,
    hideUnpermittedTools: options.hideUnpermittedTools ?? false,
    sessions: (options.bindSessions ?? true) ? sessionBindings() : undefined,
    dpop: dpopRules(options, clockSkewSeconds, runtime),
    maxBodyBytes: numberWithin('maxBodyBytes', options.maxBodyBytes ?? 4_194_304, 1, 1_073_741_824),
  };
}

/**
 * Puts the tool rules of a declaration into a server that is at work.
 *
 * @throws {ConfigurationError} rules that cannot work, which change nothing
 */
export function useToolRules(server: McpServer, options: McpServerOptions): void {
  checkOptionKinds(options);
  const rules = compileScopeRules(options);
  const metadata = JSON.stringify(protectedResourceMetadata(options, rules.supported));
  Object.assign(server, { rules, metadata, highRiskTools: new Set(options.highRiskTools) });
}

/** A path with and without one trailing slash; nothing else is ever treated as equal. */
function slashed(path: string): string[] {
  if (!path.startsWith('/'))
    throw new ConfigurationError('invalid_option', `the path ${path} must begin with a slash`);
  const bare = path.replace(/\/$/, '');
  return bare === '' ? ['/'] : [bare, `${bare}/`];
}

function originOf(text: string): string {
  const { origin } = URL.canParse(text) ? new URL(text) : { origin: 'null' };
  if (origin === 'null' || origin !== text.toLowerCase().replace(/\/$/, '')) {
    throw new ConfigurationError(
      'invalid_option',
      `allowedOrigins has ${JSON.stringify(text)}, which is not an origin`,
    );
  }
  return origin;
}

function numberWithin(option: string, value: number, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  throw new ConfigurationError(
    'invalid_option',
    `${option} must be a number from ${least} to ${most}`,
  );
}
