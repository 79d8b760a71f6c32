import { ConfigurationError } from '@gatewarden/resource-server';
import {
  type AccessTokenVerifier,
  accessTokenVerifier,
  type VerifierRules,
} from '@gatewarden/resource-server/verifier';
import { KeysUnavailableException, ScalekitValidateTokenFailureException } from './errors.ts';
import { variable } from './runtime/environment.ts';

/** What a call demands of a token; the members of Scalekit's SDK. */
export type TokenValidationOptions = {
  /** The exact `iss`. @default the environment URL, which is always compared */
  issuer?: string;
  /**
   * Accepted audiences; the token must name one of them. Without this a token that was issued for any
   * other application or MCP server of the environment passes too, as with Scalekit's SDK: give it always.
   * An empty list or an empty text accepts nothing.
   */
  audience?: string | readonly string[];
  /** Scopes that must all have been granted, in `scope` or in `scopes`. */
  requiredScopes?: readonly string[];
};

/** The claims of an access token of Gatewarden (RFC 9068 §2.2). */
export type AccessTokenClaims = {
  readonly iss: string;
  readonly sub: string;
  readonly aud: string | string[];
  readonly client_id: string;
  readonly exp: number;
  readonly iat?: number;
  readonly jti?: string;
  readonly scope?: string;
  readonly scopes?: string[];
  readonly [claim: string]: unknown;
};

/**
 * @throws {ScalekitValidateTokenFailureException} the token is refused
 * @throws {KeysUnavailableException} the key set cannot be had
 */
export async function claimsOf(
  verifier: AccessTokenVerifier,
  token: string,
  options: TokenValidationOptions | undefined,
): Promise<Record<string, unknown>> {
  const verified = await verifier.verify(token, rulesOf(options));
  switch (verified.kind) {
    case 'valid':
      return copied(verified.claims);
    case 'unavailable':
      throw new KeysUnavailableException(verified.retryAfterSeconds);
    case 'refused':
      throw new ScalekitValidateTokenFailureException(verified.reason, verified.description);
  }
}

/** Callers without types may give null where nothing is meant. */
function rulesOf(options: TokenValidationOptions | undefined): VerifierRules {
  const { issuer, audience, requiredScopes } = options ?? {};
  return {
    ...(issuer ? { issuer } : {}),
    ...(audience === undefined || audience === null ? {} : { audience }),
    ...(requiredScopes ? { requiredScopes } : {}),
  };
}

/** Claims are the caller's to change, as with Scalekit's SDK; the remembered ones must stay as signed. */
function copied(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...claims };
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === 'object' && value !== null) copy[name] = copiedValue(value);
  }
  return copy;
}

function copiedValue(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copiedValue);
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, copiedValue(member)]),
  );
}

/** One verifier per environment, so that keys and accepted tokens are remembered between calls. */
const verifiers = new Map<string, AccessTokenVerifier>();
const verifierLimit = 16;

/**
 * Validates an access token without a client: `validateToken(token, { issuer, audience, requiredScopes })`.
 * `issuer` is the environment URL E, or E/resources/id, and decides where keys are fetched (E/keys), so
 * it must come from configuration, never from a request or from the token.
 *
 * It differs from the method of Scalekit's SDK where that would let something else pass than an access
 * token: see `Gatewarden.validateToken`.
 *
 * @default issuer: the variable GATEWARDEN_ENVIRONMENT_URL, then SCALEKIT_ENVIRONMENT_URL
 * @throws {ScalekitValidateTokenFailureException} the token is refused; `code` says why
 * @throws {KeysUnavailableException} the key set cannot be had: answer 503, not 401
 * @throws {ConfigurationError} no issuer, or one that is not an https URL (http only at loopback)
 */
export async function validateToken<T = AccessTokenClaims>(
  token: string,
  options: TokenValidationOptions = {},
): Promise<T> {
  const issuer = options.issuer || environmentVariable();
  if (issuer === undefined)
    throw new ConfigurationError(
      'missing_issuer',
      'issuer and GATEWARDEN_ENVIRONMENT_URL are missing',
    );
  const claims = await claimsOf(verifierFor(issuer), token, { ...options, issuer });
  // The caller names the shape of the claims, as in Scalekit's SDK; no shape can be checked here.
  return claims as T;
}

function verifierFor(issuer: string): AccessTokenVerifier {
  const environmentUrl = issuer.replace(/\/resources\/res_[0-9A-Za-z]{1,64}\/*$/, '');
  const known = verifiers.get(environmentUrl);
  if (known) return known;
  const verifier = accessTokenVerifier({ environmentUrl });
  const [oldest] = verifiers.keys();
  if (oldest !== undefined && verifiers.size >= verifierLimit) verifiers.delete(oldest);
  verifiers.set(environmentUrl, verifier);
  return verifier;
}

/** The environment URL of the process's variables. */
export function environmentVariable(): string | undefined {
  return variable('GATEWARDEN_ENVIRONMENT_URL', 'SCALEKIT_ENVIRONMENT_URL', 'SCALEKIT_ENV_URL');
}
