import assert from 'node:assert/strict';
import { authorizeUrl, authorizeWith, cookieBrowser, pkce, token } from '../src/testing.ts';

/** A person allows a client; the tokens that come of it. */
export async function connect(
  issuer: string,
  clientId: string,
  redirectUri: string,
  email: string,
  secret?: string,
): Promise<Record<string, unknown>> {
  const { verifier, challenge } = pkce();
  const landing = await authorizeWith(
    cookieBrowser(new URL(issuer).origin),
    authorizeUrl(issuer, {
      client_id: clientId,
      redirect_uri: redirectUri,
      code_challenge: challenge,
      scope: 'todo:read',
    }),
    email,
  );
  const answer = await token(issuer, {
    grant_type: 'authorization_code',
    client_id: clientId,
    client_secret: secret,
    redirect_uri: redirectUri,
    code: landing.params.get('code') ?? undefined,
    code_verifier: verifier,
  });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return { ...answer.body };
}

/** Status of a refresh. */
export async function refresh(
  issuer: string,
  clientId: string,
  refreshToken: unknown,
  secret?: string,
): Promise<number> {
  return (
    await token(issuer, {
      grant_type: 'refresh_token',
      client_id: clientId,
      client_secret: secret,
      refresh_token: String(refreshToken),
    })
  ).status;
}
