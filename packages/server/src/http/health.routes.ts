import type { FastifyInstance, FastifyRequest } from 'fastify';
import ipaddr from 'ipaddr.js';
import { equalSecrets } from '../runtime/hash.ts';
import type { Metrics } from '../runtime/metrics.ts';

export type HealthOptions = {
  /** Why the process cannot serve requests now; undefined when it can. */
  readonly ready: () => Promise<string | undefined>;
  readonly metrics: Metrics;
  /** Bearer for `/metrics` from other hosts; without one only loopback reads it. */
  readonly token: string | undefined;
};

/**
 * What load balancers and monitors ask. Answers for any Host, says nothing about environments, and never touches a
 * database for `/healthz`.
 */
export function mountHealth(app: FastifyInstance, options: HealthOptions): void {
  const route = { config: { anyHost: true } };
  app.get('/healthz', route, (_request, reply) => {
    reply.header('cache-control', 'no-store').type('application/json');
    return '{"status":"ok"}';
  });
  app.get('/readyz', route, async (_request, reply) => {
    const reason = await reasonNotReady(options);
    reply
      .code(reason === undefined ? 200 : 503)
      .header('cache-control', 'no-store')
      .type('application/json');
    return JSON.stringify(
      reason === undefined ? { status: 'ready' } : { status: 'not ready', reason },
    );
  });
  app.get('/metrics', route, async (request, reply) => {
    reply.header('cache-control', 'no-store');
    if (!mayReadMetrics(request, options.token)) {
      reply.code(401).header('www-authenticate', 'Bearer realm="metrics"').type('application/json');
      return '{"error":"invalid_token","error_description":"metrics need the bearer token, or a caller on this machine"}';
    }
    const { registry } = options.metrics;
    reply.type(registry.contentType);
    return await registry.metrics();
  });
}

/** A check that fails is a reason too, but its words stay in the log. */
async function reasonNotReady(options: HealthOptions): Promise<string | undefined> {
  try {
    return await options.ready();
  } catch {
    return 'the readiness check failed';
  }
}

/**
 * Loopback means the socket and nothing a header says. A request that came through a proxy on this machine carries a forwarded
 * header and needs the token: otherwise a proxy that forwards everything would publish the metrics.
 */
function mayReadMetrics(request: FastifyRequest, token: string | undefined): boolean {
  const presented = /^Bearer +([\w.~+/=-]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token !== undefined && presented !== undefined && equalSecrets(presented, token)) return true;
  if (request.headers['x-forwarded-for'] !== undefined || request.headers.forwarded !== undefined)
    return false;
  const address = request.raw.socket.remoteAddress ?? '';
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
}
