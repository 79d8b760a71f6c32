import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { KeyStoreUnavailable, publicKeySet } from '../../keys/signing-keys.ts';
import { issuerAt } from '../../mcp/issuer.ts';
import { isServing } from '../../mcp/mcp-servers.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { OAuthError, temporarilyUnavailable } from '../oauth-error.ts';
import { sendCacheableJson } from './cacheable-json.ts';

/** Shorter than the time that future keys are public before they sign, and than what verifiers cache by themselves (AS-19). */
const MAX_AGE_SECONDS = 300;

/** The key set of the environment, which all its issuers share (AS-14): one document at its address and its aliases. */
export function mountJwks(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const send = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    try {
      return sendCacheableJson(
        request,
        reply,
        await publicKeySet(contextOf(request)),
        MAX_AGE_SECONDS,
      );
    } catch (error) {
      if (error instanceof KeyStoreUnavailable) throw temporarilyUnavailable(error.message, error);
      throw error;
    }
  };
  for (const path of ['/keys', '/.well-known/jwks.json']) http.get(path, send);
  for (const path of ['/resources/:rid/keys', '/resources/:rid/.well-known/jwks']) {
    http.get<{ Params: { rid: string } }>(path, async (request, reply) => {
      const at = await issuerAt(contextOf(request), request.params.rid);
      if (!isServing(at?.mcpServer))
        throw new OAuthError('not_found', 'there is no authorization server at this address');
      return await send(request, reply);
    });
  }
}
