import type { FastifyInstance, FastifyRequest } from 'fastify';
import { oneAuthorization } from '../../http/authorizations.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { sendOAuthJson } from './answers.ts';
import { mountEndpoint } from './endpoint.ts';
import { userinfo } from './userinfo.ts';

/** Userinfo of E, and of the MCP servers that allow it. The token is taken from the header only. */
export function mountUserinfo(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  mountEndpoint(http, contextOf, {
    method: ['GET', 'POST'],
    paths: ['/userinfo', '/oauth/userinfo', '/resources/:rid/oauth/userinfo'],
    answer: async (ctx, at, request, reply) =>
      sendOAuthJson(reply, await userinfo(ctx, at, oneAuthorization(request))),
  });
}
