import type { FindingId } from '../catalogue.ts';
import { isInsecure } from '../document.ts';
import type { Examination } from '../examination.ts';
import { stringsOf } from '../http.ts';
import { shown } from '../printable.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import type { Resource } from './resource-metadata.ts';

type Members = Readonly<Record<string, unknown>>;

/** RFC 8414 §3.3: every form names the issuer that was asked, character by character. */
export function checkIssuer(
  examination: Examination,
  issuer: string,
  documents: readonly { readonly url: string; readonly members: Members }[],
): void {
  for (const { url, members } of documents) {
    const named = members['issuer'];
    if (named === issuer) continue;
    examination.find('as-issuer-mismatch', {
      message: `The document for ${issuer} names the issuer ${shown(named)}.`,
      evidence: `${url}: issuer is ${shown(named)}`,
      url,
    });
  }
}

/** What the metadata promises, and what it leaves out. */
export function checkMetadata(
  examination: Examination,
  server: AuthorizationServer,
  resource: Resource,
): void {
  const { metadata, metadataUrl: url } = server;
  const report = (id: FindingId, message: string, member: string): void =>
    examination.find(id, {
      message,
      evidence: `${url}: ${member} is ${shown(metadata[member])}`,
      url,
    });
  checkEndpoints(metadata, report);
  checkCodeFlow(metadata, report);
  if (metadata['authorization_response_iss_parameter_supported'] !== true)
    report(
      'as-iss-parameter-missing',
      'The metadata does not promise iss in authorization responses.',
      'authorization_response_iss_parameter_supported',
    );
  const methods = stringsOf(metadata['token_endpoint_auth_methods_supported']);
  if (methods && !methods.includes('none'))
    report(
      'as-public-clients-refused',
      `token_endpoint_auth_methods_supported does not list none: ${shown(methods)}.`,
      'token_endpoint_auth_methods_supported',
    );
  const offered = stringsOf(metadata['scopes_supported']);
  const unknown = (resource.scopes ?? []).filter(
    (scope) => scope !== 'offline_access' && offered && !offered.includes(scope),
  );
  if (unknown.length > 0)
    report(
      'as-scopes-differ',
      `The resource lists ${shown(unknown)}, which the authorization server does not.`,
      'scopes_supported',
    );
}

type Report = (id: FindingId, message: string, member: string) => void;

const REQUIRED = ['authorization_endpoint', 'token_endpoint'];
const ENDPOINTS = [
  ...REQUIRED,
  'jwks_uri',
  'revocation_endpoint',
  'introspection_endpoint',
  'userinfo_endpoint',
];

function checkEndpoints(metadata: Members, report: Report): void {
  const missing = REQUIRED.find((name) => addressOf(metadata, name) === undefined);
  if (missing !== undefined)
    report('as-endpoint-missing', `The metadata has no usable ${missing}.`, missing);
  const insecure = ENDPOINTS.find((name) => {
    const url = addressOf(metadata, name);
    return url !== undefined && isInsecure(url);
  });
  if (insecure !== undefined)
    report('as-endpoint-insecure', `${insecure} is served without https.`, insecure);
}

function checkCodeFlow(metadata: Members, report: Report): void {
  const types = stringsOf(metadata['response_types_supported']);
  const grants = stringsOf(metadata['grant_types_supported']);
  const lacksCode = !types?.includes('code');
  if (lacksCode || (grants && !grants.includes('authorization_code')))
    report(
      'as-code-flow-missing',
      lacksCode
        ? 'response_types_supported does not list code.'
        : 'grant_types_supported does not list authorization_code.',
      lacksCode ? 'response_types_supported' : 'grant_types_supported',
    );
  const inRedirect = types?.some((type) => type.split(' ').includes('token'));
  if (inRedirect || grants?.some((grant) => grant === 'implicit' || grant === 'password'))
    report(
      'as-implicit-flow',
      'Grants are offered that OAuth 2.1 no longer has.',
      inRedirect ? 'response_types_supported' : 'grant_types_supported',
    );
  // Absent means authorization_code and implicit, but few servers without the list mean it.
  if (grants && !grants.includes('refresh_token') && grants.includes('authorization_code'))
    report(
      'as-refresh-missing',
      'grant_types_supported does not list refresh_token.',
      'grant_types_supported',
    );
  const pkce = stringsOf(metadata['code_challenge_methods_supported']);
  if (!pkce || pkce.length === 0)
    report(
      'as-pkce-missing',
      'The metadata has no code_challenge_methods_supported.',
      'code_challenge_methods_supported',
    );
  else if (!pkce.includes('S256'))
    report(
      'as-pkce-plain-only',
      `PKCE is offered with ${shown(pkce)} only.`,
      'code_challenge_methods_supported',
    );
}

/** A member as an absolute http address; undefined when it is none. */
export function addressOf(metadata: Members, name: string): URL | undefined {
  const value = metadata[name];
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  return /^https?:$/.test(url.protocol) ? url : undefined;
}

/** The same, if it may be asked: an endpoint without TLS is left alone. */
export function safeAddressOf(metadata: Members, name: string): URL | undefined {
  const url = addressOf(metadata, name);
  return url && !isInsecure(url) ? url : undefined;
}
