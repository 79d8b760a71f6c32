import type { FastifyReply, FastifyRequest } from 'fastify';
import { RequestError } from '../../http/request-error.ts';
import { noStore } from '../../http/security-headers.ts';
import { KeyStoreUnavailable } from '../../keys/signing-keys.ts';
import type { Ctx } from '../../runtime/context.ts';
import { SecretUnreadable } from '../../runtime/secrets.ts';
import { DatabaseUnavailable } from '../../storage/db.ts';
import { OAuthError, temporarilyUnavailable } from '../oauth-error.ts';

/**
 * The OAuth form of an error: trouble with database or keys is 503, so that clients keep their tokens and come back (AS-89).
 * Undefined for a bug.
 */
export function oauthErrorFrom(error: unknown): OAuthError | undefined {
  if (error instanceof OAuthError) return error;
  if (error instanceof RequestError)
    return new OAuthError('invalid_request', error.message, { status: error.status });
  if (
    error instanceof DatabaseUnavailable ||
    error instanceof KeyStoreUnavailable ||
    error instanceof SecretUnreadable
  ) {
    return temporarilyUnavailable(error.message, error);
  }
  return undefined;
}

/**
 * Answers with the error as JSON (RFC 6749 section 5.2, AS-85). The body says nothing but the error, so that refusals can be
 * equal byte for byte (AS-109); the reference to the event is the header `X-Request-Id`.
 */
export function sendOAuthError(
  ctx: Ctx,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const known = oauthErrorFrom(error);
  const problem = known ?? new OAuthError('server_error', 'something went wrong on our side');
  if (problem.status >= 500) {
    const cause =
      error instanceof Error
        ? { name: error.name, message: error.message, stack: known ? undefined : error.stack }
        : { name: typeof error };
    ctx.log.error(
      {
        requestId: ctx.requestId,
        route: request.routeOptions.url,
        status: problem.status,
        detail: problem.detail,
        cause,
      },
      'a request failed',
    );
  }
  return reply
    .code(problem.status)
    .headers({ ...noStore, ...problem.headers })
    .header('content-type', 'application/json')
    .send(bytesOf({ error: problem.code, error_description: problem.description }));
}

/** Answers with JSON that nobody may keep. */
export function sendOAuthJson(reply: FastifyReply, body: object): FastifyReply {
  return reply.headers(noStore).header('content-type', 'application/json').send(bytesOf(body));
}

/** As bytes, because the framework adds a charset to text, which JSON does not have (RFC 8259 section 11). */
function bytesOf(body: object): Buffer {
  return Buffer.from(JSON.stringify(body));
}
