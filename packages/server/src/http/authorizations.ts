import type { FastifyRequest } from 'fastify';
import { RequestError } from './request-error.ts';

/** Every `authorization` of the request: Node.js keeps only the first where headers are looked up by name. */
export function authorizationsOf(request: FastifyRequest): string[] {
  const { rawHeaders } = request.raw;
  const found: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === 'authorization')
      found.push(rawHeaders[index + 1] ?? '');
  }
  return found;
}

/**
 * The one `authorization` of a request, where two would be two ways to authenticate (RFC 6749 section 2.3): whoever reads
 * another one of them than we do, a proxy say, would decide about somebody else.
 *
 * @throws {RequestError} 400: there are several
 */
export function oneAuthorization(request: FastifyRequest): string | undefined {
  const found = authorizationsOf(request);
  if (found.length > 1)
    throw new RequestError(400, 'the request has more than one Authorization header');
  return found[0];
}
