import type { IssuerMetadata } from '../application/discovery.ts';
import type { Finding, Result } from '../application/findings.ts';
import type { BoundedFetch } from '../runtime/bounded-fetch.ts';
import {
  authorizationUrl,
  type LoginClient,
  postForm,
  requestTokens,
  type TokenAnswer,
} from './requests.ts';
import { type Verified, verifierOf } from './verify.ts';

export type LoginRun = {
  readonly fetch: BoundedFetch;
  readonly random: () => string;
  readonly metadata: IssuerMetadata;
  readonly client: LoginClient;
  readonly redirectUri: string;
  readonly scope: string;
  /** Sent along as they are: `resource` (RFC 8707), `organization_id`, `login_hint`. */
  readonly extra: Readonly<Record<string, string>>;
  /** What access tokens must say. */
  readonly accessToken: { readonly issuers: string[]; readonly audiences: string[] };
  /** Gets a person, or a test user, from the address to the redirect URI. */
  readonly signIn: (url: string, state: string) => Promise<URLSearchParams | { stuck: string }>;
  readonly report: (result: Result) => void;
};

type Tokens = Extract<TokenAnswer, { kind: 'tokens' }>;
type Verify = NonNullable<Awaited<ReturnType<typeof verifierOf>>>;

/**
 * One whole sign-in with `state`, PKCE and `nonce`: redirect, code, ID token, access token, refresh, the retired
 * refresh token, revocation (SKILL-44). Reports each step, stops at the first that fails, and keeps nothing.
 */
export async function runLogin(run: LoginRun): Promise<void> {
  const { report } = run;
  const [state, nonce, verifier] = [run.random(), run.random(), run.random()];
  const url = authorizationUrl(run.metadata, {
    ...run.extra,
    client_id: run.client.id,
    redirect_uri: run.redirectUri,
    scope: run.scope,
    state,
    nonce,
    verifier,
  });
  const back = await run.signIn(url, state);
  if ('stuck' in back) return report(signInStuck(back.stuck));
  const fault = checkRedirect(run.metadata, back, state);
  if (fault) return report(fault);
  report({ passed: 'signed in, and the redirect brought back our state and the right issuer' });

  const tokens = await requestTokens(run.fetch, run.metadata, run.client, {
    grant_type: 'authorization_code',
    code: back.get('code') ?? '',
    redirect_uri: run.redirectUri,
    code_verifier: verifier,
    ...(run.extra['resource'] === undefined ? {} : { resource: run.extra['resource'] }),
  });
  if (tokens.kind === 'refused') return report(exchangeRefused(run.metadata, tokens.code));
  report({ passed: `the code was exchanged; granted: ${tokens.scope ?? run.scope}` });

  const verify = await verifierOf(run.fetch, run.metadata);
  if (!verify) return report(keysMissing(run.metadata));
  if (!(await checkTokens(run, verify, tokens, nonce))) return undefined;
  return await checkRefresh(run, tokens);
}

function checkRedirect(
  { issuer, issParameter }: IssuerMetadata,
  back: URLSearchParams,
  state: string,
): Finding | undefined {
  if (back.get('state') !== state)
    return failed(
      'redirect',
      'STATE',
      'the redirect brought another state',
      'another sign-in was answered; start again',
      'state',
    );
  const named = back.get('iss');
  if (named === null ? issParameter : named !== issuer)
    return failed(
      'redirect',
      'ISS',
      'the redirect names another issuer, or none although the metadata promises it (RFC 9207 section 2.4)',
      'this is how a mix-up attack looks; check the environment URL',
      named ?? 'iss',
    );
  const error = back.get('error');
  if (error !== null)
    return failed(
      'redirect',
      'AUTHORIZE',
      `the authorization server answered ${error}`,
      causes[error] ?? 'look at the server log for this time',
      back.get('error_description') ?? error,
    );
  if (!back.get('code'))
    return failed(
      'redirect',
      'CODE',
      'the redirect brought no code',
      'ask for response_type=code',
      'code',
    );
  return undefined;
}

const causes: Readonly<Record<string, string>> = {
  access_denied: 'consent was refused, or a policy forbids this sign-in',
  invalid_scope: 'none of the scopes is known there; name others with --scope',
  invalid_target: 'the resource is not registered under this id or URL',
  unauthorized_client: 'this client may not use the authorization code grant',
  login_required: 'nobody is signed in and the request forbids to ask',
};

/** Every claim shown is one whose signature was checked. */
async function checkTokens(
  run: LoginRun,
  verify: Verify,
  tokens: Tokens,
  nonce: string,
): Promise<boolean> {
  if (tokens.idToken !== undefined) {
    const id = await verify(tokens.idToken, {
      issuer: run.metadata.issuer,
      audience: run.client.id,
    });
    if (id.kind === 'invalid') return refuse(run, tokenInvalid('ID_TOKEN', 'ID token', id));
    if (id.claims['nonce'] !== nonce)
      return refuse(
        run,
        failed(
          'id token',
          'NONCE',
          'the ID token has another nonce',
          'this is how a replayed ID token looks',
          'nonce',
        ),
      );
    run.report({ passed: `the ID token is valid: ${shown(id.claims)}` });
  }
  const { issuers, audiences } = run.accessToken;
  const access = notAnIdToken(
    await verify(tokens.accessToken, { issuer: issuers, audience: audiences }),
  );
  if (access.kind === 'invalid')
    return refuse(run, tokenInvalid('ACCESS_TOKEN', 'access token', access));
  run.report({ passed: `the access token is valid: ${shown(access.claims)}` });
  return true;
}

/** An application's access token has the audience of its ID token, which must not pass in its place (RFC 8725 §3.12). */
function notAnIdToken(verified: Verified): Verified {
  if (verified.kind === 'invalid') return verified;
  const foreign = ['nonce', 'at_hash', 'c_hash'].find(
    (name) => verified.claims[name] !== undefined,
  );
  return foreign === undefined
    ? verified
    : { kind: 'invalid', reason: `it has the claim ${foreign}, as ID tokens do` };
}

function refuse(run: LoginRun, finding: Finding): false {
  run.report(finding);
  return false;
}

/** Claims that tell a developer who came in and for what; no others. */
function shown(claims: Readonly<Record<string, unknown>>): string {
  const names = ['iss', 'sub', 'aud', 'client_id', 'scope', 'org_id', 'email', 'exp'];
  return names
    .flatMap((name) =>
      claims[name] === undefined ? [] : [`${name}=${JSON.stringify(claims[name])}`],
    )
    .join(' ');
}

async function checkRefresh(run: LoginRun, first: Tokens): Promise<void> {
  const { report } = run;
  if (first.refreshToken === undefined)
    return report({ passed: 'no refresh token was issued (ask for offline_access to get one)' });
  const renew = (token: string): Promise<TokenAnswer> =>
    requestTokens(run.fetch, run.metadata, run.client, {
      grant_type: 'refresh_token',
      refresh_token: token,
    });
  const second = await renew(first.refreshToken);
  if (second.kind === 'refused')
    return report(
      failed(
        'refresh',
        'REFRESH',
        'the refresh token was refused',
        'look at the server log for this time',
        second.code,
      ),
    );
  const latest = second.refreshToken ?? first.refreshToken;
  if (latest === first.refreshToken)
    report({ passed: 'refreshed; the refresh token stays the same' });
  else {
    report({ passed: 'refreshed; the refresh token was replaced' });
    const replayed = await renew(first.refreshToken);
    // A server may repeat the current generation for a lost answer; a third one would be a second family.
    if (replayed.kind === 'tokens' && replayed.refreshToken !== latest)
      return report(
        failed(
          'refresh',
          'REFRESH_REUSE',
          'a retired refresh token got a new one',
          'refuse retired refresh tokens (RFC 9700 section 4.14.2)',
          'refresh_token',
        ),
      );
    report({
      passed:
        replayed.kind === 'refused'
          ? 'the retired refresh token is refused'
          : 'the retired refresh token gets nothing new while it is being replaced',
    });
  }
  await signOut(run, latest, renew);
}

async function signOut(
  run: LoginRun,
  refreshToken: string,
  renew: (token: string) => Promise<TokenAnswer>,
): Promise<void> {
  const { revocationEndpoint } = run.metadata;
  if (!revocationEndpoint)
    return run.report({ passed: 'nothing to sign out by: the server has no revocation endpoint' });
  await postForm(run.fetch, revocationEndpoint, run.client, { token: refreshToken });
  const after = await renew(refreshToken);
  run.report(
    after.kind === 'refused'
      ? { passed: 'signed out: the revoked refresh token is refused' }
      : failed(
          'sign-out',
          'REVOCATION',
          'a revoked refresh token still works',
          'the revocation endpoint must end the grant (RFC 7009 section 2.1)',
          revocationEndpoint,
        ),
  );
}

function signInStuck(at: string): Finding {
  return failed(
    'sign-in',
    'SIGN_IN',
    `the sign-in did not come back to the redirect URI: it ended at ${at}`,
    'check the redirect URI and the client; for --headless also that test users are on',
    at,
  );
}

function exchangeRefused({ tokenEndpoint }: IssuerMetadata, code: string): Finding {
  const fix =
    code === 'invalid_client'
      ? 'copy client id and secret again'
      : 'check that redirect URI and PKCE verifier are those of the request';
  return failed('exchange', 'EXCHANGE', `the code was refused (${code})`, fix, tokenEndpoint);
}

function keysMissing({ jwksUri }: IssuerMetadata): Finding {
  return failed(
    'keys',
    'KEYS',
    'the key set cannot be read',
    'check jwks_uri of the metadata',
    jwksUri,
  );
}

function tokenInvalid(
  id: string,
  what: string,
  { reason }: Extract<Verified, { kind: 'invalid' }>,
): Finding {
  return failed(what, id, `the ${what} is not valid`, 'check issuer, audience and clock', reason);
}

function failed(step: string, id: string, message: string, fix: string, evidence: string): Finding {
  return { id: `LOGIN_${id}`, severity: 'error', message: `${step}: ${message}`, fix, evidence };
}
