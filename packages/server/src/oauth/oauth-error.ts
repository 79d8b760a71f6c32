/** Error codes that go on the wire, with where they are defined. */
export type OAuthErrorCode =
  // RFC 6749 section 4.1.2.1 and 5.2
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'access_denied'
  | 'server_error'
  | 'temporarily_unavailable'
  // RFC 8707 section 2
  | 'invalid_target'
  // OpenID Connect Core section 3.1.2.6
  | 'login_required'
  | 'consent_required'
  | 'interaction_required'
  | 'account_selection_required'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  // RFC 7591 section 3.2.2
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'invalid_software_statement'
  | 'unapproved_software_statement'
  // RFC 6750 section 3.1
  | 'invalid_token'
  | 'insufficient_scope'
  // Ours: an address that leads nowhere, a method that is not offered there, a body that is too large or of another type
  | 'not_found'
  | 'method_not_allowed'
  | 'payload_too_large'
  | 'unsupported_media_type';

const STATUS: Partial<Record<OAuthErrorCode, number>> = {
  invalid_client: 401,
  invalid_token: 401,
  access_denied: 403,
  insufficient_scope: 403,
  not_found: 404,
  method_not_allowed: 405,
  payload_too_large: 413,
  unsupported_media_type: 415,
  server_error: 500,
  temporarily_unavailable: 503,
};

export type OAuthErrorOptions = {
  /** For the log and the timeline only; never on the wire. */
  readonly detail?: string;
  readonly retryAfterSeconds?: number;
  /** Where the status does not follow from the code: 429 for a rate limit. */
  readonly status?: number;
  /** Challenge of a 401 (RFC 6749 section 5.2). */
  readonly wwwAuthenticate?: string;
  readonly allow?: string;
  readonly cause?: unknown;
};

/** The one error of the OAuth endpoints. The description goes on the wire, the detail only to the log. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode;
  readonly description: string;
  readonly status: number;
  readonly detail: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: OAuthErrorCode, description: string, options: OAuthErrorOptions = {}) {
    super(`${code}: ${description}`, options.cause === undefined ? {} : { cause: options.cause });
    this.name = 'OAuthError';
    this.code = code;
    this.description = wireText(description);
    this.status = options.status ?? STATUS[code] ?? 400;
    this.detail = options.detail;
    this.headers = {
      ...(options.retryAfterSeconds === undefined
        ? {}
        : { 'retry-after': String(options.retryAfterSeconds) }),
      ...(options.wwwAuthenticate === undefined
        ? {}
        : { 'www-authenticate': options.wwwAuthenticate }),
      ...(options.allow === undefined ? {} : { allow: options.allow }),
    };
  }
}

/** Trouble on our side (AS-89): clients keep their tokens and come back. */
export function temporarilyUnavailable(detail: string, cause?: unknown): OAuthError {
  return new OAuthError(
    'temporarily_unavailable',
    'the server cannot answer at the moment, try again shortly',
    { detail, retryAfterSeconds: 5, cause },
  );
}

/** A rate limit was reached (AS-139). */
export function tooManyRequests(retryAfterSeconds: number, detail: string): OAuthError {
  return new OAuthError('temporarily_unavailable', 'too many requests, try again later', {
    status: 429,
    retryAfterSeconds,
    detail,
  });
}

/** Characters that RFC 6749 allows in an error description: printable ASCII without quote and backslash. */
export function wireText(text: string): string {
  return text.replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
