import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oneAuthorization } from '../../http/authorizations.ts';
import { readForm } from '../../http/forms.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { sendOAuthJson } from './answers.ts';
import { mountEndpoint } from './endpoint.ts';
import { introspect } from './introspection.ts';

/** The introspection endpoint of E and of each MCP server (RFC 7662). Not for web pages: no CORS (AS-137). */
export function mountIntrospection(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  mountEndpoint(http, contextOf, {
    method: 'POST',
    paths: ['/oauth/introspect', '/resources/:rid/oauth/introspect'],
    answer: async (ctx, at, request, reply) =>
      sendOAuthJson(
        reply,
        await introspect(ctx, at, {
          form: readForm(request),
          authorization: oneAuthorization(request),
        }),
      ),
  });
}
