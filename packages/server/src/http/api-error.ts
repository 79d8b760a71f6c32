/** The codes of the management API with their gRPC number and HTTP status. */
export const API_CODES = {
  cancelled: { grpc: 1, http: 499 },
  unknown: { grpc: 2, http: 500 },
  invalid_argument: { grpc: 3, http: 400 },
  deadline_exceeded: { grpc: 4, http: 504 },
  not_found: { grpc: 5, http: 404 },
  already_exists: { grpc: 6, http: 409 },
  permission_denied: { grpc: 7, http: 403 },
  resource_exhausted: { grpc: 8, http: 429 },
  failed_precondition: { grpc: 9, http: 400 },
  aborted: { grpc: 10, http: 409 },
  out_of_range: { grpc: 11, http: 400 },
  unimplemented: { grpc: 12, http: 501 },
  internal: { grpc: 13, http: 500 },
  unavailable: { grpc: 14, http: 503 },
  data_loss: { grpc: 15, http: 500 },
  unauthenticated: { grpc: 16, http: 401 },
} as const;

export type ApiCode = keyof typeof API_CODES;

/** A field of the request that breaks a rule, in the names of the contract: `role.name`. */
export type FieldViolation = {
  readonly field: string;
  readonly description: string;
  readonly constraint: string;
};

/**
 * The one error of the management API. The message and the error code go on the wire.
 *
 * `unauthenticated` is for the caller's own token and nothing else: client libraries answer it by fetching a new token and
 * calling again, some of them without end.
 */
export class ApiError extends Error {
  readonly code: ApiCode;
  /** Stable, for programs: `ROLE_NOT_FOUND`. */
  readonly errorCode: string;
  readonly fieldViolations: readonly FieldViolation[];
  /** Seconds until it makes sense to call again. */
  readonly retryAfter: number | undefined;

  constructor(
    code: ApiCode,
    errorCode: string,
    message: string,
    options: {
      readonly fieldViolations?: readonly FieldViolation[];
      readonly retryAfter?: number;
    } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.errorCode = errorCode;
    this.fieldViolations = options.fieldViolations ?? [];
    this.retryAfter = options.retryAfter;
  }
}
