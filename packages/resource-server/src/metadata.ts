import { proofAlgorithms } from './dpop.ts';
import { ConfigurationError } from './errors.ts';
import type { McpServerOptions } from './options.ts';
import { isRecord } from './strict-json.ts';
import { ownIssuers } from './trust.ts';
import { configuredUrl, isSecureOrLoopback } from './urls.ts';

/** Where RFC 9728 §3 puts the document: before the path of the resource. */
export const metadataRoot = '/.well-known/oauth-protected-resource';

/**
 * The protected resource metadata of one server (RFC 9728 §2): as given, or built from the declaration.
 *
 * @throws {ConfigurationError} invalid_metadata: not JSON, or without resource and authorization servers
 */
export function protectedResourceMetadata(
  options: McpServerOptions,
  supported: readonly string[],
): Readonly<Record<string, unknown>> {
  const dpop = dpopMembers(options.dpop);
  if (options.metadata !== undefined) return { ...dpop, ...givenMetadata(options.metadata) };
  const own = ownIssuers(options);
  const issuers = [
    ...(own ? [own.resource] : []),
    ...(options.issuers ?? []).map(({ issuer }) => issuer),
  ];
  // offline_access asks the authorization server for a refresh token; it is no scope of this server.
  const scopes = supported.filter((scope) => scope !== 'offline_access');
  return {
    resource: options.resource ?? options.serverUrl,
    authorization_servers: issuers,
    bearer_methods_supported: ['header'],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    ...(options.documentationUrl === undefined
      ? {}
      : { resource_documentation: options.documentationUrl }),
    ...(options.name === undefined ? {} : { resource_name: options.name }),
    ...dpop,
  };
}

function dpopMembers(mode: McpServerOptions['dpop']): Readonly<Record<string, unknown>> {
  if (mode === undefined || mode === 'off') return {};
  return {
    dpop_signing_alg_values_supported: proofAlgorithms,
    dpop_bound_access_tokens_required: mode === 'required',
  };
}

function givenMetadata(
  given: Readonly<Record<string, unknown>> | string,
): Readonly<Record<string, unknown>> {
  const document = typeof given === 'string' ? parse(given) : given;
  if (!isRecord(document)) throw wrong('is not a JSON object');
  const { resource, authorization_servers: servers } = document;
  if (typeof resource !== 'string' || resource === '') throw wrong('has no resource');
  const names: readonly unknown[] = Array.isArray(servers) ? servers : [];
  const usable = names.every(
    (name) => typeof name === 'string' && URL.canParse(name) && isSecureOrLoopback(new URL(name)),
  );
  if (names.length === 0 || !usable)
    throw wrong('needs authorization_servers with https addresses');
  return document;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw wrong('is not JSON');
  }
}

function wrong(what: string): ConfigurationError {
  return new ConfigurationError('invalid_metadata', `the protected resource metadata ${what}`);
}

/** The address of the metadata of an endpoint, which challenges point to (RS-14). */
export function metadataUrlOf(serverUrl: string): string {
  const { origin, pathname } = configuredUrl('serverUrl', serverUrl);
  return `${origin}${metadataRoot}${pathname === '/' ? '' : pathname}`;
}

/**
 * What is likely to make clients refuse the document (RFC 9728 §3.3): they compare `resource` with the URL
 * a person typed, and the authorization server puts it into `aud` (RS-3).
 */
export function metadataWarnings(
  resource: string,
  serverUrl: string,
  accepts: (audience: string) => boolean,
): string[] {
  const warnings: string[] = [];
  const endpoint = configuredUrl('serverUrl', serverUrl);
  if (!isSecureOrLoopback(endpoint))
    warnings.push('serverUrl is neither https nor loopback: MCP clients refuse it');
  if (!URL.canParse(resource) || !isSameOrAbove(new URL(resource), endpoint)) {
    warnings.push(
      'the resource of the metadata is not the URL of the endpoint or a parent of it: clients that compare them will refuse',
    );
  }
  if (!accepts(resource)) {
    warnings.push(
      'the resource of the metadata is not an accepted audience: tokens issued for it will be refused',
    );
  }
  return warnings;
}

function isSameOrAbove(resource: URL, endpoint: URL): boolean {
  if (resource.origin !== endpoint.origin || resource.search !== '') return false;
  if (resource.pathname === endpoint.pathname) return true;
  const parent = resource.pathname.replace(/\/$/, '');
  return endpoint.pathname.startsWith(`${parent}/`);
}
