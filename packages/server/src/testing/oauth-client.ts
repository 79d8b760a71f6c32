import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  asLanding,
  asPage,
  type CookieBrowser,
  type Landing,
  type Page,
} from './cookie-browser.ts';

/** A token endpoint's answer, status first. */
export type TokenAnswer = {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Headers;
};

export type Verifier = { readonly verifier: string; readonly challenge: string };

/** A fresh PKCE pair (RFC 7636). */
export function pkce(): Verifier {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** Registers a client dynamically (RFC 7591) and returns the answer's members. */
export async function register(
  origin: string,
  resourceId: string,
  metadata: Readonly<Record<string, unknown>>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${origin}/api/v1/resources/${resourceId}/clients:register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(metadata),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** URL of an authorization request; an undefined value leaves a parameter out. */
export function authorizeUrl(
  issuer: string,
  params: Readonly<Record<string, string | undefined>>,
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({
    response_type: 'code',
    code_challenge_method: 'S256',
    ...params,
  }))
    if (value !== undefined) query.set(name, value);
  return `${issuer}/oauth/authorize?${query}`;
}

/** Signs a test user in from the first page (identify) on, and returns what comes after. */
export async function signIn(
  browser: CookieBrowser,
  page: Page,
  email: string,
): Promise<Page | Landing> {
  assert.equal(page.step, 'identify', page.html);
  const code = asPage(await browser.submit(page, { email }));
  assert.equal(code.step, 'email-code', code.html);
  return await browser.submit(code, { code: '424242', action: 'verify' });
}

/** Presses Allow with the tick; `scopes` are the boxes ticked besides. */
export async function allow(
  browser: CookieBrowser,
  page: Page,
  scopes: readonly string[] = [],
): Promise<Landing> {
  assert.equal(page.step, 'consent', page.html);
  return asLanding(
    await browser.submit(page, { decision: 'allow', confirm: 'yes', scope: scopes }),
  );
}

/** The whole walk: authorization request, sign-in where it is asked for, consent, back at the client. */
export async function authorizeWith(
  browser: CookieBrowser,
  url: string,
  email: string,
  scopes: readonly string[] = [],
): Promise<Landing> {
  let seen = await browser.open(url);
  if ('html' in seen && seen.step === 'identify') seen = await signIn(browser, seen, email);
  return 'location' in seen ? seen : await allow(browser, seen, scopes);
}

/** One call of a token endpoint. */
export async function token(
  issuer: string,
  params: Readonly<Record<string, string | undefined>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const body = new URLSearchParams();
  for (const [name, value] of Object.entries(params))
    if (value !== undefined) body.set(name, value);
  const response = await fetch(`${issuer}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: body.toString(),
  });
  return {
    status: response.status,
    body: (await response.json()) as Record<string, unknown>,
    headers: response.headers,
  };
}
