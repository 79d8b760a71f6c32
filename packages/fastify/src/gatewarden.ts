import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import {
  type Admitted,
  guardNodeRequest,
  type McpAuth,
  type McpServerOptions,
  protectMcp,
} from '@gatewarden/resource-server';
import type { FastifyPluginCallback } from 'fastify';

const admittedRequests = new WeakMap<IncomingMessage, Admitted>();

/**
 * Protects the MCP servers of a Fastify app: `await app.register(gatewarden({ … }))` at the root instance,
 * so that it can serve the metadata at the root of the host. Every route of the instance it is registered
 * on, and of those below, needs a token, except `publicPaths`; what strangers may reach is registered on an
 * instance beside it.
 *
 * Fastify's own body parsers never decide anything: `request.body` is the value that was checked (RS-36).
 * `request.raw.auth` is the caller in the shape of the MCP SDK; a transport gets
 * `reply.hijack(); transport.handleRequest(request.raw, reply.raw, request.body)`.
 *
 * @throws {ConfigurationError} a declaration that cannot work
 */
export function gatewarden<const S extends string>(
  servers: McpServerOptions<S> | readonly McpServerOptions<S>[],
): FastifyPluginCallback {
  const guard = protectMcp(servers);
  const plugin: FastifyPluginCallback = (app, _options, done) => {
    app.addHook('onRequest', async (request, reply) => {
      const admitted = await guardNodeRequest(guard, request.raw, reply.raw);
      if (admitted) admittedRequests.set(request.raw, admitted);
      else reply.hijack(); // answered already: no route, error handler or serializer may answer again
    });
    // The stream was read by the guard. A parser of the app's own gets the same bytes, and what it makes of them is replaced.
    app.addHook('preParsing', async (request, _reply, payload) => replayed(request.raw) ?? payload);
    app.addHook('preValidation', async (request) => {
      if (request.method === 'POST') request.body = admittedRequests.get(request.raw)?.body;
    });
    if (app.hasContentTypeParser('application/json')) {
      app.removeContentTypeParser('application/json');
    }
    app.addContentTypeParser('application/json', (request, _payload, parsed) => {
      parsed(null, admittedRequests.get(request.raw)?.body);
    });
    done();
  };
  // What fastify-plugin does: the hooks belong to the instance that registers, not to one of their own.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@gatewarden/fastify',
  });
}

/** The caller of a request that passed `gatewarden`; `undefined` on public paths. */
export function authOf(request: { readonly raw: IncomingMessage }): McpAuth | undefined {
  return admittedRequests.get(request.raw)?.auth;
}

function replayed(request: IncomingMessage): Readable | undefined {
  const bytes: unknown = 'rawBody' in request ? request.rawBody : undefined;
  return bytes instanceof Uint8Array ? Readable.from([bytes], { objectMode: false }) : undefined;
}
