import type { DescService } from '@bufbuild/protobuf';
import type { Client } from '@connectrpc/connect';
import { ConfigurationError } from '@gatewarden/resource-server';
import {
  type AccessTokenVerifier,
  accessTokenVerifier,
  type VerifierOptions,
} from '@gatewarden/resource-server/verifier';
import {
  type AuthorizationUrlOptions,
  authorizationUrl,
  type LogoutUrlOptions,
  logoutUrl,
} from './browser-urls.ts';
import { type Calls, createCalls } from './calls.ts';
import { clientToken } from './client-token.ts';
import { AuthClient } from './clients/auth.ts';
import { ConnectionClient } from './clients/connection.ts';
import { DirectoryClient } from './clients/directory.ts';
import { DomainClient } from './clients/domain.ts';
import { EventsClient } from './clients/events.ts';
import { M2MClient } from './clients/m2m.ts';
import { OrganizationClient } from './clients/organization.ts';
import { PasswordlessClient } from './clients/passwordless.ts';
import { PermissionClient } from './clients/permission.ts';
import { RoleClient } from './clients/role.ts';
import { SessionClient } from './clients/session.ts';
import { TokenClient } from './clients/token.ts';
import { UserClient } from './clients/user.ts';
import { WebAuthnClient } from './clients/webauthn.ts';
import { ScalekitException } from './errors.ts';
import { checkScopes } from './granted-scopes.ts';
import { type OwnServices, ownServices } from './own-services.ts';
import { variable } from './runtime/environment.ts';
import { type Outside, outsideOf } from './runtime/outside.ts';
import {
  type AuthenticationOptions,
  type AuthenticationResponse,
  type RefreshTokenResponse,
  signedIn,
} from './sign-in.ts';
import { type JwtVerifier, jwtVerifier } from './signed-jwt.ts';
import {
  type RawBody,
  type RequestHeaders,
  verifySigned,
  verifySignedLater,
} from './signed-payload.ts';
import { requestToken, type TokenAnswer } from './token-endpoint.ts';
import {
  type AccessTokenClaims,
  claimsOf,
  environmentVariable,
  type TokenValidationOptions,
} from './validate-token.ts';

/** The last argument of the constructor. */
export type GatewardenOptions = Omit<VerifierOptions, 'environmentUrl'> & {
  /** Milliseconds for each attempt of a call, and for each request to the token endpoint. @default 20000 */
  readonly timeoutMs?: number;
  /** Accepted so that a call need not change. */
  readonly toolTimeoutMs?: number;
  /** How often a call that found the server unavailable is repeated, where that changes nothing. @default 3 */
  readonly retries?: number;
  /** Milliseconds before the first repetition, halved at random; the next ones wait twice as long each. @default 1000 */
  readonly firstWaitMs?: number;
};

/** What an identity provider that began a sign-in by itself says; give it to `getAuthorizationUrl`. */
export type IdpInitiatedLoginClaims = {
  readonly connection_id: string;
  readonly organization_id: string;
  readonly login_hint: string;
  readonly relay_state?: string;
};

/**
 * The client that code written for Scalekit's Node SDK expects: `new Gatewarden(environmentUrl, clientId,
 * clientSecret)`. Arguments that are left out come from the variables GATEWARDEN_ENVIRONMENT_URL,
 * GATEWARDEN_CLIENT_ID and GATEWARDEN_CLIENT_SECRET, then from those that begin with SCALEKIT_. A class, because the
 * original is one. Make one for the process: it keeps the client's own token and the keys of the environment.
 *
 * @throws {ConfigurationError} missing_issuer, invalid_url: no environment URL, or not https (http only at loopback)
 * @throws {ConfigurationError} invalid_option: a time or number that cannot be meant
 */
export class Gatewarden {
  /** E, as it was given. */
  readonly environmentUrl: string;
  readonly clientId: string | undefined;
  readonly organization: OrganizationClient;
  readonly connection: ConnectionClient;
  readonly domain: DomainClient;
  readonly directory: DirectoryClient;
  readonly passwordless: PasswordlessClient;
  readonly user: UserClient;
  readonly session: SessionClient;
  readonly role: RoleClient;
  readonly permission: PermissionClient;
  readonly auth: AuthClient;
  readonly webauthn: WebAuthnClient;
  readonly token: TokenClient;
  readonly m2m: M2MClient;
  readonly events: EventsClient;
  /** What Scalekit's SDK has not: webhook endpoints, signing keys and the like. */
  readonly gatewarden: OwnServices;
  readonly #secret: string | undefined;
  readonly #issuer: string;
  readonly #timeoutMs: number;
  readonly #outside: Outside;
  readonly #verifier: AccessTokenVerifier;
  readonly #jwts: JwtVerifier;
  readonly #calls: Calls;

  constructor(
    environmentUrl?: string,
    clientId?: string,
    clientSecret?: string,
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
    this.#secret = clientSecret || variable('GATEWARDEN_CLIENT_SECRET', 'SCALEKIT_CLIENT_SECRET');
    this.#verifier = accessTokenVerifier({ ...options, environmentUrl: given });
    this.#issuer = given.replace(/\/+$/, '');
    this.#timeoutMs = milliseconds('timeoutMs', options.timeoutMs ?? 20_000);
    this.#outside = outsideOf(options);
    this.#jwts = jwtVerifier(this.#issuer, {
      fetch: this.#outside.fetch,
      now: this.#outside.now,
      timeoutMs: Math.min(this.#timeoutMs, 5_000),
      algorithms: options.algorithms ?? ['RS256'],
      clockSkewSeconds: options.clockSkewSeconds ?? 30,
    });
    const calls = createCalls({
      environmentUrl: this.#issuer,
      timeoutMs: this.#timeoutMs,
      retries: times('retries', options.retries ?? 3),
      firstWaitMs: milliseconds('firstWaitMs', options.firstWaitMs ?? 1_000),
      token: clientToken(() => this.#request(this.#own()), this.#outside.now),
      outside: this.#outside,
    });
    this.#calls = calls;
    this.organization = new OrganizationClient(calls);
    this.connection = new ConnectionClient(calls);
    this.domain = new DomainClient(calls);
    this.directory = new DirectoryClient(calls);
    this.passwordless = new PasswordlessClient(calls);
    this.user = new UserClient(calls);
    this.session = new SessionClient(calls);
    this.role = new RoleClient(calls);
    this.permission = new PermissionClient(calls);
    this.auth = new AuthClient(calls);
    this.webauthn = new WebAuthnClient(calls);
    this.token = new TokenClient(calls);
    this.m2m = new M2MClient(calls);
    this.events = new EventsClient(calls);
    this.gatewarden = ownServices(calls);
  }

  /** Any service of the contract, with the token, time limits, repetition and errors of this client. */
  service<S extends DescService>(service: S): Client<S> {
    return this.#calls(service);
  }

  /**
   * Where to send a browser to sign in.
   *
   * @param redirectUri one of those that are registered, where the browser comes back
   */
  getAuthorizationUrl(redirectUri: string, options?: AuthorizationUrlOptions): string {
    return authorizationUrl(this.#issuer, this.#ownId(), redirectUri, options);
  }

  /** Where to send a browser to sign out. */
  getLogoutUrl(options?: LogoutUrlOptions): string {
    return logoutUrl(this.#issuer, options);
  }

  /**
   * Exchanges the code that a browser came back with (RFC 6749 §4.1.3). The ID token is verified.
   *
   * @throws {ScalekitServerException} the code is wrong, used or too old
   * @throws {ScalekitValidateTokenFailureException} the ID token is not for this client, or not of this sign-in
   */
  async authenticateWithCode(
    code: string,
    redirectUri: string,
    options: AuthenticationOptions = {},
  ): Promise<AuthenticationResponse> {
    const answer = await this.#request({
      ...this.#own(),
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: options.codeVerifier,
    });
    const rules = { issuer: this.#issuer, clientId: this.#ownId(), nonce: options.nonce };
    return await signedIn(answer, rules, this.#jwts);
  }

  /**
   * Redeems a refresh token (RFC 6749 §6). Keep the new one: the old one is used up.
   *
   * @throws {ScalekitServerException} it is unknown, ended, revoked or was used before
   */
  async refreshAccessToken(refreshToken: string): Promise<RefreshTokenResponse> {
    if (!refreshToken) throw new ScalekitException('Refresh token is required');
    const answer = await this.#request({
      ...this.#own(),
      grant_type: 'refresh_token',
      refresh_token: refreshToken,
    });
    const { accessToken, expiresIn, idToken } = answer;
    if (!answer.refreshToken)
      throw new ScalekitException('Missing refresh_token in authentication response');
    return { accessToken, refreshToken: answer.refreshToken, expiresIn, idToken };
  }

  /**
   * An access token of a client, by its own credentials (RFC 6749 §4.4).
   *
   * @throws {ScalekitServerException} they are wrong, or the server cannot be reached
   */
  async generateClientToken(clientId: string, clientSecret: string): Promise<string> {
    const credentials = { client_id: clientId, client_secret: clientSecret };
    const { accessToken } = await this.#request({
      ...credentials,
      grant_type: 'client_credentials',
    });
    return accessToken;
  }

  /** An access token of this client itself, a new one each time. */
  async getClientAccessToken(): Promise<string> {
    const { accessToken } = await this.#request(this.#own());
    return accessToken;
  }

  /**
   * Reads the `idp_initiated_login` parameter that the initiate-login URL was called with.
   *
   * @throws {ScalekitValidateTokenFailureException} the server did not issue it, or not within the last minutes
   */
  async getIdpInitiatedLoginClaims(
    idpInitiatedLoginToken: string,
    options: TokenValidationOptions = {},
  ): Promise<IdpInitiatedLoginClaims> {
    const claims = await this.#jwts(idpInitiatedLoginToken, {
      typ: 'idp-login+jwt',
      issuer: options.issuer || this.#issuer,
      audience: options.audience,
    });
    // The server writes exactly these into this kind of token, which `typ` tells from every other.
    return claims as unknown as IdpInitiatedLoginClaims;
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

  /**
   * Whether a token that was validated names all these scopes. It does not validate: `validateToken` with
   * `requiredScopes` does both.
   *
   * @throws {ScalekitValidateTokenFailureException} one is missing, or it is no token
   */
  verifyScopes(token: string, requiredScopes: readonly string[]): boolean {
    return checkScopes(token, requiredScopes);
  }

  /**
   * Whether a webhook was sent by the server within the last five minutes. `payload` is the body as it arrived.
   *
   * @throws {WebhookVerificationError} it was not; or this runtime cannot say at once: then use `verifyWebhook`
   */
  verifyWebhookPayload(secret: string, headers: RequestHeaders, payload: RawBody): boolean {
    return verifySigned('webhook', secret, headers, payload, this.#outside.now());
  }

  /** The same for a call of an interceptor. @throws {WebhookVerificationError} */
  verifyInterceptorPayload(secret: string, headers: RequestHeaders, payload: RawBody): boolean {
    return verifySigned('interceptor', secret, headers, payload, this.#outside.now());
  }

  /** `verifyWebhookPayload` for runtimes that have Web Crypto alone. @throws {WebhookVerificationError} */
  async verifyWebhook(secret: string, headers: RequestHeaders, payload: RawBody): Promise<true> {
    return await verifySignedLater('webhook', secret, headers, payload, this.#outside.now());
  }

  /** `verifyInterceptorPayload` for runtimes that have Web Crypto alone. @throws {WebhookVerificationError} */
  async verifyInterceptor(
    secret: string,
    headers: RequestHeaders,
    payload: RawBody,
  ): Promise<true> {
    return await verifySignedLater('interceptor', secret, headers, payload, this.#outside.now());
  }

  #ownId(): string {
    if (this.clientId) return this.clientId;
    throw new ScalekitException('clientId and GATEWARDEN_CLIENT_ID are missing');
  }

  #own(): Record<string, string> {
    const id = this.#ownId();
    if (!this.#secret)
      throw new ScalekitException('clientSecret and GATEWARDEN_CLIENT_SECRET are missing');
    return { grant_type: 'client_credentials', client_id: id, client_secret: this.#secret };
  }

  async #request(parameters: Record<string, string | undefined>): Promise<TokenAnswer> {
    const endpoint = {
      url: `${this.#issuer}/oauth/token`,
      timeoutMs: this.#timeoutMs,
      fetch: this.#outside.fetch,
    };
    return await requestToken(endpoint, parameters);
  }
}

function milliseconds(name: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new ConfigurationError('invalid_option', `${name} must be a positive number`);
}

function times(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw new ConfigurationError('invalid_option', `${name} must be 0 or a positive whole number`);
}
