import { domainToUnicode } from 'node:url';
import { getDomain } from 'tldts';

/** Where a client wants the browser sent, in the three kinds a person can be told apart (AS-126). */
export type RedirectTarget =
  | {
      kind: 'web';
      /** Host as it goes on the wire (lower case, punycode), without port. */
      host: string;
      /** Registrable domain by the public suffix list with its private section; the host itself when it has none. */
      domain: string;
      /** Unicode form, only for internationalised hosts. Shown beside the punycode, never instead of it. */
      unicode?: string | undefined;
      /** Only when it is not the scheme's own. */
      port?: string | undefined;
    }
  | { kind: 'loopback'; port?: string | undefined }
  | { kind: 'app'; scheme: string };

/**
 * Describes a redirect URI that was already checked. Loopback is exactly what AS-50 calls loopback.
 * Text that is no URI at all is shown as an app with an unknown scheme and never becomes a link.
 */
export function redirectTarget(uri: string): RedirectTarget {
  if (!URL.canParse(uri)) return { kind: 'app', scheme: '?' };
  const url = new URL(uri);
  const port = url.port === '' ? undefined : url.port;
  if (url.protocol === 'http:' && LOOPBACK.has(url.hostname)) return { kind: 'loopback', port };
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    return { kind: 'app', scheme: url.protocol.slice(0, -1) };
  const host = url.hostname;
  const unicode = domainToUnicode(host);
  return {
    kind: 'web',
    host,
    domain: getDomain(host, { allowPrivateDomains: true }) ?? host,
    unicode: unicode === host || unicode === '' ? undefined : unicode,
    port,
  };
}

/** The target as one short plain text: for the tick "I know {host}", links and mails. */
export function redirectLabel(target: RedirectTarget): string {
  if (target.kind === 'web') {
    const host = `${shortFront(target)}${target.domain}`;
    return target.port === undefined ? host : `${host}:${target.port}`;
  }
  if (target.kind === 'loopback') {
    return target.port === undefined ? 'localhost' : `localhost:${target.port}`;
  }
  return `${target.scheme}:`;
}

/**
 * What stands before the registrable domain. A very long one loses its beginning, never its end: a stranger
 * chooses it freely and could push the domain that matters out of sight.
 */
export function shortFront(target: Extract<RedirectTarget, { kind: 'web' }>): string {
  const front = target.host.slice(0, Math.max(0, target.host.length - target.domain.length));
  return front.length > FRONT_MAX ? `…${front.slice(1 - FRONT_MAX)}` : front;
}

const FRONT_MAX = 32;
const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);
