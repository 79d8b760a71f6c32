import { isSigningAlgorithm, type SigningAlgorithm } from './algorithms.ts';
import { discoverKeySet } from './discovery.ts';
import { ConfigurationError } from './errors.ts';
import { fetchedKeys, type IssuerKeys, staticKeys } from './issuer-keys.ts';
import type { McpServerOptions } from './options.ts';
import type { Runtime } from './runtime/defaults.ts';
import { configuredSecureUrl } from './urls.ts';

/** What is believed about one issuer. */
export type Trust = {
  readonly keys: IssuerKeys;
  readonly audiences: ReadonlySet<string>;
  readonly algorithms: ReadonlySet<SigningAlgorithm>;
  readonly allowUntyped: boolean;
  /** Our own authorization server: its tokens have fixed claim names (RS-22, RS-24). */
  readonly own: boolean;
  /** The drop-in call of the SDK (RS-28): one scope claim is enough, and its caller compares the audience. */
  readonly dropIn?: true;
};

/** Key sets are shared between the servers of one process, by their address or by the issuer that names it. */
export type KeySets = Map<string, IssuerKeys>;

/** E without a trailing slash, and R, the issuer of one MCP server below it. */
export function ownIssuers(
  options: McpServerOptions,
): { environment: string; resource: string } | undefined {
  const { environmentUrl, resourceId } = options;
  if (environmentUrl === undefined && resourceId === undefined) return undefined;
  if (environmentUrl === undefined || resourceId === undefined) {
    const missing = environmentUrl === undefined ? 'environmentUrl' : 'resourceId';
    throw new ConfigurationError('missing_issuer', `${missing} is missing`);
  }
  if (!/^res_[0-9A-Za-z]{1,64}$/.test(resourceId)) {
    throw new ConfigurationError(
      'invalid_resource_id',
      'resourceId must look like res_ followed by digits',
    );
  }
  const url = configuredSecureUrl('environmentUrl', environmentUrl);
  const environment = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  return { environment, resource: `${environment}/resources/${resourceId}` };
}

/**
 * Collects the trusted issuers of one server by their exact name (RS-18).
 *
 * @throws {ConfigurationError} missing_issuer, missing_audience, duplicate_issuer, invalid_url, invalid_option
 */
export function trustedIssuers(
  options: McpServerOptions,
  resource: string,
  runtime: Runtime,
  keySets: KeySets,
): ReadonlyMap<string, Trust> {
  const trusted = new Map<string, Trust>();
  const own = ownIssuers(options);
  if (own) {
    const keySet = options.jwksUri ?? `${own.environment}/keys`;
    const trust: Trust = {
      keys: options.keys
        ? staticKeys(options.keys)
        : shared(keySets, runtime, configuredSecureUrl('jwksUri', keySet).href),
      audiences: audienceSet(options.audiences ?? [options.resourceId ?? '', resource]),
      algorithms: algorithmSet(options.algorithms),
      allowUntyped: options.allowUntyped ?? false,
      own: true,
    };
    trusted.set(own.environment, trust);
    trusted.set(own.resource, trust); // never another server's R
  }
  for (const foreign of options.issuers ?? []) {
    configuredSecureUrl('issuers[].issuer', foreign.issuer);
    if (trusted.has(foreign.issuer)) {
      throw new ConfigurationError('duplicate_issuer', 'an issuer is configured twice');
    }
    trusted.set(foreign.issuer, {
      keys: foreign.keys ? staticKeys(foreign.keys) : foreignKeys(foreign, runtime, keySets),
      audiences: audienceSet(foreign.audiences ?? options.audiences ?? [resource]),
      algorithms: algorithmSet(foreign.algorithms ?? options.algorithms),
      allowUntyped: foreign.allowUntyped ?? false,
      own: false,
    });
  }
  if (trusted.size === 0) {
    throw new ConfigurationError(
      'missing_issuer',
      'give environmentUrl and resourceId, or issuers',
    );
  }
  return trusted;
}

function foreignKeys(
  foreign: { issuer: string; jwksUri?: string },
  runtime: Runtime,
  keySets: KeySets,
): IssuerKeys {
  if (foreign.jwksUri !== undefined) {
    return shared(keySets, runtime, configuredSecureUrl('issuers[].jwksUri', foreign.jwksUri).href);
  }
  const name = `discovered from ${foreign.issuer}`;
  const known = keySets.get(name) ?? fetchedKeys(runtime, discoverKeySet(runtime, foreign.issuer));
  keySets.set(name, known);
  return known;
}

function shared(keySets: KeySets, runtime: Runtime, url: string): IssuerKeys {
  const known = keySets.get(url) ?? fetchedKeys(runtime, async () => url);
  keySets.set(url, known);
  return known;
}

function algorithmSet(algorithms: readonly string[] = ['RS256']): ReadonlySet<SigningAlgorithm> {
  if (algorithms.length === 0 || !algorithms.every(isSigningAlgorithm)) {
    throw new ConfigurationError(
      'invalid_option',
      'algorithms must list RS, PS, ES or EdDSA signature algorithms',
    );
  }
  return new Set(algorithms);
}

function audienceSet(audiences: readonly string[]): ReadonlySet<string> {
  if (
    audiences.length === 0 ||
    audiences.some((audience) => typeof audience !== 'string' || audience === '')
  ) {
    throw new ConfigurationError(
      'missing_audience',
      'at least one audience must be configured, none may be empty',
    );
  }
  return new Set(audiences.map(canonicalAudience));
}

/** Audiences are compared exactly, except that a bare origin equals the same origin with a slash (RS-19). */
export function canonicalAudience(audience: string): string {
  return /^https?:\/\/[^/?#]+\/$/.test(audience) ? audience.slice(0, -1) : audience;
}
