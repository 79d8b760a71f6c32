import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { environmentOf } from '../environments/environments.ts';
import { countAgainst, limitApplies, networkOf } from '../environments/rate-limit.ts';
import { recordFor } from '../events/events.ts';
import type { McpServer } from '../mcp/mcp-servers.ts';
import { OAuthError, tooManyRequests } from '../oauth/oauth-error.ts';
import type { App, Ctx } from '../runtime/context.ts';
import { jsonObjectOf, readBytes } from './json-body.ts';
import { registerClient } from './registration.ts';
import { registrationResponse } from './registration-response.ts';
import { servingServer } from './serving-server.ts';

type ContextOf = (request: FastifyRequest) => Ctx;
type Resource = { Params: { resource_id: string } };

/**
 * RFC 7591 at each MCP server: the advertised address, with a literal colon, and one below the server's own issuer. The
 * environment itself registers nobody; its documented address says where to go (AS-11, AS-57).
 */
export function mountRegistration(_app: App, http: FastifyInstance, contextOf: ContextOf): void {
  http.register((scope, _options, done) => {
    readBytes(scope);
    const register = async (
      request: FastifyRequest<Resource>,
      reply: FastifyReply,
    ): Promise<FastifyReply> => {
      reply.header('cache-control', 'no-store');
      const ctx = contextOf(request);
      const mcpServer = await servingServer(ctx, request.params.resource_id);
      try {
        const registration = await registerClient(ctx, mcpServer, jsonObjectOf(request));
        ctx.metrics.count('gatewarden_registrations_total', { outcome: 'registered' });
        return reply.code(201).send(registrationResponse(ctx, mcpServer, registration));
      } catch (error) {
        if (error instanceof OAuthError) await noteRefusal(ctx, mcpServer, error);
        throw error;
      }
    };
    scope.post<Resource>('/api/v1/resources/:resource_id/clients::register', register);
    scope.post<Resource>('/resources/:resource_id/oauth/register', register);
    scope.post('/resource-server/oauth/register', () => {
      throw new OAuthError(
        'access_denied',
        'clients register at an MCP server: see registration_endpoint in the metadata of its authorization server',
      );
    });
    done();
  });
}

/** Refusals a network may cause at one server in an hour; its developers see each of them, and a flood must not fill the timeline. */
const MOST_REFUSALS = 100;

async function noteRefusal(ctx: Ctx, mcpServer: McpServer, error: OAuthError): Promise<void> {
  ctx.metrics.count('gatewarden_registrations_total', { outcome: error.code });
  // Limits write their own event.
  if (error.status === 429) return;
  if (limitApplies(ctx, await environmentOf(ctx))) {
    const counted = await countAgainst(ctx, {
      name: 'registration-refused',
      key: `${mcpServer.id} ${networkOf(ctx.network.address, { ipv4Bits: 32, ipv6Bits: 48 })}`,
      windowSeconds: 3600,
      max: MOST_REFUSALS,
    });
    if (!counted.allowed) throw tooManyRequests(counted.retryAfterSeconds, 'refused registrations');
  }
  await recordFor(ctx, {
    type: 'client.registration_refused',
    outcome: 'failure',
    reason: error.code,
    mcpServerId: mcpServer.id,
    data: { description: error.description },
  });
}
