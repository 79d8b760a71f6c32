import {
  create,
  type DescMethod,
  type DescService,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Ctx } from '../runtime/context.ts';
import { forgetAllRows } from '../storage/row-cache.ts';
import { ApiError } from './api-error.ts';
import { type ApiFailure, apiFailure } from './api-failure.ts';
import { authorizationsOf } from './authorizations.ts';
import { checkReach, isReading } from './caller-rules.ts';
import { type AuthenticateCaller, actorOf, admitCaller, type Caller } from './callers.ts';
import { edgeOf } from './edge.ts';
import { callerOfPage, type PageCallers } from './page-callers.ts';
import { createValidation } from './validation.ts';

/** What an implementation may know of a call besides its request. */
export type Call = {
  readonly caller: Caller;
  readonly header: Headers;
  /** Of methods that serve a browser; absent where an answer cannot carry cookies: over gRPC and gRPC-Web. */
  readonly page?: PageCall | undefined;
};

/** The request of a browser, with its cookies, and the answer that can set some. */
export type PageCall = { readonly request: FastifyRequest; readonly reply: FastifyReply };

/** One method of the contract. It throws `ApiError` for what callers should know. */
export type Rpc<M extends DescMethod> = (
  ctx: Ctx,
  request: MessageShape<M['input']>,
  call: Call,
) => Promise<MessageInitShape<M['output']>>;

/** Some or all methods of a service. Slices of the server each bring their part. */
export type Slice<S extends DescService> = {
  readonly [P in keyof S['method']]?: Rpc<S['method'][P]>;
};

type AnyRpc = (ctx: Ctx, request: Message, call: Call) => Promise<Record<string, unknown>>;

/** A service put together from its slices. */
export type Service = { readonly desc: DescService; readonly rpcs: ReadonlyMap<string, AnyRpc> };

/**
 * Puts a service together. Methods that no slice has answer `unimplemented`.
 *
 * @throws {Error} two slices have the same method, or one has a method the service does not
 */
export function service<S extends DescService>(desc: S, ...slices: readonly Slice<S>[]): Service {
  const rpcs = new Map<string, AnyRpc>();
  for (const [name, rpc] of slices.flatMap((slice) => Object.entries(slice))) {
    if (!Object.hasOwn(desc.method, name))
      throw new Error(`${desc.typeName} has no method "${name}"`);
    if (rpcs.has(name)) throw new Error(`${desc.typeName}.${name} is implemented twice`);
    if (typeof rpc === 'function') rpcs.set(name, rpc as AnyRpc); // its request is of the method's type: `run` sees to it
  }
  return { desc, rpcs };
}

/** Services whose changes concern rows that processes remember: clients, MCP servers, environments, interceptors. */
const REMEMBERED: ReadonlySet<string> = new Set([
  'ClientService',
  'ConnectionService',
  'EnvironmentService',
  'InterceptorSecretService',
  'InterceptorService',
  'McpServerSettingsService',
  'OrganizationService',
]);

export type CallsOptions = {
  readonly app: App;
  readonly authenticateCaller: AuthenticateCaller;
  /** Who may call by the cookies of a page. @default nobody */
  readonly pages?: PageCallers;
};

/** A call whose caller has been let in. */
export type Admitted = { readonly ctx: Ctx; readonly call: Call };

/** What every protocol does with a call, in this order: find the context, check the caller, whose things it is about, the request, run. */
export type Calls = {
  /** @throws {ApiError} who calls is not proven, or may not use this method */
  admit(
    method: DescMethod,
    request: FastifyRequest,
    header: Headers,
    page?: PageCall,
  ): Promise<Admitted>;
  /** @throws {ApiError} as the method's implementation and the contract's limits say */
  run(service: Service, method: DescMethod, message: Message, admitted: Admitted): Promise<Message>;
  /** An error as it goes out; counted, and logged when it is ours. */
  fail(method: DescMethod, request: FastifyRequest, error: unknown): ApiFailure;
};

/** One pipeline for gRPC, gRPC-Web, Connect and REST, so that none of them can forget a step. */
export function createCalls({ app, authenticateCaller, pages = {} }: CallsOptions): Calls {
  const validate = createValidation();
  const count = (method: DescMethod, code: string): void =>
    app.metrics.count('gatewarden_rpc_total', {
      method: `${method.parent.name}/${method.name}`,
      code,
    });
  return {
    async admit(method, request, header, page) {
      const { environmentId, issuer, requestId, network } = edgeOf(request);
      const ctx: Ctx = { ...app, environmentId, issuer, requestId, network };
      const proofs = {
        header,
        authorizations: authorizationsOf(request),
        byPage: (on: Ctx) => callerOfPage(on, request, pages),
      };
      const caller = await admitCaller(ctx, method, proofs, authenticateCaller);
      return { ctx: { ...ctx, actor: actorOf(caller) }, call: { caller, header, page } };
    },
    async run(service, method, message, { ctx, call }) {
      const rpc = service.rpcs.get(method.localName);
      if (!rpc)
        throw new ApiError(
          'unimplemented',
          'NOT_IMPLEMENTED',
          `this server does not have ${method.name}`,
        );
      checkReach(call.caller, method, message);
      validate(method.input, message);
      try {
        const response = create(method.output, await rpc(ctx, message, call));
        count(method, 'ok');
        return response;
      } finally {
        // Other processes are told; who called here may rely on the answer, and the next request comes to this process.
        if (REMEMBERED.has(method.parent.name) && !isReading(method)) forgetAllRows(ctx.db);
      }
    },
    fail(method, request, error) {
      const failure = apiFailure(error, request.id);
      count(method, failure.code);
      if (failure.ours) {
        const cause =
          error instanceof Error
            ? { name: error.name, message: error.message, stack: error.stack }
            : {};
        app.log.error(
          { requestId: request.id, method: method.name, code: failure.code, cause },
          'a management call failed',
        );
      }
      return failure;
    },
  };
}
