import { type Client, isOfEnvironment } from '../../clients/client.ts';
import type { Issuer } from '../../mcp/issuer.ts';
import { OAuthError } from '../oauth-error.ts';
import { checkChallenge } from '../pkce.ts';

type Params = Readonly<Record<string, string | undefined>>;

const LONGEST_STATE = 4096;
const LONGEST_NONCE = 2048;
const LONGEST_HINT = 512;
const PROMPTS = ['none', 'login', 'consent', 'select_account', 'create'];

/** Checks of an authorization request that come after client and redirect URI are proven. Each throws the OAuthError that travels to the client. */
export function checkOnce(duplicates: readonly string[]): void {
  if (duplicates.length > 0)
    throw new OAuthError(
      'invalid_request',
      `${duplicates[0] ?? 'a parameter'} occurs more than once`,
    );
}

/** RFC 6749 section 3.1.1; only the code flow exists (AS-23). */
export function checkResponseType(params: Params): void {
  const type = params['response_type'];
  if (type === undefined) throw new OAuthError('invalid_request', 'response_type is missing');
  if (type !== 'code')
    throw new OAuthError('unsupported_response_type', 'response_type must be code');
}

/** AS-26: answers come as query parameters, and requests are not passed as objects. */
export function checkResponseMode(params: Params): void {
  const mode = params['response_mode'];
  if (params['request'] !== undefined)
    throw new OAuthError('request_not_supported', 'request objects are not supported');
  if (params['request_uri'] !== undefined)
    throw new OAuthError('request_uri_not_supported', 'request_uri is not supported');
  if (mode !== undefined && mode !== 'query')
    throw new OAuthError('invalid_request', 'response_mode must be query');
}

/** AS-25: optional, returned byte for byte, bounded. */
export function checkState(params: Params): string | undefined {
  const state = params['state'];
  if (state !== undefined && Buffer.byteLength(state) > LONGEST_STATE)
    throw new OAuthError('invalid_request', `state is longer than ${LONGEST_STATE} bytes`);
  return state;
}

/** AS-24: S256 for every client of an MCP server and every public client; a confidential application may leave PKCE out unless it says otherwise (FSA-5). */
export function checkPkce(params: Params, client: Client, issuer: Issuer): string | undefined {
  const check = checkChallenge(params);
  if (check.kind === 'wrong') throw new OAuthError('invalid_request', check.description);
  if (check.kind === 'given') return check.challenge;
  const mayOmit =
    issuer.mcpServer === undefined &&
    isOfEnvironment(client) &&
    client.tokenEndpointAuthMethod !== 'none' &&
    client.settings.enforcePkce !== true;
  if (!mayOmit)
    throw new OAuthError(
      'invalid_request',
      'code_challenge is missing; PKCE with S256 is required',
    );
  return undefined;
}

/** AS-28. `none` stands alone (OpenID Connect Core section 3.1.2.1); values of extensions are ignored. */
export function checkPrompt(params: Params): string[] {
  const values = (params['prompt'] ?? '').split(' ').filter((value) => PROMPTS.includes(value));
  if (values.includes('none') && values.length > 1)
    throw new OAuthError('invalid_request', 'prompt none cannot be combined');
  return [...new Set(values)];
}

export function checkMaxAge(params: Params): number | undefined {
  const value = params['max_age'];
  if (value === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(value))
    throw new OAuthError('invalid_request', 'max_age must be a number of seconds');
  return Number(value);
}

export function checkNonce(params: Params): string | undefined {
  const nonce = params['nonce'];
  if (nonce !== undefined && nonce.length > LONGEST_NONCE)
    throw new OAuthError('invalid_request', `nonce is longer than ${LONGEST_NONCE} characters`);
  return nonce;
}

/** A hint that is too long to be one is left out: it only prefills. */
export function hint(params: Params, name: string): string | undefined {
  const value = params[name];
  return value !== undefined && value.length <= LONGEST_HINT ? value : undefined;
}

/** The grant that a client registered decides whether it may be here at all. */
export function checkGrantAllowed(client: Client): void {
  if (!client.grantTypes.includes('authorization_code'))
    throw new OAuthError(
      'unauthorized_client',
      'this client may not use the authorization code grant',
    );
}
