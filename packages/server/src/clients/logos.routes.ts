import type { FastifyInstance, FastifyRequest } from 'fastify';
import { OAuthError } from '../oauth/oauth-error.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { findLogo } from './logos.store.ts';

/** Clients' logos from our own origin, as images that can do nothing (AS-81). Cookies are neither read nor set. */
export function mountLogos(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  http.get<{ Params: { id: string } }>('/logos/:id', async (request, reply) => {
    const ctx = contextOf(request);
    const { id } = request.params;
    const logo = /^[A-Za-z0-9_-]{32}$/.test(id)
      ? await findLogo(ctx.db, { environmentId: ctx.environmentId, id })
      : undefined;
    if (!logo) throw new OAuthError('not_found', 'there is no such logo');
    return reply
      .headers({
        'content-type': 'image/png',
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'public, max-age=86400',
      })
      .send(Buffer.from(logo.image));
  });
}
