/** What a URL must be to be fetched for a stranger. */
export type UrlRules = {
  /** http and https on localhost, 127.0.0.1 and [::1] with any port are fetched too (development only). */
  readonly allowLoopback: boolean;
  /** Hosts that the operator vouches for, with the port where it is none of 80 and 443: http, any port and any address there are fine. */
  readonly trustedHosts?: readonly string[] | undefined;
};

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]']);
const LONGEST = 2048;

/**
 * Why a URL is not fetched, as a sentence (AS-70, AS-72); undefined when it may be tried. Reads the raw text: a URL parser
 * repairs dot segments, backslashes and odd spellings of addresses, which must be refused.
 */
export function fetchUrlProblem(text: string, rules: UrlRules): string | undefined {
  if (text.length > LONGEST) return `it is longer than ${LONGEST} characters`;
  if (!/^[\x21-\x7e]+$/.test(text)) return 'it has spaces, control or non-ASCII characters';
  const parts = /^(https?):\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/.exec(text);
  if (!parts) return 'it is not an https URL in its plain form';
  const [, scheme, authority = '', path = '', , fragment] = parts;
  if (fragment !== undefined) return 'it has a fragment';
  if (authority.includes('@')) return 'it has user info';
  if (/[\\"<>^`{|}]/.test(text)) return 'it has characters that a URL cannot have';
  const split = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([0-9]{1,5}))?$/.exec(authority);
  const host = split?.[1];
  if (host === undefined) return 'its host is not a name in lower case';
  if (path.split('/').some(isDotSegment)) return 'its path has dot segments';
  if (!URL.canParse(text)) return 'it is not a URL';
  const url = new URL(text);
  // The parser may read another host than is written: 0x7f.1, 127.1, 2130706433.
  if (url.hostname !== host) return 'its host is not written in its plain form';
  if (rules.allowLoopback && LOOPBACK_HOSTS.has(host)) return undefined;
  if (rules.trustedHosts?.includes(url.host)) return undefined;
  if (scheme !== 'https') return 'it is not https';
  if (host.startsWith('[') || /^[0-9.]+$/.test(host))
    return 'its host is an address and not a name';
  if (host === 'localhost' || host.endsWith('.localhost')) return 'its host is this machine';
  if (!host.includes('.') || host.startsWith('.') || host.endsWith('.') || host.includes('..')) {
    return 'its host is not a complete name';
  }
  return url.port === '' ? undefined : 'its port is not 443';
}

/** Whether a URL that passed `fetchUrlProblem` is on this machine. */
export function isLoopbackUrl(url: URL): boolean {
  return LOOPBACK_HOSTS.has(url.hostname);
}

function isDotSegment(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment);
}
