import type { Server } from 'node:http';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { prefersJson } from './accept.ts';
import { type ClientAddress, clientAddressFrom } from './client-address.ts';
import { createDualServer, type DualServerOptions } from './dual-server.ts';
import { edgeIfAny, rememberEdge, requestHost, type Site } from './edge.ts';
import { type MethodsOf, watchRoutes } from './known-routes.ts';
import { type Explain, type Problem, problemFrom } from './problem.ts';
import { RequestError } from './request-error.ts';
import { pageHeaders } from './security-headers.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route is for people: its errors are pages, unless the request asks for JSON. */
    page?: boolean;
    /** The route answers for any Host (health and metrics); it has no environment. */
    anyHost?: boolean;
  }
}

export type HttpOptions = {
  /** The environment of a host name (lower case, with its port), from configuration. Unknown hosts get 404 (AS-5). */
  readonly environmentOf: (host: string) => Site | undefined;
  readonly random: (bytes: number) => Uint8Array;
  readonly log: Log;
  readonly metrics?: Metrics | undefined;
  /** The errors of the protocols, as they look outside. */
  readonly explain?: Explain | undefined;
  /** An error as a page (AS-141: the reference finds it in the log). Without it, people get JSON too. */
  readonly renderError?:
    | ((problem: Problem & { readonly reference: string }, request: FastifyRequest) => string)
    | undefined;
  /** Addresses and ranges whose `X-Forwarded-For` is believed, for rate limits and logs only. */
  readonly trustedProxies?: readonly string[] | undefined;
  /** Largest body in bytes; a route may set its own. @default 262144 */
  readonly bodyLimit?: number | undefined;
  readonly server?: DualServerOptions | undefined;
};

const MAX_FORM = 65_536;

/**
 * The HTTP edge: one Fastify instance on a port that speaks HTTP/1.1 and HTTP/2. It gives each request an id, finds its
 * environment by the configured host names, reads bodies within limits, and turns errors into JSON or a page.
 *
 * A literal colon in a path is written twice: `/api/v1/resources/:resource_id/clients::register`.
 */
export function createHttp(options: HttpOptions): FastifyInstance {
  const app = Fastify({
    // The dual server is a net.Server with all the members Fastify uses of an http.Server.
    serverFactory: (handler) => createDualServer(handler, options.server) as unknown as Server,
    logger: false,
    genReqId: () => requestId(options.random),
    requestIdHeader: false,
    trustProxy: false,
    bodyLimit: options.bodyLimit ?? 262_144,
    return503OnClosing: false,
    // E with a slash at its end makes addresses such as //oauth/authorize.
    rewriteUrl: (request) => (request.url ?? '/').replace(/^\/{2,}/, '/'),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1000 },
    frameworkErrors: (error, request, reply) => sendUnroutable(options, error, request, reply),
  });
  readBodies(app);
  const methodsOf = watchRoutes(app);
  const addressOf = clientAddressFrom(options.trustedProxies ?? []);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    const refusal = enter(request, options, addressOf);
    if (refusal === 'unknown-host') reply.code(404).send();
    else done(refusal);
  });
  app.addHook('onResponse', (request, reply, done) => {
    record(options, request, reply);
    done();
  });
  app.setErrorHandler((error, request, reply) => sendProblem(options, error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    sendProblem(options, notFound(request, methodsOf), request, reply);
  });
  return app;
}

/** 405 with `Allow` for a path that has other methods, 404 for one that has none. */
function notFound(request: FastifyRequest, methodsOf: MethodsOf): RequestError {
  const path = (request.raw.url ?? '/').split('?', 1)[0] ?? '/';
  const allowed = methodsOf(path);
  if (allowed.length === 0) return new RequestError(404, 'there is nothing at this address');
  return new RequestError(405, `this address does not answer ${request.method}`, {
    headers: { allow: allowed.join(', ') },
  });
}

/** The Host check and the facts about the request (AS-5). Forwarded headers say nothing about hosts, schemes or issuers. */
function enter(
  request: FastifyRequest,
  options: HttpOptions,
  addressOf: ClientAddress,
): 'unknown-host' | Error | undefined {
  // Absolute-form targets (RFC 9112 §3.2.2) carry a second host, which nothing of ours looks at.
  if (!(request.raw.url ?? '').startsWith('/'))
    return new RequestError(400, 'the request target must be a path');
  if (request.routeOptions.config.anyHost) return undefined;
  const site = siteOf(request, options);
  if (!site) return 'unknown-host';
  const forwarded = request.headers['x-forwarded-for'];
  rememberEdge(request, {
    ...site,
    requestId: request.id,
    network: {
      address: addressOf(
        request.raw.socket.remoteAddress,
        Array.isArray(forwarded) ? forwarded.join(',') : forwarded,
      ),
      userAgent: (request.headers['user-agent'] ?? '').slice(0, 500),
    },
  });
  return undefined;
}

/** The environment that the request was sent to, if it is one of ours. */
function siteOf(request: FastifyRequest, options: HttpOptions): Site | undefined {
  const host = requestHost(request);
  return host === undefined ? undefined : options.environmentOf(host);
}

/** `req_` and 80 random bits in letters and digits that survive being read out. */
function requestId(random: (bytes: number) => Uint8Array): string {
  let bits = 0n;
  for (const byte of random(10)) bits = (bits << 8n) | BigInt(byte);
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    text += ID_ALPHABET[Number(bits & 31n)];
    bits >>= 5n;
  }
  return `req_${text}`;
}

const ID_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** JSON is parsed here; forms and everything else reach the route as bytes, and the route says what it accepts. */
function readBodies(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser('error', 'error');
  const utf8 = new TextDecoder('utf-8', { fatal: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    /^application\/(?:[\w.-]+\+)?json\b/i,
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (request.headers['content-encoding'] !== undefined) {
        done(new RequestError(415, 'the body must not be compressed'));
        return;
      }
      if (body.length === 0) {
        done(null, undefined);
        return;
      }
      let text: string;
      try {
        text = utf8.decode(typeof body === 'string' ? Buffer.from(body) : body);
      } catch {
        done(new RequestError(400, 'the body is not UTF-8'));
        return;
      }
      void parseJson(request, text, (error, value) => {
        done(error ? new RequestError(400, 'the body is not valid JSON') : null, value);
      });
    },
  );
  app.addContentTypeParser(
    /^application\/x-www-form-urlencoded\b/i,
    { parseAs: 'buffer', bodyLimit: MAX_FORM },
    (_request, body, done) => done(null, body),
  );
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
}

/** A target that cannot be decoded never comes to the hooks, so the Host is looked at here (AS-5). */
function sendUnroutable(
  options: HttpOptions,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  if (siteOf(request, options)) sendProblem(options, error, request, reply);
  else reply.code(404).send();
}

function sendProblem(
  options: HttpOptions,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const problem = problemFrom(error, options.explain);
  const reference = request.id;
  if (problem.status >= 500) logFailure(options.log, error, request, problem.status);
  if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection'); // RFC 9113 §8.2.2
  reply.code(problem.status).headers(problem.headers ?? {});
  if (
    options.renderError &&
    request.routeOptions.config?.page &&
    !prefersJson(request.headers.accept)
  ) {
    const https = edgeIfAny(request)?.issuer.startsWith('https:') ?? false;
    reply
      .headers(pageHeaders({ formAction: 'self', https }))
      .type('text/html; charset=utf-8')
      .send(options.renderError({ ...problem, reference }, request));
    return;
  }
  reply
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(
      JSON.stringify({ error: problem.error, error_description: problem.description, reference }),
    );
}

/** The cause of a failure, for operators. What the client sees has none of it. */
export function logFailure(
  log: Log,
  error: unknown,
  request: FastifyRequest,
  status: number,
): void {
  const cause =
    error instanceof Error
      ? { name: error.name, message: error.message, stack: error.stack }
      : { name: typeof error };
  log.error(
    { requestId: request.id, method: request.method, route: routeOf(request), status, cause },
    'a request failed',
  );
}

/** One line for each request: the route's template and not its address, which may hold a code or a token. */
function record(options: HttpOptions, request: FastifyRequest, reply: FastifyReply): void {
  const route = routeOf(request);
  const edge = edgeIfAny(request);
  const status = reply.statusCode;
  const milliseconds = reply.elapsedTime;
  options.metrics?.observeRequest(
    { route, method: request.method, status: String(status) },
    milliseconds / 1000,
  );
  options.log.info(
    {
      requestId: request.id,
      environmentId: edge?.environmentId,
      method: request.method,
      route,
      status,
      milliseconds: Math.round(milliseconds * 10) / 10,
      address: edge?.network.address,
    },
    'request',
  );
}

function routeOf(request: FastifyRequest): string {
  return request.is404 ? 'unknown' : (request.routeOptions.url ?? 'unknown');
}
