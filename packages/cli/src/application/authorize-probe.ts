import type { Answer, BoundedFetch } from '../runtime/bounded-fetch.ts';
import { type IssuerMetadata, parsed, unreachable } from './discovery.ts';
import type { Finding, Result } from './findings.ts';

type Probe = { readonly fetch: BoundedFetch; readonly random: () => string };

/**
 * Looks at the authorization endpoint with the application's client id and redirect URI, and twice with something
 * wrong, so that an answer counts only when it differs from those (SKILL-43). Nobody is signed in by it.
 */
export async function probeAuthorize(
  probe: Probe,
  metadata: IssuerMetadata,
  clientId: string,
  redirectUri: string,
): Promise<Result[]> {
  const ask = (client: string, redirect: string): ReturnType<BoundedFetch> =>
    probe.fetch(authorizeUrl(metadata, client, redirect, probe.random()), {
      headers: { accept: 'application/json' },
    });
  const own = await ask(clientId, redirectUri);
  if (own.kind === 'none') return [unreachable(metadata.authorizationEndpoint, own)];
  const stranger = await ask(`skc_${'0'.repeat(18)}`, redirectUri);
  const elsewhere = await ask(clientId, 'https://unregistered.invalid/callback');
  if (elsewhere.kind === 'answer' && goesTo(elsewhere, 'https://unregistered.invalid/callback'))
    return [openRedirect(metadata)];
  if (own.status < 400) return [{ passed: `${redirectUri} is registered for ${clientId}` }];
  const code = errorOf(own);
  if (code === 'invalid_client' || (stranger.kind === 'answer' && same(own, stranger)))
    return [unknownClient(metadata, clientId, code)];
  const alike = elsewhere.kind === 'answer' && same(own, elsewhere);
  return [alike ? unregistered(metadata, redirectUri, code) : failed(metadata, code)];
}

function authorizeUrl(
  { authorizationEndpoint }: IssuerMetadata,
  clientId: string,
  redirectUri: string,
  state: string,
): string {
  const url = new URL(authorizationEndpoint);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: 'openid',
    state,
    // Any challenge will do: no code is ever redeemed.
    code_challenge: state,
    code_challenge_method: 'S256',
  }).toString();
  return url.href;
}

function goesTo({ status, headers }: Answer, address: string): boolean {
  return status >= 300 && status < 400 && (headers.get('location') ?? '').startsWith(address);
}

const errorOf = (answer: Answer): string => {
  const code = parsed(answer.text)?.['error'];
  return typeof code === 'string' ? code : `status ${answer.status}`;
};

/** Two refusals that say the same about different requests. */
function same(one: Answer, other: Answer): boolean {
  return one.status === other.status && errorOf(one) === errorOf(other);
}

/**
 * Looks whether a sign-out may return to the application: a refused address is answered with an error page
 * (OpenID Connect RP-Initiated Logout §3).
 */
export async function probeLogout(
  probe: Probe,
  metadata: IssuerMetadata,
  clientId: string,
  returnUrl: string,
): Promise<Result> {
  const { endSessionEndpoint } = metadata;
  if (!endSessionEndpoint) {
    return {
      id: 'LOGOUT_MISSING',
      severity: 'warning',
      message: 'the server offers no sign-out endpoint',
      fix: 'remove POST_LOGOUT_URL, or upgrade the server',
      evidence: 'end_session_endpoint is not in the metadata',
    };
  }
  const ask = (url: string): ReturnType<BoundedFetch> =>
    probe.fetch(
      `${endSessionEndpoint}?${new URLSearchParams({ client_id: clientId, post_logout_redirect_uri: url, state: probe.random() })}`,
      { headers: { accept: 'application/json' } },
    );
  const own = await ask(returnUrl);
  if (own.kind === 'none') return unreachable(endSessionEndpoint, own);
  const elsewhere = await ask('https://unregistered.invalid/signed-out');
  const told = elsewhere.kind === 'answer' && elsewhere.status !== own.status;
  if (own.status < 400 && (told || goesTo(own, returnUrl)))
    return { passed: `${returnUrl} is registered for sign-out` };
  return {
    id: 'LOGOUT_URL_UNREGISTERED',
    severity: 'error',
    message: 'people cannot be sent to POST_LOGOUT_URL after signing out',
    fix: `register ${returnUrl} as a post-logout redirect URI of ${clientId}`,
    evidence: `${endSessionEndpoint}: status ${own.status}`,
  };
}

function openRedirect({ authorizationEndpoint }: IssuerMetadata): Finding {
  return {
    id: 'REDIRECT_URI_UNCHECKED',
    severity: 'error',
    message: 'the authorization endpoint sends people to an address that nobody registered',
    fix: 'compare redirect URIs exactly with the registered ones (RFC 9700 section 4.1.3)',
    evidence: authorizationEndpoint,
  };
}

function unknownClient(
  { authorizationEndpoint }: IssuerMetadata,
  clientId: string,
  code: string,
): Finding {
  return {
    id: 'CLIENT_UNKNOWN',
    severity: 'error',
    message: `the authorization endpoint knows no client ${clientId} that people can sign in to`,
    fix: 'use the id of an application of this environment, or remove CALLBACK_URL when no one signs in',
    evidence: `${authorizationEndpoint}: ${code}`,
  };
}

function failed({ authorizationEndpoint }: IssuerMetadata, code: string): Finding {
  return {
    id: 'AUTHORIZE_FAILED',
    severity: 'error',
    message: `the authorization endpoint refuses a plain sign-in request (${code})`,
    fix: 'look at the server log; the redirect URI itself is not what it complains of',
    evidence: authorizationEndpoint,
  };
}

function unregistered(
  { authorizationEndpoint }: IssuerMetadata,
  redirectUri: string,
  code: string,
): Finding {
  return {
    id: 'REDIRECT_URI_UNREGISTERED',
    severity: 'error',
    message: 'CALLBACK_URL is not a registered redirect URI of this client',
    fix: `register ${redirectUri}, letter by letter`,
    evidence: `${authorizationEndpoint}: ${code}`,
  };
}
