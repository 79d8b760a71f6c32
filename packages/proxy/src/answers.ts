import type { ServerResponse } from 'node:http';

/** What the proxy itself says about a request that the guard let through. */
export type Failure = {
  readonly status: 400 | 404 | 500 | 502 | 504;
  readonly error: string;
  readonly description: string;
};

export const notFound: Failure = {
  status: 404,
  error: 'not_found',
  description: 'There is nothing at this address',
};
export const internal: Failure = {
  status: 500,
  error: 'server_error',
  description: 'This proxy could not handle the request',
};
export const repeatedHeader: Failure = {
  status: 400,
  error: 'invalid_request',
  description: 'A header that must be single was sent more than once',
};
export const unreachable: Failure = {
  status: 502,
  error: 'upstream_unreachable',
  description: 'The MCP server behind this proxy cannot be reached',
};
export const timedOut: Failure = {
  status: 504,
  error: 'upstream_timeout',
  description: 'The MCP server behind this proxy did not answer in time',
};
export const invalidAnswer: Failure = {
  status: 502,
  error: 'upstream_invalid_response',
  description: 'The MCP server behind this proxy gave an answer that is not valid HTTP',
};
export const brokenOff: Failure = {
  status: 502,
  error: 'upstream_aborted',
  description: 'The MCP server behind this proxy closed the connection without an answer',
};
/** As 401 it would send clients to our authorization server for a token that is not at fault. */
export const wantsCredentials: Failure = {
  status: 502,
  error: 'upstream_requires_credentials',
  description:
    'The MCP server behind this proxy asked for credentials of its own; its operator has to configure them at the proxy',
};
export const redirected: Failure = {
  status: 502,
  error: 'upstream_redirected',
  description: 'The MCP server behind this proxy redirects elsewhere, which is not followed',
};

/** Answers with a failure: as a JSON-RPC error where the id of the one request is known, otherwise as plain JSON. */
export function answerFailure(response: ServerResponse, failure: Failure, body: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const id = requestId(body);
  const { error, description } = failure;
  const answer =
    id === undefined
      ? { error, error_description: description }
      : { jsonrpc: '2.0', id, error: { code: -32000, message: description, data: { error } } };
  response.statusCode = failure.status;
  response.setHeader('content-type', 'application/json');
  response.setHeader('cache-control', 'no-store');
  response.end(JSON.stringify(answer));
}

/** The id of a body that is one JSON-RPC request. */
function requestId(body: unknown): string | number | undefined {
  if (typeof body !== 'object' || body === null || !('id' in body) || !('method' in body))
    return undefined;
  return typeof body.id === 'string' || typeof body.id === 'number' ? body.id : undefined;
}
