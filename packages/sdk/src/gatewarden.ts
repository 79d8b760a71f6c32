import { ConfigurationError } from '@gatewarden/resource-server';
import {
  type AccessTokenVerifier,
  accessTokenVerifier,
  type VerifierOptions,
} from '@gatewarden/resource-server/verifier';
import { variable } from './runtime/environment.ts';
import {
  type AccessTokenClaims,
  claimsOf,
  environmentVariable,
  type TokenValidationOptions,
} from './validate-token.ts';

/** The last argument of the constructor. */
export type GatewardenOptions = Omit<VerifierOptions, 'environmentUrl'> & {
  /** Accepted so that a call need not change; fetching keys has a limit of its own, 5 seconds. */
  readonly timeoutMs?: number;
  /** Accepted so that a call need not change. */
  readonly toolTimeoutMs?: number;
};

/**
 * The client that code written for Scalekit's Node SDK expects: `new Gatewarden(environmentUrl, clientId,
 * clientSecret)`. Arguments that are left out come from the variables GATEWARDEN_ENVIRONMENT_URL and
 * GATEWARDEN_CLIENT_ID, then from those that begin with SCALEKIT_. A class, because the original is one.
 *
 * @throws {ConfigurationError} missing_issuer, invalid_url: no environment URL, or not https (http only at loopback)
 */
export class Gatewarden {
  /** E, as it was given. */
  readonly environmentUrl: string;
  readonly clientId: string | undefined;
  readonly #verifier: AccessTokenVerifier;

  /** The secret is taken so that calls need no change, and not kept: validating tokens needs none. */
  constructor(
    environmentUrl?: string,
    clientId?: string,
    _clientSecret?: string,
    options: GatewardenOptions = {},
  ) {
    const given = environmentUrl || environmentVariable();
    if (given === undefined)
      throw new ConfigurationError(
        'missing_issuer',
        'environmentUrl and GATEWARDEN_ENVIRONMENT_URL are missing',
      );
    this.environmentUrl = given;
    this.clientId = clientId || variable('GATEWARDEN_CLIENT_ID', 'SCALEKIT_CLIENT_ID');
    this.#verifier = accessTokenVerifier({ ...options, environmentUrl: given });
  }

  /**
   * Validates an access token and returns its claims. Result and errors are those of Scalekit's SDK;
   * refused is what that one lets pass although it is no access token of this environment (RS-28):
   *
   * - any `iss` but the environment URL, unless `issuer` names another; it is compared always;
   * - ID tokens and other kinds of JWT: `typ` must be at+jwt, or JWT with `client_id`, `sub` and `jti`
   *   and without the claims of other kinds (RFC 8725 §3.11);
   * - tokens whose `scope` and `scopes` disagree; with one of them, that one counts;
   * - tokens without `exp`, without `kid`, or bound to a key (`cnf`).
   *
   * Clocks may differ by 30 seconds (`clockSkewSeconds`). A key that is not known yet is looked for again,
   * so a rotation needs no restart. Without `audience` a token of any application of the environment passes.
   * Revoked tokens pass until they end, as with Scalekit's SDK; `protectMcp` refuses them.
   *
   * @throws {ScalekitValidateTokenFailureException} the token is refused; `code` says why
   * @throws {KeysUnavailableException} the key set cannot be had: answer 503, not 401
   */
  async validateToken<T = AccessTokenClaims>(
    token: string,
    options?: TokenValidationOptions,
  ): Promise<T> {
    const claims = await claimsOf(this.#verifier, token, options);
    // The caller names the shape of the claims, as in Scalekit's SDK; no shape can be checked here.
    return claims as T;
  }

  /** Whether `validateToken` accepts the token. False also when the key set cannot be had, as with Scalekit's SDK. */
  async validateAccessToken(token: string, options?: TokenValidationOptions): Promise<boolean> {
    try {
      await claimsOf(this.#verifier, token, options);
      return true;
    } catch {
      return false;
    }
  }
}
