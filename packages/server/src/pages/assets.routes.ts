import type { FastifyInstance } from 'fastify';
import { assetCacheControl, assets } from './assets.ts';

/** Serves the files of the hosted pages. Their paths hold a hash of their content, so a cached one is never stale. */
export function mountAssets(_app: unknown, http: FastifyInstance): void {
  for (const asset of assets.values()) {
    http.get(asset.path, async (request, reply) => {
      const accepted = request.headers['accept-encoding'] ?? '';
      const encoding = /\bbr\b/.test(accepted)
        ? 'br'
        : /\bgzip\b/.test(accepted)
          ? 'gzip'
          : undefined;
      reply
        .header('cache-control', assetCacheControl)
        .header('vary', 'Accept-Encoding')
        .type(asset.contentType);
      if (encoding === undefined) return reply.send(asset.body);
      return reply
        .header('content-encoding', encoding)
        .send(encoding === 'br' ? asset.brotli : asset.gzip);
    });
  }
}
