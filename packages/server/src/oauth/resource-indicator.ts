import { isLoopbackHost } from '../runtime/config.ts';

const LONGEST_RESOURCE = 2048;

/** An absolute http(s) URI in pieces, as compared (AS-36): lower-case scheme and host, no default port, path as given. */
type ParsedResource = { readonly scheme: string; readonly host: string; readonly path: string };

/**
 * Reads a `resource` value (RFC 8707 section 2, AS-35, AS-36) from its raw text; a URL parser would already have repaired what
 * must be refused: user info, query, fragment, dot segments, encoded dots and slashes, backslashes, control and non-ASCII
 * characters, a trailing dot in the host.
 */
function parseResource(text: string): ParsedResource | undefined {
  if (text.length > LONGEST_RESOURCE || !/^[\x21-\x7e]+$/.test(text)) return undefined;
  const parts = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#\\@]+)(\/[^?#\\]*)?$/.exec(text);
  if (!parts) return undefined;
  const [, scheme = '', authority = '', path = ''] = parts;
  const lowerScheme = scheme.toLowerCase();
  const split = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::([0-9]{1,5}))?$/.exec(authority);
  const name = split?.[1]?.toLowerCase();
  const port = split?.[2];
  if (name === undefined || name.endsWith('.') || !/^(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)$/.test(name))
    return undefined;
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65535)) return undefined;
  if (lowerScheme !== 'https' && !(lowerScheme === 'http' && isLoopbackHost(name)))
    return undefined;
  if (
    /%(2e|2f|5c)/i.test(path) ||
    path.split('/').some((segment) => segment === '.' || segment === '..')
  )
    return undefined;
  const defaultPort = lowerScheme === 'https' ? '443' : '80';
  return {
    scheme: lowerScheme,
    host:
      port === undefined || String(Number(port)) === defaultPort ? name : `${name}:${Number(port)}`,
    path,
  };
}

/** The key under which two spellings of one resource are equal: an empty path is `/`, one trailing slash does not count. */
export function resourceKey(text: string): string | undefined {
  const parsed = parseResource(text);
  return parsed && `${parsed.scheme}://${parsed.host}${parsed.path.replace(/\/$/, '')}`;
}

/** Every text that has this key, in lower case: with the default port or without, with a slash at its end or without. */
export function spellingsOf(key: string): string[] {
  const [, scheme = '', host = '', path = ''] = /^([a-z]+):\/\/([^/]+)(.*)$/.exec(key) ?? [];
  const port = scheme === 'https' ? ':443' : ':80';
  const hosts = /:[0-9]+$/.test(host) ? [host] : [host, `${host}${port}`];
  return hosts.flatMap((name) => {
    const text = `${scheme}://${name}${path}`.toLowerCase();
    return [text, `${text}/`];
  });
}

/** Whether a value lies below a resource, on a segment boundary, or names it. Both are keys. */
export function isAtOrBelow(key: string, ancestorKey: string): boolean {
  return key === ancestorKey || key.startsWith(`${ancestorKey}/`);
}

/** The key and every key above it, the closest first, down to the origin. */
export function ancestorKeys(key: string): string[] {
  const origin = /^[a-z]+:\/\/[^/]+/.exec(key)?.[0] ?? key;
  const keys = [key];
  for (let current = key; current.length > origin.length; ) {
    current = current.slice(0, current.lastIndexOf('/'));
    keys.push(current);
  }
  return keys;
}

/** Whether the key has a path of its own. */
export function hasPath(key: string): boolean {
  return key.replace(/^[a-z]+:\/\//, '').includes('/');
}

/** Whether a well-formed resource is on this machine. */
export function isLoopbackResource(text: string): boolean {
  const parsed = parseResource(text);
  return parsed !== undefined && isLoopbackHost(parsed.host.replace(/:[0-9]+$/, ''));
}

/** Why a value cannot be registered as a Server URL (AS-148); absent when it can. */
export function serverUrlProblem(
  text: string,
  environment: { readonly url: string; readonly kind: 'DEVELOPMENT' | 'PRODUCTION' },
): string | undefined {
  const parsed = parseResource(text);
  if (!parsed)
    return 'the Server URL must be an absolute https URL without user info, query, fragment, dot segments or encoded slashes';
  if (parsed.scheme === 'http' && environment.kind !== 'DEVELOPMENT')
    return 'an http Server URL is accepted only on loopback in a development environment';
  const own = parseResource(environment.url);
  if (own && own.scheme === parsed.scheme && own.host === parsed.host)
    return "the Server URL must not be on the environment's own origin";
  return undefined;
}

/** Prefixes and values that no configured audience may have (AS-148). */
export function isReservedAudience(
  value: string,
  environment: { readonly id: string; readonly url: string },
): boolean {
  const key = resourceKey(value);
  const own = resourceKey(environment.url);
  if (
    value === environment.id ||
    value === environment.url ||
    value.startsWith(`${environment.url}/`)
  )
    return true;
  if (key !== undefined && own !== undefined && isAtOrBelow(key, own)) return true;
  return /^(res|skc|m2m|m2morg|usr)_/.test(value);
}
