import type { FindingId } from './catalogue.ts';
import { type KnownClient, knownClients, type RegistrationRoute } from './clients.ts';
import type { Examination } from './examination.ts';
import { stringsOf } from './http.ts';
import type { ClientVerdict } from './report.ts';
import { kindOfAddress } from './runtime/addresses.ts';
import type { AuthorizationServer } from './steps/authorization-server.ts';
import { addressOf } from './steps/authorization-server-metadata.ts';

/** What a verdict is made of. */
export type VerdictInput = {
  readonly server: AuthorizationServer | undefined;
  /** The endpoint answers without a token. */
  readonly isOpen: boolean;
  /** Origins in browsers that the endpoint lets in, as far as they were tried. */
  readonly browserOrigin: string | undefined;
};

/** Findings at which every client stops, and why. */
const STOPS_ALL: Partial<Record<FindingId, string>> = {
  'tls-invalid': 'it does not trust the certificate',
  'redirect-loop': 'the endpoint only redirects',
  'endpoint-not-found': 'there is no MCP endpoint',
  'server-error': 'the endpoint fails',
  'unauthorized-as-200': 'it is never told that it has to sign in (no 401)',
  'unauthorized-as-403':
    'it is told that it may not, and not that it has to sign in (403 instead of 401)',
  'prm-not-json': 'the protected resource metadata cannot be read',
  'prm-needs-token': 'the protected resource metadata needs a token',
  'prm-placeholder': 'the protected resource metadata holds a placeholder',
  'prm-authorization-servers-missing': 'no authorization server is named',
  'prm-authorization-server-insecure': 'the authorization server is named without https',
  'as-unreachable': 'the authorization server does not answer',
  'as-metadata-missing': 'the authorization server has no metadata',
  'as-metadata-not-json': 'the metadata of the authorization server cannot be read',
  'as-endpoint-missing': 'an endpoint is missing in the metadata',
  'as-endpoint-insecure': 'an endpoint is named without https',
  'as-code-flow-missing': 'the authorization code flow is not offered',
  'as-pkce-missing': 'PKCE is not advertised, so it has to refuse',
  'as-pkce-plain-only': 'PKCE with S256 is not offered',
  'as-token-error-not-oauth': 'it cannot read errors of the token endpoint',
  'login-failed': 'a real authorization failed',
};
const STOPS_STRICT_ISSUER: Partial<Record<FindingId, string>> = {
  'as-issuer-mismatch': 'it checks the issuer, which differs from the one named',
  'iss-parameter-wrong': 'it checks iss in the response, which is missing or wrong',
};
const STOPS_STRICT_RESOURCE: Partial<Record<FindingId, string>> = {
  'prm-resource-missing': 'it checks resource, which is missing',
  'prm-resource-mismatch': 'it checks resource, which is not the address typed',
};
const STOPS_BROWSERS: Partial<Record<FindingId, string>> = {
  'preflight-needs-token': 'the browser blocks it: the preflight needs a token',
  'preflight-headers-missing':
    'the browser blocks it: the preflight does not allow its origin or headers',
  'prm-cors-missing': 'the browser blocks the protected resource metadata',
  'as-cors-missing': 'the browser blocks the authorization server',
  'cors-credentials-wildcard':
    'the browser may block answers that allow every origin with credentials',
};

/** What would happen if each known client were pointed at this server. */
export function clientVerdicts(
  examination: Examination,
  input: VerdictInput,
): readonly ClientVerdict[] {
  return knownClients.map((client) => verdict(examination, client, input));
}

function verdict(
  examination: Examination,
  client: KnownClient,
  input: VerdictInput,
): ClientVerdict {
  const { server } = input;
  const about = {
    name: client.name,
    redirectUris: client.redirectUris,
    remarks: client.remarks,
  };
  const reach = hostedProblem(examination, client);
  if (input.isOpen)
    return {
      ...about,
      outcome: reach === undefined ? 'through' : 'stopped',
      registration: 'none',
      authMethod: undefined,
      reasons: [reach ?? 'the endpoint is open: it gets through without signing in'],
    };
  const route = server ? routeFor(client, server.metadata) : undefined;
  const method = server ? methodFor(client, server.metadata) : undefined;
  const reasons = [
    ...(reach === undefined ? [] : [reach]),
    ...findingsThatStop(examination, client),
    ...browserProblems(examination, client, input),
    ...(server
      ? [
          ...registrationProblems(server, route),
          ...(method === undefined ? [methodProblem(client)] : []),
        ]
      : []),
  ];
  if (reasons.length === 0 && !server) reasons.push('no authorization server was found');
  const byHand = reasons.length === 0 && route === 'pre-registered';
  return {
    ...about,
    outcome: reasons.length > 0 ? 'stopped' : byHand ? 'by-hand' : 'through',
    registration: route ?? 'none',
    authMethod: method,
    reasons: byHand
      ? ['it cannot register itself here: register it by hand and enter the client id in it']
      : [...new Set(reasons)],
  };
}

function hostedProblem({ target }: Examination, client: KnownClient): string | undefined {
  return client.hosted ? internetProblem(target) : undefined;
}

/** Why a client whose requests come from its maker's servers does not get here; undefined when it does. */
export function internetProblem(target: URL): string | undefined {
  const host = target.hostname.replace(/^\[|\]$/g, '');
  const isPrivate = /^[\d.]+$|:/.test(host) && kindOfAddress(host) !== 'public';
  if (host === 'localhost' || host.endsWith('.localhost') || isPrivate)
    return 'its requests come from the internet, where this address does not exist';
  if (target.protocol !== 'https:') return 'it connects by https only';
  return target.port === '' ? undefined : 'it connects to port 443 only';
}

function findingsThatStop(examination: Examination, client: KnownClient): readonly string[] {
  const tables = [
    STOPS_ALL,
    ...(client.strictIssuer ? [STOPS_STRICT_ISSUER] : []),
    ...(client.strictResource ? [STOPS_STRICT_RESOURCE] : []),
    ...(client.browserOrigin === undefined ? [] : [STOPS_BROWSERS]),
  ];
  return tables.flatMap((table) =>
    Object.entries(table).flatMap(([id, why]) =>
      // The keys of these tables are ids: their type says so, which Object.entries forgets.
      examination.has(id as FindingId) ? [why] : [],
    ),
  );
}

function browserProblems(
  examination: Examination,
  client: KnownClient,
  { browserOrigin }: VerdictInput,
): readonly string[] {
  if (client.browserOrigin === undefined || browserOrigin === client.browserOrigin) return [];
  if (Object.keys(STOPS_BROWSERS).some((id) => examination.has(id as FindingId))) return [];
  return [`the endpoint does not let in the origin ${client.browserOrigin}`];
}

type Members = Readonly<Record<string, unknown>>;

function routeFor(client: KnownClient, metadata: Members): RegistrationRoute | undefined {
  const documents = metadata['client_id_metadata_document_supported'] === true;
  const registers = addressOf(metadata, 'registration_endpoint') !== undefined;
  return client.routes.find((route) => {
    if (route === 'metadata document') return client.insistsOnDocument || documents;
    return route === 'pre-registered' || registers;
  });
}

function registrationProblems(
  { metadata }: AuthorizationServer,
  route: RegistrationRoute | undefined,
): readonly string[] {
  const documents = metadata['client_id_metadata_document_supported'] === true;
  if (route === 'metadata document' && !documents)
    return ['it sends its metadata document, which this server does not accept'];
  if (route !== undefined) return [];
  return [
    documents
      ? 'it knows no metadata documents, and there is no dynamic registration'
      : 'there is no dynamic registration, and it takes no client id by hand',
  ];
}

/** Without a list RFC 8414 §2 means client_secret_basic, but public clients are hardly ever refused then. */
function methodFor(client: KnownClient, metadata: Members): string | undefined {
  const offered = stringsOf(metadata['token_endpoint_auth_methods_supported']);
  if (!offered || offered.length === 0) return client.authMethods[0];
  const first = client.authMethods.find((method) => offered.includes(method));
  if (first !== undefined) return first;
  // Whoever takes a secret in the header takes it in the body, or says in the registration what it wants.
  const secret = offered.find((method) => method.startsWith('client_secret_'));
  return client.authMethods.some((method) => method.startsWith('client_secret_'))
    ? secret
    : undefined;
}

function methodProblem(client: KnownClient): string {
  return `the token endpoint does not accept ${client.authMethods.join(' or ')}`;
}
