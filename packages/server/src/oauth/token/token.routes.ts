import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oneAuthorization } from '../../http/authorizations.ts';
import { readForm } from '../../http/forms.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { sendOAuthJson } from './answers.ts';
import { mountEndpoint } from './endpoint.ts';
import { token } from './token.ts';

/** The token endpoint of E and of each MCP server (RFC 6749 section 3.2). */
export function mountToken(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  mountEndpoint(http, contextOf, {
    method: 'POST',
    paths: ['/oauth/token', '/resources/:rid/oauth/token'],
    answer: async (ctx, at, request, reply) =>
      sendOAuthJson(
        reply,
        await token(ctx, at, {
          form: readForm(request),
          authorization: oneAuthorization(request),
        }),
      ),
  });
}
