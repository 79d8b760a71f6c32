import type { FastifyReply, FastifyRequest } from 'fastify';
import { edgeOf, type Site } from './edge.ts';

export type CookieOptions = {
  /** Seconds until the browser forgets it; without, it goes when the browser closes. */
  readonly maxAge?: number;
};

const NAME = /^[a-z][a-z0-9-]*$/;
const VALUE = /^[A-Za-z0-9_.~-]{0,3000}$/;

/**
 * The name of one of our cookies (AS-130). On https it has the `__Host-` prefix, which ties it to this host, to Secure and to
 * Path=/. On http, which only development on loopback uses, browsers refuse the prefix, and cookies of all ports of a host are
 * shared: there the name carries the port.
 */
export function cookieName(site: Site, name: string): string {
  if (!NAME.test(name)) throw new Error(`"${name}" is not a cookie name of ours`);
  const url = new URL(site.issuer);
  const environment = site.sharesHost ? `${site.environmentId}-` : '';
  if (url.protocol === 'https:') return `__Host-gatewarden-${environment}${name}`;
  return `gatewarden-${url.port || '80'}-${environment}${name}`;
}

/** Sets a cookie: HttpOnly, SameSite=Lax, host only, and Secure on https. The value is a random secret or an id, never text. */
export function setCookie(
  request: FastifyRequest,
  reply: FastifyReply,
  name: string,
  value: string,
  options: CookieOptions = {},
): void {
  if (!VALUE.test(value))
    throw new Error(`the value of cookie "${name}" has characters a cookie cannot carry`);
  const site = edgeOf(request);
  const parts = [`${cookieName(site, name)}=${value}`, 'Path=/', 'HttpOnly', 'SameSite=Lax'];
  if (site.issuer.startsWith('https:')) parts.push('Secure');
  if (options.maxAge !== undefined) parts.push(`Max-Age=${Math.floor(options.maxAge)}`);
  reply.header('set-cookie', parts.join('; '));
}

/** Makes the browser forget a cookie. */
export function clearCookie(request: FastifyRequest, reply: FastifyReply, name: string): void {
  setCookie(request, reply, name, '', { maxAge: 0 });
}

/**
 * The value of one of our cookies.
 *
 * @returns undefined when it is absent, empty, of a form we never set, or sent twice with different values (on http, where
 *   the prefix does not protect the name, somebody may have planted a second one)
 */
export function readCookie(request: FastifyRequest, name: string): string | undefined {
  return cookieIn(request.headers.cookie, cookieName(edgeOf(request), name));
}

/** The same from the header itself, for calls that are not pages; `wanted` is the whole name, see `cookieName`. */
export function cookieIn(header: string | undefined, wanted: string): string | undefined {
  if (header === undefined) return undefined;
  let found: string | undefined;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    if (equals < 0 || pair.slice(0, equals).trim() !== wanted) continue;
    const value = pair.slice(equals + 1).trim();
    if (found !== undefined && found !== value) return undefined;
    found = value;
  }
  return found !== undefined && found !== '' && VALUE.test(found) ? found : undefined;
}
