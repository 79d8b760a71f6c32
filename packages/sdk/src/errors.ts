import type { VerifierReason } from '@gatewarden/resource-server/verifier';

/** What every error of this package is, under the name that Scalekit's SDK gave it. */
export class ScalekitException extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ScalekitException';
  }
}

/** A token that was refused. The message never holds any of the token; `code` is stable. */
export class ScalekitValidateTokenFailureException extends ScalekitException {
  readonly code: VerifierReason;

  constructor(code: VerifierReason, message: string) {
    super(message);
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
