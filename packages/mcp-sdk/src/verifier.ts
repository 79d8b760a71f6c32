import {
  type GuardRequest,
  type McpAuth,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';
import { KeysUnavailableError } from './errors.ts';

/** `OAuthTokenVerifier` of the MCP SDK, in both majors. */
export type AccessTokenVerifier = {
  /** @throws what `invalidToken` makes, for a token that is not good; {@link KeysUnavailableError} when that cannot be said */
  verifyAccessToken(token: string): Promise<McpAuth>;
};

/** The SDK tells errors apart by their class, so it has to lend its own. */
export type VerifierErrors = {
  /**
   * Makes the error that means 401. SDK 1.x: `(text) => new InvalidTokenError(text)`; 2.x:
   * `(text) => new OAuthError(OAuthErrorCode.InvalidToken, text)`.
   */
  readonly invalidToken: (description: string) => Error;
};

/**
 * Validates tokens for `requireBearerAuth` of the MCP SDK: signature, issuer, audience, type, times and
 * revocation, as `protectMcp` does, with the caller as `AuthInfo` (RS-26).
 *
 * A verifier sees the token and nothing else. Metadata, CORS, `Origin`, strict bodies and scopes per tool
 * are not its business: for those put `@gatewarden/express` in front instead. `baseScopes` is not looked at
 * either; give `requiredScopes` to `requireBearerAuth`.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function accessTokenVerifier<const S extends string>(
  server: McpServerOptions<S>,
  errors: VerifierErrors,
): AccessTokenVerifier {
  // What concerns a whole request is off, so that only the token can be a reason to refuse.
  const guard = protectMcp({
    ...server,
    baseScopes: [],
    checkOrigin: false,
    bindSessions: false,
    publicPaths: [],
  });
  const target = server.path ?? new URL(server.serverUrl).pathname;
  return {
    async verifyAccessToken(token) {
      const decision = await guard.decide(requestWith(token, target));
      if (decision.kind === 'allow') return decision.auth;
      if (decision.kind === 'respond' && [400, 401].includes(decision.status)) {
        throw errors.invalidToken(descriptionOf(decision.body));
      }
      const wait =
        decision.kind === 'respond' ? Number(decision.headers['retry-after']) : Number.NaN;
      throw new KeysUnavailableError(Number.isFinite(wait) ? wait : 1);
    },
  };
}

/** A request that carries a token and nothing else. DELETE, because it has neither a body nor a stream. */
function requestWith(token: string, target: string): GuardRequest {
  return {
    method: 'DELETE',
    target,
    header: (name) => (name === 'authorization' ? [`Bearer ${token}`] : []),
    hasBody: false,
    body: async () => ({ kind: 'unreadable' }),
    localAddress: undefined,
  };
}

/** The guard's own fixed text; never anything of the token (RS-12). */
function descriptionOf(body: string | undefined): string {
  const parsed: unknown = JSON.parse(body ?? '{}');
  const description =
    typeof parsed === 'object' && parsed !== null && 'error_description' in parsed
      ? parsed.error_description
      : undefined;
  return typeof description === 'string' ? description : 'The access token is not valid';
}
