import { Code, ConnectError } from '@connectrpc/connect';
import {
  type ErrorInfo,
  ErrorInfoSchema,
} from '@gatewarden/contract/scalekit/v1/errdetails/errdetails_pb';
import { ScalekitException } from './errors.ts';

/** An answer of the token endpoint that is not 200. */
export type HttpFailure = {
  readonly status: number;
  readonly statusText: string;
  /** The parsed body (RFC 6749 §5.2), or its text. */
  readonly data: unknown;
};

/** Status of the HTTP answer that says the same (contract section 5). */
const HTTP_STATUS: Readonly<Record<Code, number>> = {
  [Code.Canceled]: 499,
  [Code.Unknown]: 500,
  [Code.InvalidArgument]: 400,
  [Code.DeadlineExceeded]: 504,
  [Code.NotFound]: 404,
  [Code.AlreadyExists]: 409,
  [Code.PermissionDenied]: 403,
  [Code.ResourceExhausted]: 429,
  [Code.FailedPrecondition]: 400,
  [Code.Aborted]: 409,
  [Code.OutOfRange]: 400,
  [Code.Unimplemented]: 501,
  [Code.Internal]: 500,
  [Code.Unavailable]: 503,
  [Code.DataLoss]: 500,
  [Code.Unauthenticated]: 401,
};

const CODE_OF_STATUS: Readonly<Record<number, Code>> = {
  400: Code.InvalidArgument,
  401: Code.Unauthenticated,
  403: Code.PermissionDenied,
  404: Code.NotFound,
  409: Code.AlreadyExists,
  429: Code.ResourceExhausted,
  500: Code.Internal,
  501: Code.Unimplemented,
  502: Code.Unavailable,
  503: Code.Unavailable,
  504: Code.DeadlineExceeded,
};

function memberOf(data: unknown, name: string): string | undefined {
  if (typeof data !== 'object' || data === null || !(name in data)) return undefined;
  const value: unknown = Reflect.get(data, name);
  return typeof value === 'string' ? value : undefined;
}

function describe(error: ConnectError | HttpFailure): string {
  if (error instanceof ConnectError) return error.message;
  const code = memberOf(error.data, 'error') ?? `status ${error.status}`;
  const description = memberOf(error.data, 'error_description');
  return description ? `${code}: ${description}` : code;
}

/**
 * The server refused a call, or could not be reached. `instanceof` tells which of the classes below; the message
 * begins with the code in brackets where a method was called.
 */
export class ScalekitServerException extends ScalekitException {
  readonly grpcStatus: Code;
  readonly httpStatus: number;
  /** Stable name of the reason: of the first `ErrorInfo`, or `error` of the token endpoint. */
  readonly errorCode: string | null;
  /** Every `ErrorInfo`, or the body of the token endpoint's answer. */
  readonly errDetails: unknown;
  readonly unpackedDetails: ErrorInfo[];

  constructor(error: ConnectError | HttpFailure) {
    super(describe(error), error instanceof ConnectError ? { cause: error } : undefined);
    if (error instanceof ConnectError) {
      this.unpackedDetails = error.findDetails(ErrorInfoSchema);
      this.grpcStatus = error.code;
      this.httpStatus = HTTP_STATUS[error.code] ?? 500;
      this.errorCode = this.unpackedDetails[0]?.errorCode || null;
      this.errDetails = this.unpackedDetails;
    } else {
      this.unpackedDetails = [];
      this.grpcStatus = CODE_OF_STATUS[error.status] ?? Code.Unknown;
      this.httpStatus = error.status;
      this.errorCode = memberOf(error.data, 'error') ?? error.statusText;
      this.errDetails = error.data;
    }
    // Not `new.target.name`: bundlers rename classes.
    this.name = 'ScalekitServerException';
  }

  /** The class that fits, as every method of the client throws it. */
  static promote(error: ConnectError | HttpFailure): ScalekitServerException {
    const code =
      error instanceof ConnectError ? error.code : (CODE_OF_STATUS[error.status] ?? Code.Unknown);
    const Specific = CLASSES[code] ?? ScalekitUnknownException;
    return new Specific(error);
  }
}

/** INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE: also duplicates and what is still in use. */
export class ScalekitBadRequestException extends ScalekitServerException {
  override name = 'ScalekitBadRequestException';
}

/** UNAUTHENTICATED: the client's own id or secret is wrong. */
export class ScalekitUnauthorizedException extends ScalekitServerException {
  override name = 'ScalekitUnauthorizedException';
}

/** PERMISSION_DENIED. */
export class ScalekitForbiddenException extends ScalekitServerException {
  override name = 'ScalekitForbiddenException';
}

/** NOT_FOUND. */
export class ScalekitNotFoundException extends ScalekitServerException {
  override name = 'ScalekitNotFoundException';
}

/** ALREADY_EXISTS, ABORTED. */
export class ScalekitConflictException extends ScalekitServerException {
  override name = 'ScalekitConflictException';
}

/** RESOURCE_EXHAUSTED: never repeated by this client. */
export class ScalekitTooManyRequestsException extends ScalekitServerException {
  override name = 'ScalekitTooManyRequestsException';
}

/** UNKNOWN, INTERNAL, DATA_LOSS. */
export class ScalekitInternalServerException extends ScalekitServerException {
  override name = 'ScalekitInternalServerException';
}

/** UNIMPLEMENTED. */
export class ScalekitNotImplementedException extends ScalekitServerException {
  override name = 'ScalekitNotImplementedException';
}

/** UNAVAILABLE, and no connection at all. */
export class ScalekitServiceUnavailableException extends ScalekitServerException {
  override name = 'ScalekitServiceUnavailableException';
}

/** DEADLINE_EXCEEDED: no answer within `timeoutMs`. */
export class ScalekitGatewayTimeoutException extends ScalekitServerException {
  override name = 'ScalekitGatewayTimeoutException';
}

/** CANCELLED: the caller's signal was aborted. */
export class ScalekitCancelledException extends ScalekitServerException {
  override name = 'ScalekitCancelledException';
}

/** A status that means nothing of the above. */
export class ScalekitUnknownException extends ScalekitServerException {
  override name = 'ScalekitUnknownException';
}

const CLASSES: Readonly<Record<Code, typeof ScalekitServerException>> = {
  [Code.Canceled]: ScalekitCancelledException,
  [Code.Unknown]: ScalekitInternalServerException,
  [Code.InvalidArgument]: ScalekitBadRequestException,
  [Code.DeadlineExceeded]: ScalekitGatewayTimeoutException,
  [Code.NotFound]: ScalekitNotFoundException,
  [Code.AlreadyExists]: ScalekitConflictException,
  [Code.PermissionDenied]: ScalekitForbiddenException,
  [Code.ResourceExhausted]: ScalekitTooManyRequestsException,
  [Code.FailedPrecondition]: ScalekitBadRequestException,
  [Code.Aborted]: ScalekitConflictException,
  [Code.OutOfRange]: ScalekitBadRequestException,
  [Code.Unimplemented]: ScalekitNotImplementedException,
  [Code.Internal]: ScalekitInternalServerException,
  [Code.Unavailable]: ScalekitServiceUnavailableException,
  [Code.DataLoss]: ScalekitInternalServerException,
  [Code.Unauthenticated]: ScalekitUnauthorizedException,
};
