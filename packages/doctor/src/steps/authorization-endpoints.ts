import type { Examination } from '../examination.ts';
import { header, jsonOf, objectOf } from '../http.ts';
import type { AuthorizationServer } from './authorization-server.ts';
import { safeAddressOf } from './authorization-server-metadata.ts';

/** A client that nobody has registered. */
export const UNKNOWN_CLIENT = 'gatewarden-doctor-unknown-client';
/** A name that can never exist (RFC 6761 §6.4). */
const NOBODYS_CALLBACK = 'https://gatewarden-doctor.invalid/callback';
const VERIFIER = 'gatewarden-doctor-verifier-that-belongs-to-no-code';
const CHALLENGE = 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM';

/** Asks the endpoints as a client that they cannot know. */
export async function examineAuthorizationEndpoints(
  examination: Examination,
  server: AuthorizationServer,
): Promise<void> {
  await examineTokenEndpoint(examination, server);
  await examineAuthorizationEndpoint(examination, server);
}

/** A token request of an unknown client. */
export function unknownClientForm(): string {
  return new URLSearchParams({
    grant_type: 'authorization_code',
    code: 'gatewarden-doctor-no-code',
    redirect_uri: NOBODYS_CALLBACK,
    client_id: UNKNOWN_CLIENT,
    code_verifier: VERIFIER,
  }).toString();
}

async function examineTokenEndpoint(
  examination: Examination,
  { metadata }: AuthorizationServer,
): Promise<void> {
  const url = safeAddressOf(metadata, 'token_endpoint');
  if (!url) return;
  const answer = await examination.send({
    method: 'POST',
    url: url.href,
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
    body: unknownClientForm(),
  });
  if (answer.kind === 'failed') {
    examination.find('as-unreachable', {
      message: 'The token endpoint does not answer.',
      evidence: answer,
    });
    return;
  }
  const error = objectOf(jsonOf(answer))?.['error'];
  if (answer.status < 400 || answer.status >= 500 || typeof error !== 'string') {
    if (answer.status === 429 || (answer.status === 503 && typeof error === 'string')) return;
    examination.find('as-token-error-not-oauth', {
      message: `An unknown client is answered with ${answer.status} and ${typeof error === 'string' ? `the error ${error}` : 'no OAuth error in the body'}.`,
      evidence: answer,
      headers: ['content-type'],
    });
    return;
  }
  if (error !== 'invalid_client' || answer.status !== 401)
    examination.note(
      'authorization-server',
      `The token endpoint answers an unknown client with ${answer.status} ${error}; with 401 invalid_client, clients that kept an old registration recover by themselves.`,
    );
}

async function examineAuthorizationEndpoint(
  examination: Examination,
  { metadata }: AuthorizationServer,
): Promise<void> {
  const url = safeAddressOf(metadata, 'authorization_endpoint');
  if (!url) return;
  for (const [name, value] of Object.entries({
    response_type: 'code',
    client_id: UNKNOWN_CLIENT,
    redirect_uri: NOBODYS_CALLBACK,
    code_challenge: CHALLENGE,
    code_challenge_method: 'S256',
    state: 'gatewarden-doctor',
  }))
    url.searchParams.set(name, value);
  const answer = await examination.send({
    method: 'GET',
    url: url.href,
    headers: { accept: 'text/html' },
  });
  if (answer.kind === 'failed') {
    examination.find('as-unreachable', {
      message: 'The authorization endpoint does not answer.',
      evidence: answer,
    });
    return;
  }
  const location = header(answer, 'location') ?? '';
  const isForeign =
    URL.canParse(location, url.href) &&
    new URL(location, url.href).hostname === new URL(NOBODYS_CALLBACK).hostname;
  if (isForeign)
    examination.find('as-open-redirect', {
      message: 'A client that does not exist is sent to the address it named.',
      evidence: answer,
      headers: ['location'],
    });
}
