import { createRemoteJWKSet, customFetch, errors, type JWTPayload, jwtVerify } from 'jose';
import {
  KeysUnavailableException,
  ScalekitValidateTokenFailureException,
  type TokenRefusal,
} from './errors.ts';
import type { Outside } from './runtime/outside.ts';

export type JwtRules = {
  /** The one `typ` that passes; each kind of JWT of the server has its own (RFC 8725 §3.11). */
  readonly typ: string;
  readonly issuer: string;
  /** @default whatever the token names */
  readonly audience?: string | readonly string[] | undefined;
};

export type JwtVerifier = (token: string, rules: JwtRules) => Promise<JWTPayload>;

/**
 * Verifies the JWTs of the environment that are no access tokens. Keys are remembered; one that is not known is looked
 * for again, at most every 30 seconds.
 */
export function jwtVerifier(
  environmentUrl: string,
  settings: {
    readonly fetch: Outside['fetch'];
    readonly now: Outside['now'];
    readonly timeoutMs: number;
    readonly algorithms: readonly string[];
    readonly clockSkewSeconds: number;
  },
): JwtVerifier {
  const keys = createRemoteJWKSet(new URL(`${environmentUrl}/keys`), {
    timeoutDuration: settings.timeoutMs,
    [customFetch]: (url, init) => settings.fetch(url, init),
  });
  return async (token, { typ, issuer, audience }) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        typ,
        issuer,
        algorithms: [...settings.algorithms],
        requiredClaims: ['exp', 'iat'],
        clockTolerance: settings.clockSkewSeconds,
        currentDate: settings.now(),
        ...(audience === undefined
          ? {}
          : { audience: typeof audience === 'string' ? audience : [...audience] }),
      });
      return payload;
    } catch (error) {
      const code = refusalOf(error);
      if (!code) throw new KeysUnavailableException(30);
      throw new ScalekitValidateTokenFailureException(code, messages[code] ?? 'Invalid token');
    }
  };
}

/** Texts of our own: those of the library name claims and values of the token. */
const messages: Partial<Record<TokenRefusal, string>> = {
  expired: 'The token has expired',
  issuer: 'The token was issued by another server',
  audience: 'The token was issued for another client',
  type: 'This is another kind of token',
  signature: 'The signature of the token is not valid',
  unknown_key: 'The token is signed with an unknown key',
  algorithm: 'The token is signed with an algorithm that is not accepted',
  missing_claim: 'The token lacks a required claim',
  malformed: 'The token is malformed',
};

const CLAIMS: Readonly<Record<string, TokenRefusal>> = {
  aud: 'audience',
  iss: 'issuer',
  typ: 'type',
  nbf: 'not_yet_valid',
};

/** Nothing where the token is not to blame. */
function refusalOf(error: unknown): TokenRefusal | undefined {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWTClaimValidationFailed)
    return CLAIMS[error.claim] ?? 'missing_claim';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
  if (error instanceof errors.JWKSMultipleMatchingKeys) return 'unknown_key';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) return 'malformed';
  if (error instanceof errors.JOSENotSupported) return 'malformed';
  return undefined;
}
