import { create, type JsonValue, toJson } from '@bufbuild/protobuf';
import { ConnectError } from '@connectrpc/connect';
import {
  type ErrorInfo,
  ErrorInfoSchema,
} from '@gatewarden/contract/scalekit/v1/errdetails/errdetails_pb';
import { DatabaseUnavailable } from '../storage/db.ts';
import { API_CODES, type ApiCode, ApiError } from './api-error.ts';

/** A failed management call, as every protocol says it. */
export type ApiFailure = {
  readonly code: ApiCode;
  readonly message: string;
  readonly info: ErrorInfo;
  readonly retryAfter: number | undefined;
  /** A bug or an outage of ours: the log gets the cause. */
  readonly ours: boolean;
};

const TYPE_URL = `type.googleapis.com/${ErrorInfoSchema.typeName}`;

/**
 * What an error becomes on the wire. Nothing of an error that was not written for callers goes out: trouble with the
 * database is `unavailable`, which callers repeat, all else is `internal`.
 */
export function apiFailure(error: unknown, requestId: string): ApiFailure {
  const known = asApiError(error);
  const info = create(ErrorInfoSchema, {
    errorCode: known.errorCode,
    requestInfo: { requestId },
    ...(known.fieldViolations.length > 0
      ? { validationErrorInfo: { fieldViolations: [...known.fieldViolations] } }
      : {}),
  });
  const ours = known.code === 'internal' || known.code === 'unavailable';
  return {
    code: known.code,
    message: known.message.toWellFormed(),
    info,
    retryAfter: known.retryAfter,
    ours,
  };
}

function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof DatabaseUnavailable) {
    return new ApiError(
      'unavailable',
      'TEMPORARILY_UNAVAILABLE',
      'the service is not available at the moment',
      { retryAfter: 1 },
    );
  }
  // Raised by the protocol layer before a handler ran: an unreadable message, a body over the limit, a bad deadline.
  const code = error instanceof ConnectError ? codeOf(error.code) : undefined;
  // It calls this one internal, as gRPC does; but it is the caller who sent it.
  if (error instanceof ConnectError && error.rawMessage.startsWith('parse binary: '))
    return new ApiError('invalid_argument', 'INVALID_ARGUMENT', 'the message cannot be read');
  if (error instanceof ConnectError && code && code !== 'internal' && code !== 'unknown') {
    return new ApiError(code, code.toUpperCase(), error.rawMessage);
  }
  return new ApiError('internal', 'INTERNAL', 'something went wrong on our side');
}

function codeOf(grpc: number): ApiCode | undefined {
  const found = Object.entries(API_CODES).find(([, numbers]) => numbers.grpc === grpc);
  return found?.[0] as ApiCode | undefined; // the keys of this very table
}

/** The failure as gRPC, gRPC-Web and Connect send it; the detail is always there, because clients read it unchecked. */
export function toConnectError(failure: ApiFailure): ConnectError {
  const metadata =
    failure.retryAfter === undefined ? undefined : { 'retry-after': String(failure.retryAfter) };
  const error = new ConnectError(failure.message, API_CODES[failure.code].grpc, metadata);
  error.details.push({ desc: ErrorInfoSchema, value: failure.info });
  return error;
}

/** The failure as the REST API sends it. */
export function toRestBody(failure: ApiFailure): JsonValue {
  const info = toJson(ErrorInfoSchema, failure.info, { useProtoFieldName: true });
  const members = typeof info === 'object' && info !== null && !Array.isArray(info) ? info : {};
  return {
    code: API_CODES[failure.code].grpc,
    message: failure.message,
    details: [{ '@type': TYPE_URL, ...members }],
  };
}
