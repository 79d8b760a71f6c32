import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { edgeOf } from '../http/edge.ts';
import type { OpenApi } from '../http/openapi.ts';
import { RequestError } from '../http/request-error.ts';
import { pageHeaders } from '../http/security-headers.ts';
import { apiIndexPage, apiServicePage } from './api-reference.ts';

type Document = { readonly body: Buffer; readonly gzip: Buffer; readonly etag: string };

/**
 * The description of the management API: `/openapi.json` for programs, `/openapi` and a page for each service for people. Made
 * when first asked for; nothing in it depends on who asks.
 */
export function mountOpenApi(http: FastifyInstance, describe: () => OpenApi): void {
  let api: OpenApi | undefined;
  let document: Document | undefined;
  const apiOnce = (): OpenApi => (api ??= describe());
  http.get('/openapi.json', async (request, reply) => {
    document ??= write(apiOnce());
    return sendDocument(document, request, reply);
  });
  http.get('/openapi', { config: { page: true } }, async (request, reply) =>
    sendPage(request, reply, apiIndexPage(apiOnce()).toString()),
  );
  http.get<{ Params: { service: string } }>(
    '/openapi/:service',
    { config: { page: true } },
    async (request, reply) => {
      const page = apiServicePage(apiOnce(), request.params.service);
      if (!page) throw new RequestError(404, 'there is no such service');
      return sendPage(request, reply, page.toString());
    },
  );
}

function write(api: OpenApi): Document {
  const body = Buffer.from(JSON.stringify(api));
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return { body, gzip: gzipSync(body), etag };
}

function sendDocument(
  { body, gzip, etag }: Document,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  reply
    .header('etag', etag)
    .header('cache-control', 'public, max-age=300')
    .header('vary', 'Accept-Encoding');
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).send();
  reply.type('application/json; charset=utf-8');
  if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(body);
  return reply.header('content-encoding', 'gzip').send(gzip);
}

/** Weak comparison (RFC 9110 §13.1.2): proxies that compress make strong tags weak. */
function matches(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  const tags = given.split(',').map((each) => each.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}

function sendPage(request: FastifyRequest, reply: FastifyReply, page: string): FastifyReply {
  const https = edgeOf(request).issuer.startsWith('https:');
  return reply
    .headers(pageHeaders({ formAction: 'self', https }))
    .type('text/html; charset=utf-8')
    .send(page);
}
