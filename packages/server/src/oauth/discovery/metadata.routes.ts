import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { issuerAt } from '../../mcp/issuer.ts';
import type { App, Ctx } from '../../runtime/context.ts';
import { OAuthError } from '../oauth-error.ts';
import { sendCacheableJson } from './cacheable-json.ts';
import { authorizationServerMetadata } from './metadata.ts';

const MAX_AGE_SECONDS = 60;

/** Where one issuer's document is found: inserted before the path or appended to it, by either name (section 1.3, AS-1). */
const OF_ENVIRONMENT = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
];
const OF_MCP_SERVER = [
  '/.well-known/oauth-authorization-server/resources/:rid',
  '/.well-known/openid-configuration/resources/:rid',
  '/resources/:rid/.well-known/openid-configuration',
  '/resources/:rid/.well-known/oauth-authorization-server',
];

/** Metadata documents at every address that clients build (RFC 8414 section 3, OpenID Connect Discovery section 4). */
export function mountMetadata(
  _app: App,
  http: FastifyInstance,
  contextOf: (request: FastifyRequest) => Ctx,
): void {
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const ctx = contextOf(request);
    const at = await issuerAt(ctx, resourceIdOf(request));
    const document = at && (await authorizationServerMetadata(ctx, at));
    if (!document)
      throw new OAuthError('not_found', 'there is no authorization server at this address');
    return sendCacheableJson(request, reply, document, MAX_AGE_SECONDS);
  };
  for (const path of [...OF_ENVIRONMENT, ...OF_MCP_SERVER]) http.get(path, answer);
}

function resourceIdOf(request: FastifyRequest): string | undefined {
  const { params } = request;
  return typeof params === 'object' &&
    params !== null &&
    'rid' in params &&
    typeof params.rid === 'string'
    ? params.rid
    : undefined;
}
