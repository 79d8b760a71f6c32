import { createHash } from 'node:crypto';
import { type IssuerMetadata, parsed } from '../application/discovery.ts';
import type { BoundedFetch } from '../runtime/bounded-fetch.ts';

/** Who signs people in. `secret` is absent for public clients. */
export type LoginClient = { readonly id: string; readonly secret: string | undefined };

export type TokenAnswer =
  | {
      readonly kind: 'tokens';
      readonly accessToken: string;
      readonly idToken: string | undefined;
      readonly refreshToken: string | undefined;
      readonly scope: string | undefined;
    }
  | { readonly kind: 'refused'; readonly code: string };

/** An authorization request with PKCE (RFC 6749 §4.1.1, RFC 7636 §4.3); absent parameters are left out. */
export function authorizationUrl(
  { authorizationEndpoint }: IssuerMetadata,
  parameters: Readonly<Record<string, string | undefined>> & { readonly verifier: string },
): string {
  const { verifier, ...given } = parameters;
  const url = new URL(authorizationEndpoint);
  const all = {
    response_type: 'code',
    ...given,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(all))
    if (value !== undefined) url.searchParams.set(name, value);
  return url.href;
}

/** A request to the token endpoint (RFC 6749 §4.1.3, §6). */
export async function requestTokens(
  fetch: BoundedFetch,
  { tokenEndpoint }: IssuerMetadata,
  client: LoginClient,
  form: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const answer = await postForm(fetch, tokenEndpoint, client, form);
  if (answer.kind === 'none') return { kind: 'refused', code: answer.code };
  const body = parsed(answer.text);
  const text = (name: string): string | undefined => {
    const value = body?.[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const accessToken = text('access_token');
  if (answer.status !== 200 || accessToken === undefined)
    return { kind: 'refused', code: text('error') ?? `status ${answer.status}` };
  return {
    kind: 'tokens',
    accessToken,
    idToken: text('id_token'),
    refreshToken: text('refresh_token'),
    scope: text('scope'),
  };
}

/** Posts a form as the client; a public one only names itself. */
export function postForm(
  fetch: BoundedFetch,
  url: string,
  client: LoginClient,
  form: Readonly<Record<string, string>>,
): ReturnType<BoundedFetch> {
  const credentials = {
    client_id: client.id,
    ...(client.secret === undefined ? {} : { client_secret: client.secret }),
  };
  return fetch(url, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...form, ...credentials }).toString(),
  });
}

/** Registers a public client for one redirect URI (RFC 7591 §3.1). */
export async function registerClient(
  fetch: BoundedFetch,
  registrationEndpoint: string,
  redirectUri: string,
): Promise<LoginClient | { readonly error: string }> {
  const answer = await fetch(registrationEndpoint, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'gatewarden test login',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    }),
  });
  if (answer.kind === 'none') return { error: answer.code };
  const body = parsed(answer.text);
  const id = body?.['client_id'];
  if (answer.status === 201 && typeof id === 'string') return { id, secret: undefined };
  const code = body?.['error'];
  return { error: typeof code === 'string' ? code : `status ${answer.status}` };
}
