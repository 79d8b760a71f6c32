import type { FastifyRequest } from 'fastify';
import type { Network } from '../runtime/context.ts';

/** The environment that a host name belongs to. */
export type Site = {
  readonly environmentId: string;
  /** E: the environment's URL without trailing slash, from configuration. */
  readonly issuer: string;
  /** Set when another environment answers on the same host: cookie names then carry the environment. */
  readonly sharesHost?: boolean | undefined;
};

/** What the edge knows of a request: with the members of `App` it makes a `Ctx`. */
export type Edge = Site & { readonly requestId: string; readonly network: Network };

// Keyed by the raw request, because a Connect handler has nothing else; entries go with their request.
const edges = new WeakMap<object, Edge>();

/** Called once for each request, by the Host check. */
export function rememberEdge(request: FastifyRequest, edge: Edge): void {
  edges.set(request.raw, edge);
}

/**
 * The environment, request id and network of a request.
 *
 * @throws {Error} the route answers on any host, so there is no environment
 */
export function edgeOf(request: FastifyRequest): Edge {
  const edge = edges.get(request.raw);
  if (!edge) throw new Error('this route answers on any host: it has no environment');
  return edge;
}

/** The same, for answers that must also work before there is an environment. */
export function edgeIfAny(request: FastifyRequest): Edge | undefined {
  return edges.get(request.raw);
}

/**
 * The host a request was sent to, in lower case with its port: `:authority` of HTTP/2, `Host` of HTTP/1.1 (RFC 9112 §3.2).
 *
 * @returns undefined when there is none, when there are several, or when it is not the form of a host
 */
export function requestHost(request: FastifyRequest): string | undefined {
  const { headers, rawHeaders } = request.raw;
  const hosts = new Set<string>();
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase();
    if (name === 'host' || name === ':authority')
      hosts.add((rawHeaders[index + 1] ?? '').toLowerCase());
  }
  const authority = headers[':authority'];
  if (hosts.size === 0 && typeof authority === 'string') hosts.add(authority.toLowerCase());
  const [host] = hosts;
  return hosts.size === 1 && host !== undefined && HOST.test(host) ? host : undefined;
}

const HOST = /^(?:[a-z0-9](?:[a-z0-9._-]{0,252})|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?$/;
