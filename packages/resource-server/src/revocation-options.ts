import { ConfigurationError } from './errors.ts';
import { askAboutTokens, type Introspection } from './introspection.ts';
import type { McpServerOptions, RevocationOptions } from './options.ts';
import { followFeed } from './revocation-feed.ts';
import { notFollowed, type RevocationWatch, watchRevocations } from './revocation-watch.ts';
import type { Runtime } from './runtime/defaults.ts';
import { isRecord } from './strict-json.ts';
import { ownIssuers, type Trust } from './trust.ts';
import { configuredSecureUrl } from './urls.ts';

const known = ['feedUrl', 'maxStaleSeconds', 'onStale', 'introspection'];
const knownOfIntrospection = ['endpoint', 'clientId', 'clientSecret', 'cacheSeconds'];

/**
 * What watches over the revocations of one server (RS-25): by default the feed, where Gatewarden issues
 * the tokens and the keys are not fixed.
 *
 * @throws {ConfigurationError} invalid_option, invalid_url
 */
export function revocationWatch(
  options: McpServerOptions,
  trusted: ReadonlyMap<string, Trust>,
  clockSkewSeconds: number,
  runtime: Runtime,
): RevocationWatch {
  const given: unknown = options.revocation;
  if (given === false) return notFollowed;
  const revocation = given === undefined ? undefined : checkedOptions(options.revocation);
  const own = ownIssuers(options);
  const trust = own && trusted.get(own.environment);
  if (!own || !trust) {
    if (revocation) throw invalid('revocation is only for tokens of environmentUrl');
    return notFollowed;
  }
  if (options.keys !== undefined && !revocation) return notFollowed;
  const audience = `${own.resource}/revocations`;
  const feed = followFeed({
    url: configuredSecureUrl('revocation.feedUrl', revocation?.feedUrl ?? audience).href,
    runtime,
    rules: {
      keys: trust.keys,
      algorithms: trust.algorithms,
      issuer: own.environment,
      audience,
      clockSkewSeconds,
    },
  });
  return watchRevocations({
    feed,
    runtime,
    issuers: [own.environment, own.resource],
    maxStaleSeconds: within('maxStaleSeconds', revocation?.maxStaleSeconds ?? 900, 60, 86_400),
    open: revocation?.onStale === 'open',
    introspection: introspection(revocation, own.resource, runtime),
  });
}

function introspection(
  revocation: RevocationOptions | undefined,
  resource: string,
  runtime: Runtime,
): Introspection | undefined {
  const given = revocation?.introspection;
  if (!given) return undefined;
  const { endpoint = `${resource}/oauth/introspect`, clientId, clientSecret } = given;
  return askAboutTokens({
    runtime,
    endpoint: configuredSecureUrl('revocation.introspection.endpoint', endpoint).href,
    clientId,
    clientSecret,
    cacheSeconds: within('introspection.cacheSeconds', given.cacheSeconds ?? 2, 0, 60),
  });
}

/** Checks what the compiler checks, for declarations it has not seen. */
function checkedOptions(given: RevocationOptions | false | undefined): RevocationOptions {
  if (!isRecord(given)) throw invalid('revocation must be false or an object');
  refuseUnknown('revocation', given, known);
  if (given.feedUrl !== undefined && typeof given.feedUrl !== 'string')
    throw invalid('revocation.feedUrl must be a text');
  if (given.onStale !== undefined && given.onStale !== 'open' && given.onStale !== 'closed')
    throw invalid('revocation.onStale must be closed or open');
  const credential: unknown = given.introspection;
  if (credential === undefined) return given;
  if (!isRecord(credential)) throw invalid('revocation.introspection must be an object');
  refuseUnknown('revocation.introspection', credential, knownOfIntrospection);
  for (const name of ['clientId', 'clientSecret']) {
    const value = credential[name];
    if (typeof value !== 'string' || value === '')
      throw invalid(`revocation.introspection.${name} is missing`);
  }
  return given;
}

function refuseUnknown(where: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) throw invalid(`${where} has the unknown option ${unknown}`);
}

function within(name: string, value: number, least: number, most: number): number {
  if (Number.isFinite(value) && value >= least && value <= most) return value;
  throw invalid(`revocation.${name} must be a number from ${least} to ${most}`);
}

function invalid(message: string): ConfigurationError {
  return new ConfigurationError('invalid_option', message);
}
