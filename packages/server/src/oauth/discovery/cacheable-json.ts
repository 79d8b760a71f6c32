import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** Sends public JSON with a validator that changes with the content and only then (AS-9, AS-19; RFC 9110 section 8.8.3). */
export function sendCacheableJson(
  request: FastifyRequest,
  reply: FastifyReply,
  document: object,
  maxAgeSeconds: number,
): FastifyReply {
  const body = JSON.stringify(document);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
  reply.header('cache-control', `public, max-age=${maxAgeSeconds}`).header('etag', etag);
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.header('content-type', 'application/json').send(Buffer.from(body));
}

/** RFC 9110 section 13.1.2: a list of validators, compared weakly. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header
    .split(',')
    .map((part) => part.trim().replace(/^W\//, ''))
    .some((candidate) => candidate === etag || candidate === '*');
}
