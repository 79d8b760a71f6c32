import type { BoundedFetch, NoAnswer } from '../runtime/bounded-fetch.ts';
import type { Finding, Result } from './findings.ts';

/** What an issuer says about itself (RFC 8414 §2), as far as the commands use it. */
export type IssuerMetadata = {
  readonly issuer: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  readonly jwksUri: string;
  readonly registrationEndpoint: string | undefined;
  readonly endSessionEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
  /** Whether every authorization response names its issuer (RFC 9207 §3). */
  readonly issParameter: boolean;
  /** Milliseconds since 1970 by the server's clock, when it said so. */
  readonly serverTime: number | undefined;
};

export type Discovered =
  | {
      readonly kind: 'found';
      readonly metadata: IssuerMetadata;
      readonly results: readonly Result[];
    }
  | { readonly kind: 'unreachable'; readonly finding: Finding }
  | { readonly kind: 'wrong'; readonly results: readonly Result[] };

/**
 * Finds the metadata of an issuer (RFC 8414 §3, OpenID Connect Discovery §4) and compares its `issuer` letter by
 * letter with the name it was asked under (RFC 8414 §3.3).
 */
export async function discover(fetch: BoundedFetch, issuer: string): Promise<Discovered> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname;
  const addresses = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${issuer}/.well-known/openid-configuration`]),
  ];
  let last: Finding | undefined;
  for (const address of addresses) {
    const answer = await fetch(address, { headers: { accept: 'application/json' } });
    if (answer.kind === 'none')
      return { kind: 'unreachable', finding: unreachable(address, answer) };
    const document = answer.status === 200 ? parsed(answer.text) : undefined;
    if (!document) {
      last = noMetadata(address, answer.status);
      continue;
    }
    return read(document, issuer, address, Date.parse(answer.headers.get('date') ?? ''));
  }
  return { kind: 'wrong', results: last ? [last] : [] };
}

function read(
  document: Readonly<Record<string, unknown>>,
  issuer: string,
  address: string,
  serverTime: number,
): Discovered {
  if (document['issuer'] !== issuer)
    return { kind: 'wrong', results: [otherIssuer(document, issuer)] };
  const url = (name: string): string | undefined => {
    const value = document[name];
    return typeof value === 'string' && URL.canParse(value) ? value : undefined;
  };
  const [authorizationEndpoint, tokenEndpoint, jwksUri] = [
    url('authorization_endpoint'),
    url('token_endpoint'),
    url('jwks_uri'),
  ];
  if (!authorizationEndpoint || !tokenEndpoint || !jwksUri)
    return { kind: 'wrong', results: [incomplete(address)] };
  const all = ENDPOINTS.flatMap((name) => url(name) ?? []);
  const open = all.find((each) => !isSecure(each));
  if (open !== undefined) return { kind: 'wrong', results: [insecure(open)] };
  const away = all.find((each) => new URL(each).origin !== new URL(issuer).origin);
  if (away !== undefined) return { kind: 'wrong', results: [elsewhere(away, issuer)] };
  return {
    kind: 'found',
    results: [{ passed: `discovery at ${address}` }, { passed: `issuer is ${issuer}` }],
    metadata: {
      issuer,
      authorizationEndpoint,
      tokenEndpoint,
      jwksUri,
      registrationEndpoint: url('registration_endpoint'),
      endSessionEndpoint: url('end_session_endpoint'),
      revocationEndpoint: url('revocation_endpoint'),
      issParameter: document['authorization_response_iss_parameter_supported'] === true,
      serverTime: Number.isNaN(serverTime) ? undefined : serverTime,
    },
  };
}

/** Where secrets, codes and tokens are sent, and what they are checked with. */
const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'jwks_uri',
  'registration_endpoint',
  'end_session_endpoint',
  'revocation_endpoint',
];

/** A JSON object, or nothing. */
export function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    // An object that is not a list has members by name.
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

const TLS = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/;

export function unreachable(address: string, { code }: NoAnswer): Finding {
  const tls = TLS.test(code);
  return {
    id: tls ? 'TLS_INVALID' : 'UNREACHABLE',
    severity: 'error',
    message: tls
      ? `the certificate of ${new URL(address).host} is not trusted here (${code})`
      : `nothing answers at ${new URL(address).origin} (${code})`,
    fix: tls
      ? 'serve a certificate for this name from an authority this machine knows; for one of your own set NODE_EXTRA_CA_CERTS'
      : 'check the address, that the server runs, and that no firewall is between',
    evidence: address,
  };
}

function noMetadata(address: string, status: number): Finding {
  return {
    id: 'DISCOVERY_MISSING',
    severity: 'error',
    message: `there is no metadata of an authorization server (status ${status})`,
    fix: 'give the environment URL as it was printed or shown, without a path behind it',
    evidence: address,
  };
}

function otherIssuer(document: Readonly<Record<string, unknown>>, issuer: string): Finding {
  return {
    id: 'ISSUER_MISMATCH',
    severity: 'error',
    message: 'the server says it is another issuer than the one you named (RFC 8414 section 3.3)',
    fix: 'use its own name as environment URL, or set GATEWARDEN_URL of the server to the address you use',
    evidence: `${issuer} names itself ${String(document['issuer'])}`,
  };
}

/** https, or http that does not leave this machine. */
function isSecure(address: string): boolean {
  const { protocol, hostname } = new URL(address);
  const local = hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
  return protocol === 'https:' || (protocol === 'http:' && local);
}

function insecure(address: string): Finding {
  return {
    id: 'ENDPOINT_INSECURE',
    severity: 'error',
    message: 'an endpoint of the metadata uses http, where secrets can be read on the way',
    fix: 'serve every endpoint by https; http is for localhost only',
    evidence: address,
  };
}

/** An environment has one origin: an application sends its secret there, and nowhere else. */
function elsewhere(address: string, issuer: string): Finding {
  return {
    id: 'ENDPOINT_ELSEWHERE',
    severity: 'error',
    message: `an endpoint of the metadata is not at ${new URL(issuer).origin}, and nothing was sent there`,
    fix: 'set GATEWARDEN_URL of the server to the address you use; if that is right, ask who changed the metadata',
    evidence: address,
  };
}

function incomplete(address: string): Finding {
  return {
    id: 'DISCOVERY_INCOMPLETE',
    severity: 'error',
    message: 'the metadata lacks authorization_endpoint, token_endpoint or jwks_uri',
    fix: 'upgrade or repair the authorization server',
    evidence: address,
  };
}
