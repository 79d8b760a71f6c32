/** HTTP's own reasons to refuse a request, before any protocol has looked at it. */
export type RequestErrorStatus = 400 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 431 | 503;

/**
 * The one error of the HTTP edge. The description goes on the wire: it says what is wrong with the request and never repeats
 * what was sent.
 */
export class RequestError extends Error {
  readonly status: RequestErrorStatus;
  /** Wire code of the answer (RFC 6749 §5.2 names it `error`). */
  readonly error: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: RequestErrorStatus,
    description: string,
    options: { readonly error?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(description);
    this.name = 'RequestError';
    this.status = status;
    this.error = options.error ?? defaultCode(status);
    this.headers = options.headers ?? {};
  }
}

function defaultCode(status: RequestErrorStatus): string {
  if (status === 404) return 'not_found';
  return status === 429 || status === 503 ? 'temporarily_unavailable' : 'invalid_request';
}
