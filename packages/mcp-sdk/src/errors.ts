/**
 * Nobody can say at the moment whether the token is good: the authorization server or its revocation feed
 * cannot be reached. It is none of the SDK's errors on purpose: `requireBearerAuth` then answers 500 and not
 * 401, so that clients keep their tokens (RS-31).
 */
export class KeysUnavailableError extends Error {
  /** After how many seconds it is worth trying again. */
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('Access tokens cannot be checked at the moment');
    this.name = 'KeysUnavailableError';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
