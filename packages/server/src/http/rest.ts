import { create, type DescMethod, toJson } from '@bufbuild/protobuf';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API_CODES, ApiError } from './api-error.ts';
import { apiFailure, toRestBody } from './api-failure.ts';
import type { Calls, Service } from './calls.ts';
import { problemFrom } from './problem.ts';
import { type Binding, bindingsOf } from './rest-bindings.ts';
import { readRestInput } from './rest-input.ts';

const VERBS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

const ROOT = '/api/v1';

/** Methods whose answer is 201; all others answer 200. */
const CREATES = new Set([
  'OrganizationService.CreateOrganization',
  'UserService.CreateMembership',
  'UserService.CreateUserAndMembership',
  'RolesService.CreateRole',
  'RolesService.CreateOrganizationRole',
  'RolesService.CreatePermission',
  'ConnectionService.CreateConnection',
  'ConnectionService.CreateEnvironmentConnection',
  'ClientService.CreateOrganizationClient',
  'ClientService.CreateOrganizationClientSecret',
  'ClientService.CreateResource',
  'ClientService.CreateResourceClient',
  'ApiTokenService.CreateToken',
  'WebhookEndpointService.CreateWebhookEndpoint',
]);

/** Status of a successful answer. */
export function successStatus(method: DescMethod): 200 | 201 {
  return CREATES.has(`${method.parent.name}.${method.name}`) ? 201 : 200;
}

/**
 * The REST API: the paths that the contract's annotations name, in front of the same pipeline as gRPC. JSON in and out,
 * snake_case; routes of other slices below `/api/v1/` come first. The few paths that lie elsewhere are mounted one by one.
 */
export function mountRest(app: FastifyInstance, calls: Calls, services: readonly Service[]): void {
  const bindings = bindingsOf(services);
  app.register((scope, _options, done) => {
    scope.setErrorHandler((error, request, reply) => sendError(error, request, reply));
    for (const method of VERBS) {
      scope.route({
        method,
        url: `${ROOT}/*`,
        handler: (request, reply) => answer(calls, bindings, request, reply),
      });
    }
    for (const { verb, template, elsewhere } of bindings) {
      if (elsewhere || template.startsWith(`${ROOT}/`)) continue;
      scope.route({
        method: verb,
        url: template.replaceAll(':', '::'),
        handler: (request, reply) => answer(calls, bindings, request, reply),
      });
    }
    done();
  });
}

async function answer(
  calls: Calls,
  bindings: readonly Binding[],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  const [target = '', query = ''] = split(request.raw.url ?? '');
  const path = target.endsWith('/') ? target.slice(0, -1) : target;
  const verb = request.method === 'HEAD' ? 'GET' : request.method;
  const found = match(bindings, verb, path);
  if (!found) {
    sendUnknown(bindings, path, request, reply);
    return;
  }
  const { binding, variables } = found;
  const { service, method } = binding;
  try {
    const admitted = await calls.admit(method, request, headersOf(request), {
      request,
      reply,
    });
    // What was sent to a method that this server lacks does not matter: the answer is 501, not 400.
    const input = service.rpcs.has(method.localName)
      ? readRestInput(binding, { variables, query, body: bodyOf(request) })
      : create(method.input);
    const output = await calls.run(service, method, input, admitted);
    reply
      .code(successStatus(method))
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(JSON.stringify(toJson(method.output, output, { useProtoFieldName: true })));
  } catch (error) {
    const failure = calls.fail(method, request, error);
    if (failure.retryAfter !== undefined) reply.header('retry-after', String(failure.retryAfter));
    if (failure.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
    send(reply, API_CODES[failure.code].http, toRestBody(failure));
  }
}

function split(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function match(
  bindings: readonly Binding[],
  verb: string,
  path: string,
): { binding: Binding; variables: string[] } | undefined {
  for (const binding of bindings) {
    const candidate = binding.verb === verb && !binding.elsewhere;
    const found = candidate ? binding.pattern.exec(path) : null;
    if (found) return { binding, variables: found.slice(1) };
  }
  return undefined;
}

/** The JSON body; a body that is something else was read as bytes, and is refused unless empty. */
function bodyOf(request: FastifyRequest): unknown {
  const { body } = request;
  if (!(body instanceof Uint8Array)) return body ?? undefined;
  if (body.length === 0) return undefined;
  throw new ApiError(
    'invalid_argument',
    'UNSUPPORTED_MEDIA_TYPE',
    'the body must be JSON: Content-Type application/json',
  );
}

function headersOf(request: FastifyRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined && !name.startsWith(':')) headers.set(name, String(value));
  }
  return headers;
}

function sendUnknown(
  bindings: readonly Binding[],
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const allowed = new Set<string>(
    bindings.filter(({ pattern }) => pattern.test(path)).map(({ verb }) => verb),
  );
  allowed.delete(request.method);
  if (allowed.has('GET')) allowed.add('HEAD');
  if (allowed.size > 0) {
    reply.header('allow', [...allowed].sort().join(', '));
    const error = new ApiError(
      'unimplemented',
      'METHOD_NOT_ALLOWED',
      `this address does not answer ${request.method}`,
    );
    send(reply, 405, toRestBody(apiFailure(error, request.id)));
    return;
  }
  const error = new ApiError('not_found', 'NOT_FOUND', 'there is nothing at this address');
  send(reply, 404, toRestBody(apiFailure(error, request.id)));
}

/** What went wrong before a binding was found: the body could not be read. */
function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, description, headers } = problemFrom(error);
  const code = status >= 500 ? 'internal' : 'invalid_argument';
  const failure = apiFailure(new ApiError(code, code.toUpperCase(), description), request.id);
  if (request.raw.httpVersionMajor === 2) reply.removeHeader('connection');
  reply.headers(headers ?? {});
  send(reply, status, toRestBody(failure));
}

function send(reply: FastifyReply, status: number, body: unknown): void {
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(JSON.stringify(body));
}
