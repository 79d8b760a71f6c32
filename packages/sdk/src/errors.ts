import type { VerifierReason } from '@gatewarden/resource-server/verifier';

/** What every error of this package is, under the name that Scalekit's SDK gave it. */
export class ScalekitException extends Error {
  constructor(error: unknown, options?: ErrorOptions) {
    super(messageOf(error), options);
    this.name = 'ScalekitException';
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  return typeof error === 'string' && error !== '' ? error : 'Unknown error';
}

/** A webhook or an interceptor call that was not sent by the server, or not now. Answer 400. */
export class WebhookVerificationError extends ScalekitException {
  constructor(error: unknown) {
    super(error);
    this.name = 'WebhookVerificationError';
  }
}

/** Why a token was refused. `not_active`: the server does not know it as an API key, or no longer. */
export type TokenRefusal = VerifierReason | 'nonce' | 'not_active';

/** A token that was refused. The message never holds any of the token; `code` is stable. */
export class ScalekitValidateTokenFailureException extends ScalekitException {
  readonly code: TokenRefusal;

  constructor(code: TokenRefusal, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ScalekitValidateTokenFailureException';
    this.code = code;
  }
}

/** The key set of the environment cannot be had, which says nothing about the token: answer 503, not 401. */
export class KeysUnavailableException extends ScalekitException {
  readonly code = 'keys_unavailable';
  /** Seconds. */
  readonly retryAfterSeconds: number;

  constructor(retryAfterSeconds: number) {
    super('Access tokens cannot be checked at the moment');
    this.name = 'KeysUnavailableException';
    this.retryAfterSeconds = retryAfterSeconds;
  }
}
