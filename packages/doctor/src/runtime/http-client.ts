import { Agent } from 'undici';
import type { FailureReason, HttpClient, Outcome, Request } from '../http.ts';
import type { AddressPolicy } from './addresses.ts';
import { pause } from './machine.ts';
import { AddressRefused, pinnedConnector, type Resolve, TLS_FAILURE } from './pinned-connector.ts';

export type HttpClientOptions = {
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  readonly requestsPerSecond: number;
  readonly timeoutMs: number;
  readonly now: () => Date;
  readonly signal: AbortSignal | undefined;
};

const MOST_BYTES = 65_536;
const MOST_HEADER_BYTES = 32_768;
/** How long an event stream is read: long enough for an answer, short enough for a stream that never ends. */
const STREAM_MS = 1_500;
const USER_AGENT = 'gatewarden-doctor/0.1 (examines MCP servers)';

/** An answer before its body is read. */
type Received = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: AsyncIterable<unknown>;
  /** Stops reading; the connection is given up. */
  readonly cancel: () => void;
};

/** Sends single requests: no redirects followed, no cookies, no proxy, bounded in time, size and rate. */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const agent = new Agent({
    connect: pinnedConnector(options.policy, options.resolve, options.timeoutMs),
    connections: 2,
    pipelining: 1,
    keepAliveTimeout: 2_000,
    maxHeaderSize: MOST_HEADER_BYTES,
  });
  const turn = createTurns(options);
  const patience = createPatience(options);
  let requests = 0;
  return {
    count: () => requests,
    async send(request) {
      const problem = urlProblem(request.url);
      if (problem) return { kind: 'failed', url: request.url, reason: 'bad-url', detail: problem };
      await turn(new URL(request.url));
      requests += 1;
      const began = options.now().getTime();
      const outcome = await send(agent, { ...request, timeoutMs: patience.of(request) }, options);
      patience.learn(request, options.now().getTime() - began);
      return outcome;
    },
    close: () => agent.destroy(),
  };
}

async function exchange(agent: Agent, request: Request, signal: AbortSignal): Promise<Received> {
  const url = new URL(request.url);
  const {
    statusCode,
    headers: raw,
    body,
  } = await agent.request({
    origin: url.origin,
    // As given and not as a URL parser would tidy it: some checks are about exactly that.
    path: request.rawPath ?? `${url.pathname}${url.search}`,
    method: request.method,
    headers: headerList(request),
    body: request.body ?? null,
    signal,
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const headers = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(raw))
    if (value !== undefined)
      headers.set(name.toLowerCase(), typeof value === 'string' ? [value] : value);
  // Giving up a body half-way is our own doing; what it then complains about is not news.
  body.on('error', () => undefined);
  return { status: statusCode, headers, body, cancel: () => void body.destroy() };
}

/** One request after the other per host, none earlier than the rate allows. */
function createTurns(options: HttpClientOptions): (url: URL) => Promise<void> {
  const next = new Map<string, number>();
  return async (url) => {
    const now = options.now().getTime();
    const at = Math.max(now, next.get(url.host) ?? 0);
    next.set(url.host, at + 1000 / options.requestsPerSecond);
    if (at > now) await pause(at - now, options.signal);
  };
}

/** Waits to the end at one host, after which it is waited for only a fifth as long. */
const MOST_LONG_WAITS = 3;

/** How long each host is waited for: one that lets every request hang could otherwise hold an examination for minutes. */
function createPatience(options: HttpClientOptions): {
  readonly of: (request: Request) => number;
  /** Says how long was waited, in milliseconds. */
  readonly learn: (request: Request, waited: number) => void;
} {
  const longWaits = new Map<string, number>();
  const limit = ({ timeoutMs = options.timeoutMs }: Request): number => timeoutMs;
  return {
    of: (request) =>
      (longWaits.get(new URL(request.url).host) ?? 0) < MOST_LONG_WAITS
        ? limit(request)
        : limit(request) / 5,
    learn: (request, waited) => {
      if (waited < limit(request) * 0.9) return;
      const { host } = new URL(request.url);
      longWaits.set(host, (longWaits.get(host) ?? 0) + 1);
    },
  };
}

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return 'it is not an absolute address';
  const url = new URL(text);
  if (url.protocol === 'https:' || url.protocol === 'http:') return undefined;
  return `it begins with ${url.protocol}`;
}

async function send(agent: Agent, request: Request, options: HttpClientOptions): Promise<Outcome> {
  const timeout = AbortSignal.timeout(request.timeoutMs ?? options.timeoutMs);
  const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
  try {
    const received = await exchange(agent, request, signal);
    return {
      kind: 'answer',
      method: request.method,
      url: request.url,
      status: received.status,
      headers: received.headers,
      ...(await readBody(received)),
    };
  } catch (error) {
    options.signal?.throwIfAborted();
    const { reason, detail } = timeout.aborted
      ? { reason: 'timeout' as const, detail: 'no answer in time' }
      : failureOf(error);
    return { kind: 'failed', url: request.url, reason, detail };
  }
}

function headerList(request: Request): string[] {
  const list = ['user-agent', USER_AGENT, 'accept-encoding', 'identity'];
  for (const [name, value] of Object.entries(request.headers ?? {}))
    if (value !== undefined) list.push(name, value);
  return list;
}

/** Reads at most 64 KiB; of an event stream the first event, or what comes within a moment. */
async function readBody(received: Received): Promise<{ text: string; complete: boolean }> {
  const isStream = /^text\/event-stream\b/i.test(received.headers.get('content-type')?.[0] ?? '');
  const enough = isStream ? AbortSignal.timeout(STREAM_MS) : undefined;
  enough?.addEventListener('abort', received.cancel, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  let complete = true;
  try {
    for await (const chunk of received.body) {
      if (!(chunk instanceof Uint8Array)) break;
      chunks.push(chunk);
      size += chunk.length;
      complete = size <= MOST_BYTES;
      if (!complete || (isStream && hasEvent(chunks))) break;
    }
  } catch {
    // An answer that breaks off is still an answer: status and headers are there.
    complete = false;
  }
  const text = Buffer.concat(chunks).subarray(0, MOST_BYTES).toString('utf8');
  return { text, complete };
}

function hasEvent(chunks: readonly Uint8Array[]): boolean {
  return /^data:.*\r?\n\r?\n/m.test(Buffer.concat(chunks).toString('latin1'));
}

function failureOf(error: unknown): { reason: FailureReason; detail: string } {
  for (
    let cause: unknown = error, depth = 0;
    cause instanceof Error && depth < 5;
    cause = cause.cause, depth += 1
  ) {
    if (cause instanceof AddressRefused)
      return { reason: 'blocked-address', detail: cause.message };
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    if (TLS_FAILURE.test(code)) return { reason: 'tls', detail: `TLS failed (${code})` };
    if (/ENOTFOUND|EAI_AGAIN|ENODATA/.test(code))
      return { reason: 'name', detail: `the name has no address (${code})` };
    if (/TIMEOUT|ETIMEDOUT/.test(code)) return { reason: 'timeout', detail: 'no answer in time' };
    if (/HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW/.test(code))
      return { reason: 'protocol', detail: 'the header of the answer is larger than 32 KiB' };
    if (code === 'UND_ERR_INVALID_ARG')
      return { reason: 'protocol', detail: 'what was given for this request fits into no HTTP' };
    if (/HPE_|UND_ERR_(RES|REQ|INVALID)/.test(code))
      return { reason: 'protocol', detail: `the answer is not valid HTTP (${code})` };
    if (code !== '') return { reason: 'connection', detail: `the connection failed (${code})` };
  }
  return { reason: 'connection', detail: 'the connection failed' };
}
