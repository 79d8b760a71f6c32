import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oneAuthorization } from '../../http/authorizations.ts';
import { readForm } from '../../http/forms.ts';
import { noStore } from '../../http/security-headers.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { mountEndpoint } from './endpoint.ts';
import { revoke } from './revocation.ts';

/** The revocation endpoint of E and of each MCP server: 200 with an empty body, whatever the token was (RFC 7009 section 2.2). */
export function mountRevocation(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  mountEndpoint(http, contextOf, {
    method: 'POST',
    paths: ['/oauth/revoke', '/resources/:rid/oauth/revoke'],
    answer: async (ctx, at, request, reply) => {
      await revoke(ctx, at, {
        form: readForm(request),
        authorization: oneAuthorization(request),
      });
      return reply.headers(noStore).send();
    },
  });
}
