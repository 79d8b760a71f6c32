import { isSigningAlgorithm, type SigningAlgorithm } from './algorithms.ts';
import { ConfigurationError, describeRefusal, type RefusalReason } from './errors.ts';
import { fetchedKeys, staticKeys } from './issuer-keys.ts';
import { type Fetch, type Log, runtimeOf } from './runtime/defaults.ts';
import { rememberedValidation, type TokenCheck } from './token-cache.ts';
import { canonicalAudience, type Trust } from './trust.ts';
import { configuredSecureUrl } from './urls.ts';

/** Where the tokens come from, for code that validates them outside of an MCP endpoint. */
export type VerifierOptions = {
  /** Environment URL of Gatewarden, E. A trailing slash is not part of it. */
  readonly environmentUrl: string;
  /** Address of the key set. @default E/keys */
  readonly jwksUri?: string;
  /** A fixed key set instead, for tests and offline use. */
  readonly keys?: unknown;
  /** @default RS256 */
  readonly algorithms?: readonly SigningAlgorithm[];
  /** Tolerated difference of clocks, in seconds, 0 to 300. @default 30 */
  readonly clockSkewSeconds?: number;
  /** For tests. @default the clock of the machine */
  readonly now?: () => Date;
  /** For tests and proxies. @default the global fetch */
  readonly fetch?: Fetch;
  /** Told when the key set cannot be had. @default warnings go to the console */
  readonly log?: Log;
};

/** What one call demands of a token. */
export type VerifierRules = {
  /** The exact `iss`. @default E */
  readonly issuer?: string;
  /** Accepted audiences, one of which must be in `aud`. Absent: every audience of the environment is accepted. */
  readonly audience?: string | readonly string[];
  /** Scopes that must all have been granted. */
  readonly requiredScopes?: readonly string[];
};

export type Verification =
  | {
      readonly kind: 'valid';
      /** As signed, frozen, and the same object for every call with this token. */
      readonly claims: Readonly<Record<string, unknown>>;
      readonly scopes: readonly string[];
    }
  | { readonly kind: 'refused'; readonly reason: VerifierReason; readonly description: string }
  | { readonly kind: 'unavailable'; readonly retryAfterSeconds: number };

export type VerifierReason = RefusalReason | 'insufficient_scope';

export type AccessTokenVerifier = {
  verify(token: string, rules?: VerifierRules): Promise<Verification>;
};

/** Issuers that one verifier keeps apart. They come from configuration; more than this is a mistake, and costs only speed. */
const issuerLimit = 16;

/**
 * Validates access tokens of one environment by the rules of the drop-in call (RS-28): `typ` JWT passes
 * when the token cannot be of another kind (RS-21), `scope` and `scopes` must agree where both are there,
 * and the issuer is always compared. Accepted tokens are remembered per issuer; audience and scopes are
 * compared in every call, so an answer never crosses from one set of rules to another (RS-57). A token
 * that is bound to a key is refused: only an endpoint that sees the request can check its proof (RS-54).
 *
 * @throws {ConfigurationError} invalid_url, invalid_option
 */
export function accessTokenVerifier(options: VerifierOptions): AccessTokenVerifier {
  const runtime = runtimeOf(options);
  const environment = environmentOf(options.environmentUrl);
  const keySet = configuredSecureUrl('jwksUri', options.jwksUri ?? `${environment}/keys`).href;
  const trust: Trust = {
    keys: options.keys ? staticKeys(options.keys) : fetchedKeys(runtime, async () => keySet),
    audiences: new Set(),
    algorithms: algorithmsOf(options.algorithms ?? ['RS256']),
    allowUntyped: true,
    own: true,
    dropIn: true,
  };
  const clockSkewSeconds = skewOf(options.clockSkewSeconds ?? 30);
  const checks = new Map<string, TokenCheck>();

  function checkFor(issuer: string): TokenCheck {
    const known = checks.get(issuer);
    if (known) return known;
    const [oldest] = checks.keys();
    if (oldest !== undefined && checks.size >= issuerLimit) checks.delete(oldest);
    const trusted = new Map([[issuer, trust]]);
    const check = rememberedValidation({ trusted, clockSkewSeconds, runtime });
    checks.set(issuer, check);
    return check;
  }

  return {
    async verify(token, rules = {}) {
      if (typeof token !== 'string') return refused('malformed');
      const outcome = await checkFor(issuerOf(rules.issuer, environment))(token);
      if (outcome.kind === 'unavailable') return outcome;
      if (outcome.kind === 'refused') return refused(outcome.reason);
      const { scopes, details } = outcome.token;
      const { claims } = details;
      if (claims['cnf'] !== undefined) return refused('sender_constrained');
      if (!namesAudience(claims['aud'], rules.audience)) return refused('audience');
      const missing = rules.requiredScopes?.filter((scope) => !scopes.includes(scope)) ?? [];
      return missing.length === 0
        ? { kind: 'valid', claims, scopes }
        : refused('insufficient_scope', `Token missing required scopes: ${missing.join(', ')}`);
    },
  };
}

function refused(reason: VerifierReason, text = ''): Verification {
  const description = reason === 'insufficient_scope' ? text : describeRefusal(reason);
  return { kind: 'refused', reason, description };
}

/** E as it stands in `iss`. */
function environmentOf(environmentUrl: string): string {
  const url = configuredSecureUrl('environmentUrl', environmentUrl);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

/** E may be configured with a slash behind it, in tokens it has none; any other issuer counts as it is written. */
function issuerOf(issuer: string | undefined, environment: string): string {
  if (!issuer || issuer === environment) return environment;
  return issuer.replace(/\/+$/, '') === environment ? environment : issuer;
}

/** Compared as RS-19 says. An empty list or text is a setting that was forgotten, so it accepts nothing. */
function namesAudience(audience: unknown, accepted: VerifierRules['audience']): boolean {
  if (accepted === undefined) return true;
  const named: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  const wanted = typeof accepted === 'string' ? [accepted] : accepted;
  return wanted.some(
    (one) =>
      one !== '' && named.some((name) => typeof name === 'string' && sameAudience(name, one)),
  );
}

function sameAudience(name: string, wanted: string): boolean {
  return name === wanted || canonicalAudience(name) === canonicalAudience(wanted);
}

function algorithmsOf(algorithms: readonly string[]): ReadonlySet<SigningAlgorithm> {
  if (algorithms.length > 0 && algorithms.every(isSigningAlgorithm)) return new Set(algorithms);
  throw new ConfigurationError(
    'invalid_option',
    'algorithms must list RS, PS, ES or EdDSA signature algorithms',
  );
}

function skewOf(seconds: number): number {
  if (Number.isFinite(seconds) && seconds >= 0 && seconds <= 300) return seconds;
  throw new ConfigurationError('invalid_option', 'clockSkewSeconds must be a number from 0 to 300');
}
