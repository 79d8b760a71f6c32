import type { DescMethod, DescMethodUnary } from '@bufbuild/protobuf';
import {
  ConnectError,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { errorFromJsonBytes, errorToJsonBytes } from '@connectrpc/connect/protocol-connect';
import { setTrailerStatus } from '@connectrpc/connect/protocol-grpc';
import { trailerFlag, trailerParse, trailerSerialize } from '@connectrpc/connect/protocol-grpc-web';
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API_CODES, ApiError } from './api-error.ts';
import { type ApiFailure, apiFailure, toConnectError } from './api-failure.ts';
import type { Admitted, Calls, PageCall, Service } from './calls.ts';

const READ_LIMIT = 1_048_576;
const WRITE_LIMIT = 16_777_216;
const COMPRESSIONS = [compressionGzip, compressionBrotli];
/** Flags and length in front of each message of gRPC and gRPC-Web. */
const ENVELOPE = 5;
/** What a timer can wait, in milliseconds; with more it would end at once. */
const LONGEST_TIMEOUT = 2_147_483_647;

const requestKey = createContextKey<FastifyRequest | undefined>(undefined);
const pageKey = createContextKey<PageCall | undefined>(undefined);
const admittedKey = createContextKey<Admitted | undefined>(undefined);

/**
 * Mounts services for gRPC, gRPC-Web and Connect at `/<service>/<method>`. Callers are checked before anything of the body is
 * read. Each failure carries an `ErrorInfo`, also those the protocol layer raises by itself.
 */
export function mountConnect(
  app: FastifyInstance,
  calls: Calls,
  services: readonly Service[],
): void {
  const router = createConnectRouter({
    requestGate: async (context) => {
      const request = requestOf(context);
      await failing(calls, context.method, request, async () => {
        context.values.set(
          admittedKey,
          await calls.admit(
            context.method,
            request,
            context.requestHeader,
            context.values.get(pageKey),
          ),
        );
      });
    },
    acceptCompression: COMPRESSIONS,
    readMaxBytes: READ_LIMIT,
    writeMaxBytes: WRITE_LIMIT,
  });
  for (const service of services) {
    for (const method of service.desc.methods) {
      if (method.methodKind !== 'unary') throw new Error(`${method.name} is not unary`);
      // Checked above; a union member's message types do not narrow with its kind.
      const unary = method as DescMethodUnary;
      router.rpc(unary, async (message, context) => {
        const admitted = context.values.get(admittedKey);
        if (!admitted) throw new Error('a call reached its method without passing the gate');
        return await failing(calls, method, requestOf(context), () =>
          calls.run(service, method, message, admitted),
        );
      });
    }
  }
  answerUnknownMethods(app);
  app.register((scope, _options, done) => {
    // The handlers read the raw body themselves, within their own limit.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null, undefined));
    for (const handler of router.handlers) {
      scope.post(
        handler.requestPath,
        async (request, reply) => await serve(calls, handler, request, reply),
      );
    }
    done();
  });
}

async function failing<T>(
  calls: Calls,
  method: DescMethod,
  request: FastifyRequest,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toConnectError(calls.fail(method, request, error));
  }
}

function requestOf(context: HandlerContext): FastifyRequest {
  const request = context.values.get(requestKey);
  if (!request) throw new Error('a call without its HTTP request');
  return request;
}

async function serve(
  calls: Calls,
  handler: UniversalHandler,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  // gRPC sends its headers before a method runs.
  const page = isGrpc(request) ? undefined : { request, reply };
  const values = createContextValues().set(requestKey, request).set(pageKey, page);
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  try {
    const call = universalRequestFromNodeRequest(request.raw, reply.raw, undefined, values);
    forgetEndlessTimeout(call.header);
    const { body } = request.raw.httpVersionMajor === 1 ? { body: bodyOf(request, reply) } : call;
    const response = await handler({ ...call, body });
    const cookies = reply.getHeader('set-cookie');
    if (cookies !== undefined) reply.raw.setHeader('set-cookie', cookies);
    await universalResponseToNodeResponse(await withDetails(response, request), reply.raw);
  } catch (error) {
    // The peer went away, or the answer could not be written; there is nobody left to tell.
    calls.fail(handler.method, request, error);
    reply.raw.destroy();
  }
}

/**
 * Reads the body of HTTP/1.1 so that what is left of one that was refused halfway does not hold up the next request of the
 * connection: it is read and forgotten, as long as a request may take.
 */
function bodyOf({ raw }: FastifyRequest, { raw: answer }: FastifyReply): AsyncIterable<Uint8Array> {
  answer.once('finish', () => {
    if (!raw.complete) raw.removeAllListeners('readable').resume();
  });
  return raw.iterator({ destroyOnReturn: false });
}

/** Some clients say "no deadline" with the largest number there is: months, which no timer waits. */
function forgetEndlessTimeout(header: Headers): void {
  const [, digits = '', unit = ''] =
    /^([0-9]{1,8})([HMS])$/.exec(header.get('grpc-timeout') ?? '') ?? [];
  const seconds = Number(digits) * (unit === 'H' ? 3600 : unit === 'M' ? 60 : 1);
  if (seconds * 1000 > LONGEST_TIMEOUT) header.delete('grpc-timeout');
  if (Number(header.get('connect-timeout-ms')) > LONGEST_TIMEOUT)
    header.delete('connect-timeout-ms');
}

/**
 * Adds the detail to errors that arose outside of our pipeline: an unreadable message, an unknown compression, a body over the
 * limit. Clients read `grpc-status-details-bin` unchecked, so no gRPC error may go without.
 */
async function withDetails(
  response: UniversalServerResponse,
  request: FastifyRequest,
): Promise<UniversalServerResponse> {
  const { trailer, body } = response;
  if (trailer && body) return { ...response, body: thenComplete(body, trailer, request) };
  if (body && response.header?.get('content-type')?.startsWith('application/grpc-web'))
    return { ...response, body: webComplete(body, request) };
  if (
    response.status < 400 ||
    !body ||
    !response.header?.get('content-type')?.startsWith('application/json')
  )
    return response;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  const error = errorFromJsonBytes(
    await decompressed(Buffer.concat(chunks), response.header.get('content-encoding')),
    undefined,
    new ConnectError('unreadable error'),
  );
  if (error.details.length > 0) return { ...response, body: once(Buffer.concat(chunks)) };
  const failure = apiFailure(error, request.id);
  const bytes = errorToJsonBytes(toConnectError(failure), undefined);
  response.header.delete('content-encoding');
  response.header.set('content-length', String(bytes.byteLength));
  return { ...response, status: statusOf(failure, response.status), body: once(bytes) };
}

/** A message that cannot be read is the caller's error, where the protocol layer says it is ours. */
function statusOf({ code }: ApiFailure, status: number): number {
  return status === 500 ? API_CODES[code].http : status;
}

/** A long error, such as one with many violations, is compressed by the time it gets here. */
async function decompressed(bytes: Uint8Array, encoding: string | null): Promise<Uint8Array> {
  const compression = COMPRESSIONS.find(({ name }) => name === encoding);
  return compression ? await compression.decompress(bytes, WRITE_LIMIT) : bytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function* thenComplete(
  body: AsyncIterable<Uint8Array>,
  trailer: Headers,
  request: FastifyRequest,
): AsyncGenerator<Uint8Array> {
  yield* body;
  completeTrailer(trailer, request);
}

/** The same for gRPC-Web, whose trailer is the last part of the body. Only large ones are compressed: those have their detail. */
async function* webComplete(
  body: AsyncIterable<Uint8Array>,
  request: FastifyRequest,
): AsyncGenerator<Uint8Array> {
  for await (const part of body) {
    const isTrailer = part[0] === trailerFlag && part.length > ENVELOPE;
    const trailer = isTrailer ? trailerParse(part.subarray(ENVELOPE)) : undefined;
    if (!trailer || !completeTrailer(trailer, request)) {
      yield part;
      continue;
    }
    const bytes = trailerSerialize(trailer);
    const envelope = Buffer.alloc(ENVELOPE);
    envelope.writeUInt8(trailerFlag, 0);
    envelope.writeUInt32BE(bytes.length, 1);
    yield Buffer.concat([envelope, bytes]);
  }
}

/** False when it is no error, or has its detail. */
function completeTrailer(trailer: Headers, request: FastifyRequest): boolean {
  const status = Number(trailer.get('grpc-status') ?? '0');
  if (status === 0 || trailer.has('grpc-status-details-bin')) return false;
  const message = decodeURIComponent(trailer.get('grpc-message') ?? '');
  setTrailerStatus(trailer, completed(new ConnectError(message, status), request));
  return true;
}

function completed(error: ConnectError, request: FastifyRequest): ConnectError {
  return toConnectError(apiFailure(error, request.id));
}

/** A gRPC call to a path that is no method gets `unimplemented` in gRPC's own terms, not an HTTP 404. */
function answerUnknownMethods(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    const type = (request.headers['content-type'] ?? '').toLowerCase();
    if (!request.is404 || request.method !== 'POST' || !isGrpc(request)) {
      done();
      return;
    }
    const failure = apiFailure(
      new ApiError('unimplemented', 'NOT_IMPLEMENTED', 'there is no such method'),
      request.id,
    );
    const headers = new Headers({
      'content-type': type.startsWith('application/grpc-web') ? type : 'application/grpc',
    });
    setTrailerStatus(headers, toConnectError(failure));
    reply.code(200).headers(Object.fromEntries(headers)).send();
  });
}

/** By its content type, in any spelling that the protocol layer reads (RFC 9110 §8.3.1). */
function isGrpc(request: FastifyRequest): boolean {
  return (request.headers['content-type'] ?? '').toLowerCase().startsWith('application/grpc');
}
