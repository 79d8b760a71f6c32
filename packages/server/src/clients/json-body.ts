import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { JsonObject } from './client-metadata.ts';

/** AS-65: more is no client metadata. */
const MAX_BODY = 16_384;

/** Gives the routes of this scope their bodies as bytes, whatever the media type says, up to 16 KiB. */
export function readBytes(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: MAX_BODY },
    (_request, body, done) => done(null, body),
  );
}

/**
 * A body of client metadata (RFC 7591 section 3.1).
 *
 * @throws {OAuthError} invalid_client_metadata: 415 for another media type, 400 for what is not a JSON object
 */
export function jsonObjectOf(request: FastifyRequest): JsonObject {
  const type = request.headers['content-type'];
  if (type === undefined || !/^application\/json\s*(?:;|$)/i.test(type)) {
    throw new OAuthError(
      'invalid_client_metadata',
      'the body must be JSON: Content-Type application/json',
      { status: 415 },
    );
  }
  const bytes: unknown = request.body;
  const value = bytes instanceof Uint8Array ? parsed(bytes) : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new OAuthError('invalid_client_metadata', 'the body is not a JSON object');
  return value as JsonObject; // checked: an object, and nobody relies on its members' types
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
