import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Issuer, issuerAt } from '../../mcp/issuer.ts';
import type { Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import { sendOAuthError } from './answers.ts';

type Answer = (
  ctx: Ctx,
  at: Issuer,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<FastifyReply>;

/** Mounts one OAuth endpoint at E and at every R; all its errors are OAuth JSON. */
export function mountEndpoint(
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
  endpoint: {
    readonly method: 'GET' | 'POST' | readonly ('GET' | 'POST')[];
    readonly paths: readonly string[];
    readonly answer: Answer;
  },
): void {
  for (const url of endpoint.paths) {
    http.route({
      method: typeof endpoint.method === 'string' ? endpoint.method : [...endpoint.method],
      url,
      handler: async (request, reply) => {
        const ctx = contextOf(request);
        try {
          const at = await issuerAt(ctx, resourceIdOf(request));
          if (!at)
            throw new OAuthError('not_found', 'there is no authorization server at this address');
          return await endpoint.answer(ctx, at, request, reply);
        } catch (error) {
          return sendOAuthError(ctx, request, reply, error);
        }
      },
    });
  }
}

function resourceIdOf({ params }: FastifyRequest): string | undefined {
  return typeof params === 'object' &&
    params !== null &&
    'rid' in params &&
    typeof params.rid === 'string'
    ? params.rid
    : undefined;
}
