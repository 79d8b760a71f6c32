import type { FastifyInstance } from 'fastify';

const ALLOWED_HEADERS =
  'Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, DPoP';
const EXPOSED_HEADERS = 'WWW-Authenticate, Retry-After, DPoP-Nonce';

/** A set of paths that any web page may call, and the methods to name in the answer to its preflight. */
export type OpenPaths = { readonly matches: (path: string) => boolean; readonly methods: string };

/**
 * Lets web pages of any origin call the paths that match (AS-136): on every answer, errors included, because the hook runs
 * before anything can fail; never with credentials; preflights get 204 before any authentication. Paths that no entry matches
 * have no CORS headers at all (AS-137).
 */
export function openCors(app: FastifyInstance, open: readonly OpenPaths[]): void {
  app.addHook('onRequest', (request, reply, done) => {
    const path = pathOf(request.raw.url ?? '');
    const entry = open.find((candidate) => candidate.matches(path));
    if (!entry) {
      done();
      return;
    }
    reply.header('access-control-allow-origin', '*');
    reply.header('access-control-expose-headers', EXPOSED_HEADERS);
    if (request.method !== 'OPTIONS') {
      done();
      return;
    }
    reply.header('access-control-allow-methods', entry.methods);
    reply.header('access-control-allow-headers', ALLOWED_HEADERS);
    reply.header('access-control-max-age', '86400');
    reply.code(204).send();
  });
}

/** The path of a request target, without its query and without one slash at its end. */
function pathOf(url: string): string {
  const query = url.indexOf('?');
  const path = query < 0 ? url : url.slice(0, query);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}
