import { EXIT } from '../errors.ts';
import type { BoundedFetch } from '../runtime/bounded-fetch.ts';
import { probeAuthorize, probeLogout } from './authorize-probe.ts';
import { discover, type IssuerMetadata, parsed, unreachable } from './discovery.ts';
import type { Finding, Result } from './findings.ts';
import type { Variables } from './variables.ts';

export type ConnectionTest = {
  readonly fetch: BoundedFetch;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly random: () => string;
};

/** Seconds by which the clocks may differ; tokens are accepted with 30. */
const clockLimitSeconds = 30;

/**
 * Connects as an application would: metadata, keys, clock, a token by client credentials (RFC 6749 §4.4), and, for
 * the redirect URIs that are configured, a look at the authorization and the sign-out endpoint (SKILL-43).
 *
 * @returns what was found, and the exit code should one of it be an error
 */
export async function testConnection(
  variables: Variables,
  test: ConnectionTest,
): Promise<{ results: Result[]; code: number }> {
  const { ENVIRONMENT_URL, CLIENT_ID, CLIENT_SECRET, CALLBACK_URL, POST_LOGOUT_URL } = variables;
  if (!ENVIRONMENT_URL || !CLIENT_ID || !CLIENT_SECRET) return { results: [], code: EXIT.failed };
  const issuer = ENVIRONMENT_URL.value.replace(/\/+$/, '');
  const found = await discover(test.fetch, issuer);
  if (found.kind === 'unreachable') return { results: [found.finding], code: EXIT.unreachable };
  if (found.kind === 'wrong') return { results: [...found.results], code: EXIT.failed };
  const { metadata } = found;
  const results: Result[] = [
    ...found.results,
    clock(metadata, test.now()),
    await keys(test.fetch, metadata),
  ];
  const token = await clientCredentials(test.fetch, metadata, CLIENT_ID.value, CLIENT_SECRET.value);
  results.push(token.result);
  if (CALLBACK_URL)
    results.push(...(await probeAuthorize(test, metadata, CLIENT_ID.value, CALLBACK_URL.value)));
  if (POST_LOGOUT_URL)
    results.push(await probeLogout(test, metadata, CLIENT_ID.value, POST_LOGOUT_URL.value));
  return { results, code: token.refused ? EXIT.refused : EXIT.failed };
}

function clock({ serverTime }: IssuerMetadata, now: number): Result {
  if (serverTime === undefined)
    return { passed: 'clock not compared: the server sends no Date header' };
  const seconds = Math.round((now - serverTime) / 1_000);
  if (Math.abs(seconds) <= clockLimitSeconds)
    return { passed: `clocks differ by ${Math.abs(seconds)} s` };
  return {
    id: 'CLOCK_SKEW',
    severity: 'error',
    message: `this machine's clock is ${Math.abs(seconds)} s ${seconds > 0 ? 'ahead of' : 'behind'} the server's`,
    fix: 'set the clock by NTP; tokens are refused beyond 30 s',
    evidence: `Date of ${new Date(serverTime).toISOString()}`,
  };
}

async function keys(fetch: BoundedFetch, { jwksUri }: IssuerMetadata): Promise<Result> {
  const answer = await fetch(jwksUri, { headers: { accept: 'application/json' } });
  if (answer.kind === 'none') return unreachable(jwksUri, answer);
  const set = answer.status === 200 ? parsed(answer.text)?.['keys'] : undefined;
  const all: readonly unknown[] = Array.isArray(set) ? set : [];
  const usable = all.filter(isRs256Key).length;
  if (usable > 0)
    return { passed: `${usable} RS256 ${usable === 1 ? 'key' : 'keys'} at ${jwksUri}` };
  return {
    id: 'JWKS_UNUSABLE',
    severity: 'error',
    message: 'there is no key that RS256 tokens can be checked with',
    fix: 'publish an RSA key of at least 2048 bits with use "sig" and a kid',
    evidence: `${jwksUri} (status ${answer.status})`,
  };
}

function isRs256Key(key: unknown): boolean {
  if (typeof key !== 'object' || key === null) return false;
  const member = (name: string): unknown => (name in key ? Reflect.get(key, name) : undefined);
  const modulus = member('n');
  return (
    member('kty') === 'RSA' &&
    typeof member('kid') === 'string' &&
    [undefined, 'sig'].some((use) => member('use') === use) &&
    [undefined, 'RS256'].some((alg) => member('alg') === alg) &&
    typeof modulus === 'string' &&
    Buffer.from(modulus, 'base64url').length >= 256
  );
}

async function clientCredentials(
  fetch: BoundedFetch,
  { tokenEndpoint }: IssuerMetadata,
  clientId: string,
  clientSecret: string,
): Promise<{ result: Result; refused: boolean }> {
  const answer = await fetch(tokenEndpoint, {
    method: 'POST',
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
    }).toString(),
  });
  if (answer.kind === 'none') return { result: unreachable(tokenEndpoint, answer), refused: false };
  const body = parsed(answer.text);
  const token = body?.['access_token'];
  if (answer.status === 200 && typeof token === 'string' && token !== '') {
    const seconds = Number(body?.['expires_in']);
    return { result: { passed: `a token for ${clientId}, for ${seconds} s` }, refused: false };
  }
  const code = typeof body?.['error'] === 'string' ? body['error'] : `status ${answer.status}`;
  const refused = code === 'invalid_client' || code === 'unauthorized_client';
  const finding: Finding = {
    id: refused ? 'CREDENTIALS_REFUSED' : 'TOKEN_FAILED',
    severity: 'error',
    message: refused
      ? 'the server does not accept this client id with this secret'
      : `the token endpoint gave no token (${code})`,
    fix: refused
      ? 'copy id and secret again, of this environment; a rotated secret ends the old one'
      : 'look at the server log under the request id',
    evidence: `${tokenEndpoint}: ${code}${requestId(answer.headers)}`,
  };
  return { result: finding, refused };
}

function requestId(headers: Headers): string {
  const id = headers.get('x-request-id');
  return id ? `, request ${id}` : '';
}
