import { wellKnownByScheme } from './well-known-clients.ts';

export type RedirectKind = 'https' | 'loopback' | 'private-use';
export type PrivateUseSchemes = 'known' | 'allow' | 'deny';

const LONGEST_REDIRECT_URI = 2048;
/** Response parameters that a registered query must not carry (AS-53). */
const RESPONSE_PARAMETERS = [
  'code',
  'state',
  'iss',
  'error',
  'error_description',
  'error_uri',
  'id_token',
  'access_token',
  'response',
];
const LOOPBACK =
  /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(\/[^?#]*)?(\?[^#]*)?$/;
/** Schemes that reach something other than an application of the person (AS-53). Compared in lower case; a final `-` stands for a family. */
const DENIED_SCHEMES = new Set([
  'javascript',
  'data',
  'file',
  'vbscript',
  'blob',
  'about',
  'ftp',
  'sftp',
  'ftps',
  'ws',
  'wss',
  'mailto',
  'tel',
  'sms',
  'view-source',
  'chrome',
  'chrome-extension',
  'moz-extension',
  'edge',
  'resource',
  'jar',
  'intent',
  'android-app',
  'market',
  'search',
  'search-ms',
  'shell',
  'smb',
  'ssh',
  'ldap',
  'ldaps',
  'vnc',
  'rdp',
  'filesystem',
]);
const DENIED_FAMILIES = ['itms-', 'ms-', 'itms'];
/** Registered with IANA for other uses and not on the list above; a redirect there would not reach the application. */
const IANA_SCHEMES = new Set([
  'aaa',
  'aaas',
  'acap',
  'acct',
  'afp',
  'aim',
  'bitcoin',
  'bolo',
  'cap',
  'cid',
  'coap',
  'coaps',
  'content',
  'crid',
  'cvs',
  'dav',
  'dict',
  'dns',
  'dntp',
  'doi',
  'drm',
  'dtn',
  'ed2k',
  'ethereum',
  'example',
  'facetime',
  'feed',
  'finger',
  'geo',
  'gg',
  'git',
  'gizmoproject',
  'go',
  'gopher',
  'h323',
  'hcp',
  'http',
  'https',
  'iax',
  'icap',
  'imap',
  'im',
  'info',
  'ipn',
  'ipp',
  'ipps',
  'irc',
  'irc6',
  'ircs',
  'iris',
  'jabber',
  'jms',
  'keyparc',
  'lastfm',
  'magnet',
  'maps',
  'matrix',
  'message',
  'mid',
  'mms',
  'modem',
  'mongodb',
  'msrp',
  'mtqp',
  'mumble',
  'mupdate',
  'mvn',
  'news',
  'nfs',
  'ni',
  'nih',
  'nntp',
  'notes',
  'oid',
  'opaquelocktoken',
  'openid',
  'otpauth',
  'pkcs11',
  'platform',
  'pop',
  'pres',
  'proxy',
  'psyc',
  'query',
  'redis',
  'rediss',
  'reload',
  'rmi',
  'rsync',
  'rtmp',
  'rtsp',
  'secondlife',
  'service',
  'session',
  'sftp',
  'sip',
  'sips',
  'skype',
  'snmp',
  'soap.beep',
  'spotify',
  'steam',
  'stun',
  'stuns',
  'svn',
  'swh',
  'tag',
  'teamspeak',
  'telnet',
  'tftp',
  'tip',
  'tool',
  'turn',
  'turns',
  'udp',
  'unreal',
  'upn',
  'urn',
  'ut2004',
  'uuid-in-package',
  'vemmi',
  'ventrilo',
  'web3',
  'webcal',
  'wifi',
  'wpid',
  'wtai',
  'xcon',
  'xfire',
  'xmlrpc.beep',
  'xmpp',
  'xri',
  'ymsgr',
]);

/** Where a redirect URI that passed `redirectUriProblem` leads. */
export function redirectKind(uri: string): RedirectKind {
  if (LOOPBACK.test(uri)) return 'loopback';
  return uri.startsWith('https://') ? 'https' : 'private-use';
}

/**
 * Why a redirect URI cannot be registered (AS-53, AS-54; RFC 8252 sections 7 and 8.4), as a sentence that names what is wrong;
 * absent when it can. Reads the raw text: a URL parser repairs what must be refused.
 */
export function redirectUriProblem(
  uri: string,
  policy: { readonly privateUseSchemes: PrivateUseSchemes },
): string | undefined {
  if (uri.length === 0 || uri.length > LONGEST_REDIRECT_URI)
    return `it must have 1 to ${LONGEST_REDIRECT_URI} characters`;
  if (!/^[\x21-\x7e]+$/.test(uri)) return 'it has spaces, control or non-ASCII characters';
  if (uri.includes('#')) return 'it has a fragment';
  if (uri.includes('*')) return 'it has a wildcard';
  if (
    uri.includes('\\') ||
    uri.includes('"') ||
    uri.includes('<') ||
    uri.includes('>') ||
    uri.includes('`')
  )
    return 'it has characters that a URI cannot have';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1];
  if (scheme === undefined) return 'it is not an absolute URI';
  const lower = scheme.toLowerCase();
  if (scheme !== lower) return 'its scheme is not in lower case';
  const query = queryProblem(uri);
  if (query !== undefined) return query;
  if (lower === 'https' || lower === 'http') return webUriProblem(uri, lower);
  return privateUseProblem(uri, lower, policy.privateUseSchemes);
}

function queryProblem(uri: string): string | undefined {
  const mark = uri.indexOf('?');
  if (mark < 0) return undefined;
  const names = new URLSearchParams(uri.slice(mark + 1)).keys();
  for (const name of names)
    if (RESPONSE_PARAMETERS.includes(name)) return `its query has the response parameter ${name}`;
  return undefined;
}

function webUriProblem(uri: string, scheme: 'http' | 'https'): string | undefined {
  const authority = /^https?:\/\/([^/?]*)/.exec(uri)?.[1];
  if (!authority) return 'it has no host';
  if (authority.includes('@')) return 'it has user info';
  const split = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?$/.exec(authority);
  if (!split) return 'its host is not a name or an address';
  const port = split[2] === undefined ? undefined : Number(split[2]);
  if (port !== undefined && (port < 1 || port > 65535))
    return 'its port is not between 1 and 65535';
  const path = uri.slice(uri.indexOf(authority) + authority.length).split('?')[0] ?? '';
  if (
    path
      .split('/')
      .some(
        (segment) => segment === '.' || segment === '..' || /^(%2e|\.)(%2e|\.)?$/i.test(segment),
      )
  )
    return 'its path has dot segments';
  if (scheme === 'http' && !LOOPBACK.test(uri))
    return 'http is accepted only for localhost, 127.0.0.1 and [::1]';
  let parsed: URL;
  try {
    parsed = new URL(uri);
  } catch {
    return 'it is not a URL';
  }
  // A parser that reads another host than we do would send the code there.
  if (parsed.hostname !== split[1]?.toLowerCase())
    return 'its host is not written in its plain form';
  return undefined;
}

function privateUseProblem(
  uri: string,
  scheme: string,
  policy: PrivateUseSchemes,
): string | undefined {
  if (DENIED_SCHEMES.has(scheme) || DENIED_FAMILIES.some((family) => scheme.startsWith(family)))
    return `the scheme ${scheme} is never accepted`;
  const known = wellKnownByScheme(scheme) !== undefined;
  if (!known && IANA_SCHEMES.has(scheme))
    return `the scheme ${scheme} is registered for another use`;
  if (policy === 'deny')
    return `private-use schemes such as ${scheme} are not accepted here (setting private_use_schemes)`;
  if (policy === 'known' && !known && !scheme.includes('.'))
    return `the scheme ${scheme} is not a known client's and has no period (setting private_use_schemes)`;
  if (/^[^:]+:\/\/[^/?]*@/.test(uri)) return 'it has user info';
  if (!URL.canParse(uri)) return 'it is not a URL';
  return uri.length > scheme.length + 1 ? undefined : 'it has nothing behind the scheme';
}

/** The registered URI that a presented one equals (AS-49), loopback ports aside (AS-50); absent when none does. */
export function matchRedirectUri(
  registered: readonly string[],
  presented: string,
): string | undefined {
  return (
    registered.find((candidate) => candidate === presented) ??
    registered.find((candidate) => equalButForPort(candidate, presented))
  );
}

/** RFC 8252 section 7.3: on http loopback the port is free; host, path and query are not. */
function equalButForPort(registered: string, presented: string): boolean {
  const known = LOOPBACK.exec(registered);
  const given = LOOPBACK.exec(presented);
  if (!known || !given || !/^[\x21-\x7e]+$/.test(presented) || presented.includes('\\'))
    return false;
  const port = given[2];
  if (
    port !== undefined &&
    (Number(port) < 1 || Number(port) > 65535 || String(Number(port)) !== port)
  )
    return false;
  return (
    known[1] === given[1] &&
    (known[3] || '/') === (given[3] || '/') &&
    (known[4] ?? '') === (given[4] ?? '')
  );
}

/** The URI with response parameters appended; what it had in its query stays as it is (AS-56). */
export function withParameters(
  uri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const query = Object.entries(parameters)
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join('&');
  if (query === '') return uri;
  if (!uri.includes('?')) return `${uri}?${query}`;
  return uri.endsWith('?') || uri.endsWith('&') ? `${uri}${query}` : `${uri}&${query}`;
}
