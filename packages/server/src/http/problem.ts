import { DatabaseUnavailable } from '../storage/db.ts';
import { RequestError } from './request-error.ts';

/** An error as the outside sees it: nothing in here comes from an exception we did not write for the wire. */
export type Problem = {
  readonly status: number;
  /** Wire code, as in RFC 6749 §5.2. */
  readonly error: string;
  readonly description: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
};

/** Lets the protocols say what their own error looks like; undefined means "not mine". */
export type Explain = (error: unknown) => Problem | undefined;

/** Fastify's own refusals in our words: theirs repeat parts of the request. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'the body is too large'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'the body does not have the length that was announced'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, 'the body has a media type this endpoint does not read'],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'the body is not valid JSON'],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, 'the body is empty'],
  FST_ERR_BAD_URL: [400, 'the path is not correctly encoded'],
  FST_ERR_MAX_PARAM_LENGTH: [404, 'there is nothing at this address'],
};

/**
 * What an error becomes on the wire. Trouble with the database is 503 `temporarily_unavailable`, so that clients come back;
 * whatever nobody explains is a bug: 500 `server_error`, and only the log has the cause.
 */
export function problemFrom(error: unknown, explain: Explain = () => undefined): Problem {
  const explained = explain(error);
  if (explained) return explained;
  if (error instanceof RequestError) {
    const { status, error: code, message: description, headers } = error;
    return { status, error: code, description, headers };
  }
  if (error instanceof DatabaseUnavailable) {
    return {
      status: 503,
      error: 'temporarily_unavailable',
      description: 'the service is not available at the moment',
      headers: { 'retry-after': '1' },
    };
  }
  const known = FRAMEWORK_ERRORS[codeOf(error)];
  if (known) {
    const [status, description] = known;
    return { status, error: status === 404 ? 'not_found' : 'invalid_request', description };
  }
  return { status: 500, error: 'server_error', description: 'something went wrong on our side' };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}
