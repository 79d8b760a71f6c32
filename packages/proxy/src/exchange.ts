import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardNodeRequest, type McpAuth, type McpGuard } from '@gatewarden/resource-server';
import { noteCaller, type RequestRecord } from './access-log.ts';
import { answerFailure, type Failure, notFound, repeatedHeader } from './answers.ts';
import { clientHeaders, upstreamHeaders } from './headers.ts';
import type { IdentitySigner } from './identity.ts';
import type { ProxyMetrics } from './metrics.ts';
import { breakOff, relayBody } from './relay.ts';
import { elapsedMs } from './runtime/machine.ts';
import type { Upstream, UpstreamAnswer } from './upstream.ts';

/** What every request is handled with. */
export type Passage = {
  readonly upstream: Upstream;
  /** Exact paths that are passed on; any other is 404, whatever the token. */
  readonly paths: ReadonlySet<string>;
  readonly endpoint: URL;
  readonly forwarded: ReadonlySet<string>;
  readonly fixed: ReadonlyMap<string, string>;
  readonly identity: IdentitySigner | undefined;
  readonly idleTimeoutMs: number;
  readonly metrics: ProxyMetrics;
};

/** One for all: an error of its own for each finished request would cost more than most of what is done here. */
const clientGone = new Error('the response is over');

/** Takes one request through the guard to the upstream and its answer back. */
export async function exchange(
  passage: Passage,
  guard: McpGuard,
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort(clientGone));
  const admitted = await guardNodeRequest(watched(guard, record), request, response);
  if (!admitted) return;
  const { auth } = admitted;
  // There are no public paths, so the guard lets nobody through without a caller; were it so, nobody would pass.
  if (!auth) return refuse(response, record, notFound, undefined);
  noteCaller(record, { ...auth.extra, clientId: auth.clientId });
  if (!passage.paths.has(rawPath(request)))
    return refuse(response, record, notFound, admitted.body);
  const headers = clientHeaders(request, passage.forwarded);
  if (headers.kind === 'repeated') return refuse(response, record, repeatedHeader, admitted.body);
  const body = request.method === 'POST' ? checkedBytes(request) : undefined;
  const before = elapsedMs();
  const outcome = await passage.upstream.send({
    method: request.method ?? '',
    headers: {
      ...headers.headers,
      ...ownHeaders(passage, request, { auth, body, id: record.id }),
    },
    body,
    abort: gone,
  });
  if (gone.signal.reason === clientGone) {
    if (outcome.kind === 'answer') outcome.body.destroy();
    record.outcome = 'left';
    return;
  }
  passage.metrics.upstreamAnswered((elapsedMs() - before) / 1_000);
  if (outcome.kind === 'failed') {
    record.outcome = 'failed';
    record.reason = outcome.failure.error;
    return answerFailure(response, outcome.failure, admitted.body);
  }
  await passBack(passage, response, record, outcome);
}

function refuse(
  response: ServerResponse,
  record: RequestRecord,
  failure: Failure,
  body: unknown,
): void {
  record.reason = failure.error;
  answerFailure(response, failure, body);
}

/** The guard, and a look at what it read and decided, for the log. */
function watched(guard: McpGuard, record: RequestRecord): McpGuard {
  return {
    ...guard,
    async decide(request) {
      const decision = await guard.decide({
        ...request,
        body: async (limit) => {
          const read = await request.body(limit);
          if (read.kind === 'bytes') record.body = read.bytes;
          return read;
        },
      });
      if (decision.kind === 'respond') {
        if (decision.caller) noteCaller(record, decision.caller);
        record.reason ??= errorOf(decision.body);
        record.body =
          record.body instanceof Uint8Array ? called(record.body, decision.status) : undefined;
      }
      if (decision.kind === 'allow') record.body = decision.body;
      return decision;
    },
  };
}

/** The code in a refusal's JSON body. */
function errorOf(body: string | undefined): string | undefined {
  const answer = body === undefined ? undefined : parsed(Buffer.from(body));
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined;
  const { error } = answer;
  if (typeof error === 'object' && error !== null && 'message' in error)
    return typeof error.message === 'string' ? error.message : undefined;
  return typeof error === 'string' ? error : undefined;
}

const largestFaulty = 16_384;

/** What a refused body called. A large one that is itself at fault is not parsed again: that may be what it was made for. */
function called(body: Uint8Array, status: number): unknown {
  return status === 400 && body.byteLength > largestFaulty ? undefined : parsed(body);
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return undefined;
  }
}

/** The bytes that the guard checked, which it leaves on the request: no parser behind us can see others (RS-36). */
function checkedBytes(request: IncomingMessage): Uint8Array {
  const raw: unknown = 'rawBody' in request ? request.rawBody : undefined;
  if (!(raw instanceof Uint8Array)) throw new Error('the guard left no body');
  return raw;
}

/** What the proxy says about the request itself, and what its operator set. Neither can be said by a client. */
function ownHeaders(
  { endpoint, fixed, identity }: Passage,
  request: IncomingMessage,
  { auth, body, id }: { auth: McpAuth; body: Uint8Array | undefined; id: string },
): Record<string, string> {
  const method = request.method ?? '';
  return {
    // What is compressed cannot be looked at, and streams would wait for full blocks.
    'accept-encoding': 'identity',
    via: '1.1 gatewarden',
    'x-forwarded-for': request.socket.remoteAddress ?? 'unknown',
    'x-forwarded-host': endpoint.host,
    'x-forwarded-proto': endpoint.protocol.slice(0, -1),
    'x-request-id': id,
    ...Object.fromEntries(fixed),
    ...(identity
      ? { 'x-gatewarden-identity': identity.sign({ auth, requestId: id, method, body }) }
      : {}),
  };
}

async function passBack(
  passage: Passage,
  response: ServerResponse,
  record: RequestRecord,
  answer: UpstreamAnswer,
): Promise<void> {
  const headers = upstreamHeaders(answer.headers, passage.forwarded);
  const stream = /^\s*text\/event-stream\b/i.test(headers['content-type'] ?? '');
  if (stream) passage.metrics.streams(1);
  try {
    sendHead(response, answer.status, headers, stream);
    const { bytes, end } = await relayBody(answer.body, response, passage.idleTimeoutMs);
    record.bytes = bytes;
    record.outcome = end === 'left' ? 'left' : end === 'complete' ? 'passed' : 'failed';
    if (end === 'cut') record.reason = 'upstream_aborted';
    if (end === 'idle') record.reason = 'upstream_idle';
    // A silent stream may be taken up again; anything else that is not whole must not look as if it were.
    if (end === 'idle' && stream) response.end();
    else if (end === 'cut' || end === 'idle') breakOff(response);
  } finally {
    if (stream) passage.metrics.streams(-1);
    answer.body.destroy();
  }
}

function sendHead(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  stream: boolean,
): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  // The upstream does not know that its answers are for one caller only; a cache in front of us must not keep them.
  response.setHeader('cache-control', stream ? 'no-store, no-transform' : 'no-store');
  response.setHeader('x-content-type-options', 'nosniff');
  if (stream) response.setHeader('x-accel-buffering', 'no');
  // A body of known length is on its way, and its first chunk takes the head along.
  if (headers['content-length'] === undefined) response.flushHeaders();
}

/** The path as it was sent; compared for equality, never decoded (RS-7). */
function rawPath(request: IncomingMessage): string {
  const target = request.url ?? '';
  const end = target.indexOf('?');
  return end < 0 ? target : target.slice(0, end);
}
